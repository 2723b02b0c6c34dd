from pathlib import Path

import pytest

from convert.training.console import cross_validation_text
from convert.training.cross_validation import summarise
from convert.training.metrics import Prediction


def answer(truth, answered):
    return Prediction(Path(f"{truth}.avi"), truth, answered, (1.0, 0.0))


RIGHT, WRONG = answer("wave", "wave"), answer("clap", "wave")


def test_the_whole_the_folds_and_the_groups_are_counted_clip_by_clip():
    measured = summarise(
        [[RIGHT, WRONG], [RIGHT, RIGHT, WRONG]],
        [["ann", "bob"], ["cy", "cy", "bob"]],
        ["first", "second"],
        labels=("clap", "wave"),
        int8=[RIGHT, RIGHT, RIGHT, RIGHT, WRONG],
    )
    assert measured.score.accuracy == pytest.approx(3 / 5)
    assert measured.score.low < 3 / 5 < measured.score.high
    assert [fold.score.accuracy for fold in measured.folds] == [pytest.approx(1 / 2), pytest.approx(2 / 3)]
    assert [fold.groups for fold in measured.folds] == [("ann", "bob"), ("bob", "cy")]
    assert [fold.method for fold in measured.folds] == ["first", "second"]
    assert measured.evaluation.confusion == ((0, 2), (0, 3))
    assert measured.int8 is not None
    assert measured.int8.accuracy == pytest.approx(4 / 5)


def test_the_worst_group_comes_first():
    measured = summarise([[RIGHT, WRONG, RIGHT]], [["ann", "bob", "cy"]], ["m"], labels=("clap", "wave"))
    assert next(iter(measured.groups)) == "bob"
    assert measured.int8 is None


def test_clips_without_groups_have_no_rows_of_groups():
    assert summarise([[RIGHT]], [[""]], ["m"], labels=("clap", "wave")).groups == {}


def test_answers_no_better_than_the_most_frequent_class_are_said_to_be_so():
    guessed = summarise([[RIGHT] * 6 + [WRONG] * 4], [[""] * 10], ["m"], labels=("clap", "wave"))
    assert guessed.chance == pytest.approx(0.6)
    assert not guessed.is_learned
    assert "most frequent class is right in 0.600" in cross_validation_text(guessed)
    known = [RIGHT] * 10 + [answer("clap", "clap")] * 10
    learned = summarise([known], [[""] * 20], ["m"], labels=("clap", "wave"))
    assert learned.is_learned
    assert "Nothing was learned" not in cross_validation_text(learned)
