import numpy as np
import pytest

from convert.splits.folds import first_of_each, interval, make_folds, most_of_a_class, paired_interval
from edgevid.errors import ClipsError

LABELS = ["wave", "clap"] * 12
GROUPS = [f"p{index // 4}" for index in range(24)]


def test_each_clip_is_held_out_once_and_each_group_as_a_whole():
    folds = make_folds(LABELS, GROUPS, 3, seed=0)
    assert sorted(np.concatenate([fold.held_out for fold in folds]).tolist()) == list(range(24))
    for fold in folds:
        assert not {GROUPS[index] for index in fold.training} & {GROUPS[index] for index in fold.held_out}


def test_one_group_after_the_other_is_held_out_on_request():
    folds = make_folds(LABELS, GROUPS, "groups", seed=0)
    assert [{GROUPS[index] for index in fold.held_out} for fold in folds] == [{f"p{n}"} for n in range(6)]


def test_without_groups_every_fold_has_every_class():
    for fold in make_folds(LABELS, [""] * 24, 4, seed=1):
        assert {LABELS[index] for index in fold.held_out} == {"wave", "clap"}


def test_equal_seeds_make_equal_folds_and_others_do_not():
    held = [[fold.held_out.tolist() for fold in make_folds(LABELS, [""] * 24, 4, seed=seed)] for seed in (1, 1, 2)]
    assert held[0] == held[1] != held[2]


def test_a_class_of_one_group_alone_is_named_with_its_group():
    labels = ["jump" if group == "p5" else label for label, group in zip(LABELS, GROUPS, strict=True)]
    with pytest.raises(ClipsError, match="jump in p5 alone"):
        make_folds(labels, GROUPS, "groups", seed=0)


def test_too_few_groups_are_named():
    with pytest.raises(ClipsError, match="'p0', 'p1'"):
        make_folds(LABELS, [f"p{index % 2}" for index in range(24)], 5, seed=0)


def test_too_few_clips_of_a_class_are_counted():
    with pytest.raises(ClipsError, match="2 of clap"):
        make_folds(["wave"] * 10 + ["clap"] * 2, [""] * 12, 5, seed=0)


def test_the_interval_is_wilsons():
    # Worked by hand for 8 of 10: (0.8 + 0.19207 -+ 1.95996 sqrt(0.016 + 0.0096)) / 1.38415, rounded.
    low, high = interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)
    assert interval(10, 10)[1] == pytest.approx(1.0)
    assert interval(10, 10)[0] == pytest.approx(0.722, abs=1e-3)


def test_more_folds_than_clips_of_a_class_are_refused_with_groups_too():
    labels = ["wave", "clap"] * 2
    with pytest.raises(ClipsError, match="2 of clap"):
        make_folds(labels, ["p0", "p1", "p2", "p3"], 4, seed=0)


def test_fewer_clips_of_each_class_are_the_first_ones_and_among_more_of_them():
    clips = np.array([0, 1, 2, 3, 5, 7, 9])
    kept = [first_of_each(LABELS, clips, count).tolist() for count in (1, 2, 4, None)]
    assert kept == [[0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 5, 7], clips.tolist()]


def test_most_clips_of_a_class_are_those_of_the_largest_fold():
    labels = ["wave"] * 8 + ["clap"] * 4
    folds = make_folds(labels, [""] * 12, 4, seed=0)
    assert most_of_a_class(labels, folds) == 6
    assert most_of_a_class(labels, make_folds(labels, [*"aaaaabbbbbcc"], "groups", seed=0)) == 8


def test_a_change_is_certain_only_if_many_clips_change_one_way():
    low, high = paired_interval(12, 1, 60)
    assert 0 < low < 11 / 60 < high
    low, high = paired_interval(6, 5, 60)
    assert low < 0 < high
    # No clip changed: with few clips that is no proof of no change.
    assert paired_interval(0, 0, 10)[1] > paired_interval(0, 0, 1000)[1] > 0


def test_the_interval_of_a_change_is_that_of_the_textbook():
    # Agresti, "Categorical Data Analysis", chapter 10: of 1600 voters 150 and 86 changed their mind,
    # with an interval from -0.06 to -0.02.
    low, high = paired_interval(86, 150, 1600)
    assert (low, high) == (pytest.approx(-0.0587, abs=5e-4), pytest.approx(-0.0213, abs=5e-4))
