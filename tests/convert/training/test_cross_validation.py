from pathlib import Path

import pytest

from convert.training.console import cross_validation_text, describe_forecast
from convert.training.cross_validation import fewer_counts, measure_curve, summarise
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


def measured_with(right, count):
    """Answers to `count` clips of which the first ones are right."""
    answers = [RIGHT] * right + [WRONG] * (count - right)
    return summarise([answers], [[""] * count], ["m"], labels=("clap", "wave"))


def curve(rights, count=60):
    """Accuracy after 4 and 8 clips of each class."""
    return measure_curve(measured_with(rights[-1], count), 8, lambda fewer: measured_with(rights[fewer // 4], count))


def test_fewer_clips_are_halves_down_to_two():
    assert [fewer_counts(most) for most in (1, 2, 3, 5, 16, 100)] == [
        [], [], [2], [2, 3], [2, 4, 8], [7, 13, 25, 50]
    ]  # fmt: skip


def test_a_curve_ends_with_what_was_measured_on_all_clips():
    asked = []

    def measure_with(count):
        asked.append(count)
        return measured_with(10 + count, 60)

    made = measure_curve(measured_with(30, 60), 8, measure_with)
    assert asked == [2, 4]
    assert [each.clips_per_class for each in made.points] == [2, 4, 8]
    assert [each.score.accuracy for each in made.points] == [12 / 60, 14 / 60, 30 / 60]
    assert (made.last.before, made.last.after, made.last.change) == (4, 8, pytest.approx(16 / 60))
    assert made.last.low < made.last.change < made.last.high


def test_two_clips_of_a_class_make_no_curve():
    assert measure_curve(measured_with(30, 60), 2, lambda _count: pytest.fail("was measured")) is None


def test_ten_more_clips_bring_what_each_doubling_brought_and_no_more_than_is_missing():
    made = curve((20, 30, 40))
    # From 8 to 16 is one doubling, as from 4 to 8 was.
    assert made.forecast(8).change == pytest.approx(made.last.change)
    assert made.forecast(24).change == pytest.approx(2 * made.last.change)
    assert made.forecast(10_000).change == pytest.approx(20 / 60)


def test_a_change_that_may_be_chance_gives_no_forecast():
    rising, flat, falling, full = (curve((0, *rights)) for rights in ((20, 40), (40, 41), (50, 20), (40, 60)))
    assert "10 more clips a class bring +" in describe_forecast(rising)
    assert "cannot be told" in describe_forecast(flat)
    assert "At most 31.7 points are missing" in describe_forecast(flat)
    assert "bring +" not in describe_forecast(flat)
    assert "made it worse" in describe_forecast(falling)
    assert "All held-out clips are right" in describe_forecast(full)
