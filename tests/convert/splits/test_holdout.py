from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from convert.clips import ClipSet
from convert.splits.holdout import check_classes, grouper, split
from edgevid.errors import ClipsError, UsageError
from tests.clips.moving import moving_clip, moving_clips


def of_subjects(**classes):
    """Clips of each class by the subjects named, a letter each."""
    return [
        moving_clip(label, seed=ord(subject), group=subject)
        for label, subjects in classes.items()
        for subject in subjects
    ]


@pytest.mark.parametrize(
    ("rule", "name", "group"),
    [
        ("subject", "ann_wave_2.avi", "ann"),
        ("subject", "ann.avi", "ann"),
        ("none", "ann_wave.avi", ""),
        (r"take(\d+)", "ann_take12.avi", "12"),
    ],
)
def test_the_group_is_read_from_the_file_name(rule, name, group):
    assert grouper(rule)(Path("clips/wave") / name) == group


@pytest.mark.parametrize("rule", ["(", "ann", "(a)(b)"])
def test_a_rule_that_gives_no_one_group_is_refused(rule):
    with pytest.raises(UsageError, match="one group"):
        grouper(rule)


def test_a_clip_that_the_rule_does_not_match_is_named():
    with pytest.raises(ClipsError, match=r"odd\.avi"):
        grouper(r"take(\d+)")(Path("odd.avi"))


@pytest.mark.parametrize("seed", range(8))
def test_no_group_is_on_both_sides_and_training_shows_every_class(seed):
    kept, held = split(of_subjects(left="abcd", right="abcd", still="ab"), fraction=0.3, seed=seed)
    assert {clip.ref.group for clip in kept}.isdisjoint(clip.ref.group for clip in held)
    assert held
    assert {clip.ref.label for clip in kept} == {"left", "right", "still"}
    assert len(kept) + len(held) == 10


@pytest.mark.parametrize("seed", range(4))
def test_without_groups_every_class_is_on_both_sides(seed):
    kept, held = split(moving_clips(4).clips, fraction=0.25, seed=seed)
    assert {clip.ref.label for clip in kept} == {clip.ref.label for clip in held} == {"left", "right", "still"}
    assert len(held) == 3


def test_two_clips_of_each_class_are_enough():
    kept, held = split(moving_clips(2).clips, fraction=0.9, seed=0)
    assert (len(kept), len(held)) == (3, 3)


def test_the_same_seed_splits_the_same():
    clips = moving_clips(6).clips
    assert split(clips, fraction=0.3, seed=5) == split(clips, fraction=0.3, seed=5)
    assert split(clips, fraction=0.3, seed=5) != split(clips, fraction=0.3, seed=6)


def test_nothing_is_held_out_for_a_fraction_of_zero():
    clips = moving_clips(2).clips
    assert split(clips, fraction=0, seed=0) == (clips, ())


def test_a_single_group_is_refused():
    with pytest.raises(ClipsError, match=r"one: 'a'.*--group-by none"):
        split(of_subjects(left="aa", right="aa"), fraction=0.2, seed=0)


def test_a_class_that_one_group_alone_shows_stays_in_training():
    kept, _ = split(of_subjects(left="abc", right="c"), fraction=0.34, seed=0)
    assert "c" in {clip.ref.group for clip in kept}


def test_groups_of_which_each_shows_a_class_alone_are_refused():
    with pytest.raises(ClipsError, match="at least two of the 2 groups"):
        split(of_subjects(left="a", right="b"), fraction=0.5, seed=0)


def with_splits(**classes):
    """A clip of each class for each letter: t for train, v for val, e for test, - for none."""
    words = {"t": "train", "v": "val", "e": "test", "-": ""}
    clips = [moving_clip(label, seed=n) for label, letters in classes.items() for n, _ in enumerate(letters)]
    splits = [words[letter] for letters in classes.values() for letter in letters]
    return [
        replace(clip, ref=replace(clip.ref, split=split, origin=f"line {n} of a.csv"))
        for n, (clip, split) in enumerate(zip(clips, splits, strict=True), 2)
    ]


def test_clips_of_test_and_val_are_held_out_instead_of_random_ones():
    clips = with_splits(left="tve", right="t-e")
    kept, held = split(clips, fraction=0.5, seed=0)
    assert (list(kept), list(held)) == ([clips[0], clips[3], clips[4]], [clips[1], clips[2], clips[5]])
    assert split(clips, fraction=0, seed=0) == (kept, held)


def test_a_list_that_holds_nothing_out_leaves_the_choice_to_chance():
    _, held = split(with_splits(left="tt", right="tt"), fraction=0.5, seed=0)
    assert len(held) == 2


def test_a_class_that_is_held_out_entirely_is_refused_with_its_line():
    with pytest.raises(ClipsError, match=r"'right' in val alone \(line 5 of a\.csv\)"):
        split(with_splits(left="tte", right="ve"), fraction=0.2, seed=0)


def test_a_label_that_occurs_once_is_refused_with_its_line():
    with pytest.raises(ClipsError, match=r"one of right \(line 4 of a\.csv\)"):
        check_classes(ClipSet(tuple(with_splits(left="tt", right="t"))))


def test_classes_are_given_sorted():
    assert check_classes(moving_clips(2)) == ("left", "right", "still")


def test_a_class_with_one_clip_is_named():
    clips = ClipSet((*moving_clips(2, classes=("left", "right")).clips, moving_clip("still", seed=1)))
    with pytest.raises(ClipsError, match="one of still"):
        check_classes(clips)


def test_one_class_is_refused():
    with pytest.raises(ClipsError, match="at least two classes"):
        check_classes(moving_clips(3, classes=("left",)))


def test_a_clip_without_a_class_is_named():
    clip = moving_clip("left", seed=1)
    unlabelled = type(clip)(type(clip.ref)(Path("stray.avi")), clip.frames, clip.timestamps_ns)
    with pytest.raises(ClipsError, match=r"stray\.avi"):
        check_classes(ClipSet((*moving_clips(2).clips, unlabelled)))
