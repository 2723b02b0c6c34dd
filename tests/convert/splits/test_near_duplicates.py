"""Clips that are nearly the same are found; different people before one wall are not."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.clips import Clip, ClipRef
from convert.splits.near_duplicates import check_no_leak, describe_pairs, find_near_duplicates, fingerprint
from edgevid.errors import ClipsError

HEIGHT, WIDTH = 120, 160


def person(seed, *, group="", split="", count=50, fps=25.0, wall=0):
    """A clip of a fixed camera: a wall with texture, and a body that walks with arms of its own rhythm."""
    rng = np.random.default_rng(seed)
    wall_rng = np.random.default_rng((99, wall))
    background = cv2.resize(wall_rng.integers(60, 200, (12, 16, 3)).astype(np.uint8), (WIDTH, HEIGHT))
    start, speed, height = rng.uniform(10, 60), rng.uniform(0.6, 1.6), rng.integers(45, 70)
    rhythm, phase, shade = rng.uniform(0.2, 0.5), rng.uniform(0, 6), int(rng.integers(0, 60))
    frames = []
    for index in range(count):
        frame = background.copy()
        left, swing = round(start + speed * index), round(12 * np.sin(rhythm * index + phase))
        cv2.rectangle(frame, (left, 100 - height), (left + 12, 100), (shade, shade, shade), -1)
        cv2.line(frame, (left + 6, 70), (left + 6 + swing, 100), (20, 20, 220), 4)
        cv2.line(frame, (left + 6, 60), (left + 6 - swing, 80), (20, 220, 220), 3)
        frames.append(frame)
    return clip_of(frames, ClipRef(Path(f"{group or 'clip'}_{seed}.mp4"), "walk", group, split=split), fps)


def clip_of(frames, ref, fps=25.0):
    stamps = np.array([round(index * 1e9 / fps) for index in range(len(frames))], np.int64)
    return Clip(ref, np.stack(frames), stamps)


def copy_of(clip, change, *, fps=25.0, **facts):
    ref = replace(clip.ref, path=Path("copy.mp4"), **facts)
    return clip_of([change(frame) for frame in clip.frames], ref, fps)


def compressed(frame):
    return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)


def found(*clips):
    return find_near_duplicates([fingerprint(clip, "bgr") for clip in clips])


CHANGES = {
    "compressed": compressed,
    "smaller": lambda frame: cv2.resize(frame, (100, 75), interpolation=cv2.INTER_AREA),
    "brighter": lambda frame: cv2.convertScaleAbs(frame, alpha=1.1, beta=15),
    "gray": lambda frame: cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_in_another_group_is_a_near_duplicate(change):
    clip = person(1, group="ann")
    (pair,) = found(clip, copy_of(clip, change, group="ben"))
    assert (pair.first.group, pair.second.group, pair.is_leak) == ("ann", "ben", True)
    assert 0.93 <= pair.likeness < 1


@pytest.mark.parametrize("cut", [slice(5, None), slice(3, -6), slice(None, None, 2)], ids=["head", "both", "rate"])
def test_a_trimmed_copy_in_another_group_is_a_near_duplicate(cut):
    clip = person(2, group="ann")
    fps = 12.5 if cut.step else 25.0
    other = clip_of(list(clip.frames[cut]), replace(clip.ref, group="ben"), fps)
    assert len(found(clip, other)) == 1


def test_different_people_before_the_same_wall_are_no_near_duplicates():
    assert found(*(person(seed, group=str(seed)) for seed in range(30))) == []


def test_the_same_person_before_other_walls_is_no_near_duplicate():
    assert found(*(person(1, group=str(wall), wall=wall) for wall in range(10))) == []


def test_clips_that_stand_still_are_compared_by_their_pixels_alone():
    rng = np.random.default_rng(5)
    scene = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    noisy = [[scene + rng.integers(0, 3, scene.shape).astype(np.uint8) for _ in range(20)] for _ in range(2)]
    refs = [ClipRef(Path(f"{name}.mp4"), "none", name) for name in "abc"]
    clips = [clip_of(frames, ref) for frames, ref in zip([*noisy, noisy[0]], refs, strict=True)]
    (pair,) = found(*clips)
    assert (pair.first.group, pair.second.group, pair.likeness) == ("a", "c", 1)


def test_a_clock_in_the_picture_is_no_motion_that_makes_empty_scenes_alike():
    def empty(group):
        clip = person(1, group=group, count=50)
        frames = [clip.frames[0].copy() for _ in range(50)]
        for index, frame in enumerate(frames):
            frame[4:8, 4 : 8 + index % 25 // 4] = 255
        return clip_of(frames, clip.ref)

    first, second = empty("ann"), empty("ben")
    # Of another day, but with the same clock.
    second = copy_of(second, lambda frame: cv2.convertScaleAbs(frame, alpha=0.9, beta=3), group="ben")
    assert found(first, second) == []


def test_a_lamp_that_is_switched_on_is_no_motion_that_two_clips_share():
    def lamp(seed):
        clip = person(seed, group=str(seed))
        frames = [np.clip(frame // 2 + 2 * min(index, 40), 0, 255) for index, frame in enumerate(clip.frames)]
        return clip_of([frame.astype(np.uint8) for frame in frames], clip.ref)

    assert found(*(lamp(seed) for seed in range(20))) == []


@pytest.mark.parametrize(
    ("first", "second", "is_compared", "is_leak"),
    [
        ({"group": "ann"}, {"group": "ann"}, False, False),
        ({"group": "ann"}, {"group": "ben"}, True, True),
        ({}, {}, True, False),
        ({"split": "train"}, {"split": "test"}, True, True),
        ({"split": ""}, {"split": "val"}, True, True),
        ({"split": "val"}, {"split": "test"}, False, False),
        ({"split": "train", "group": "a"}, {"split": "train", "group": "b"}, False, False),
    ],
)
def test_only_clips_that_may_come_apart_are_compared(first, second, is_compared, is_leak):
    clip = person(3)
    pairs = found(*(replace(clip, ref=replace(clip.ref, **facts)) for facts in (first, second)))
    assert [pair.is_leak for pair in pairs] == ([is_leak] if is_compared else [])


def test_a_leak_is_refused_with_both_names_and_sides():
    clip = person(4, group="ann")
    pairs = found(clip, copy_of(clip, compressed, group="ben"))
    with pytest.raises(ClipsError, match=r"ann_4\.mp4 in 'ann' and copy\.mp4 in 'ben' \(9\d % alike\)"):
        check_no_leak(pairs)


def test_a_pair_without_groups_is_described_and_not_refused():
    clip = person(4)
    pairs = found(clip, copy_of(clip, compressed))
    check_no_leak(pairs)
    assert "clip_4.mp4 and copy.mp4 (9" in describe_pairs(pairs)[0]
    assert describe_pairs([]) == ()


def test_clips_shorter_than_the_others_and_empty_lists_are_compared_too():
    clip = person(5, group="ann", count=3)
    assert found() == []
    assert found(clip) == []
    assert len(found(clip, copy_of(clip, CHANGES["gray"], group="ben"))) == 1
