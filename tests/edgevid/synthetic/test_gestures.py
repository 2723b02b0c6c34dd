"""How a hand moves."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from edgevid.errors import UsageError
from edgevid.synthetic.gestures import BACKGROUND, GESTURES, LABELS, Gesture, Track, plan, plan_stream


def path(label: str, seed: int = 0) -> np.ndarray:
    """The poses of one gesture."""
    track = plan(np.random.default_rng(seed), [label])
    (gesture,) = track.truth
    return track.cut(gesture.start_s, gesture.end_s - gesture.start_s).poses


def turned_rad(poses: np.ndarray) -> float:
    """Angle swept about the middle of a path; clockwise in the picture is positive."""
    x, y = (poses[:, :2] - (poses[:, :2].min(axis=0) + poses[:, :2].max(axis=0)) / 2).T
    return float(np.unwrap(np.arctan2(y, x))[-1] - np.arctan2(y, x)[0])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("label", "axis", "sign"), [("swipe_left", 0, -1), ("swipe_right", 0, 1), ("swipe_up", 1, -1), ("swipe_down", 1, 1)]
)
def test_a_swipe_goes_where_its_name_says(label: str, axis: int, sign: int, seed: int) -> None:
    moved = path(label, seed)[-1, :2] - path(label, seed)[0, :2]
    assert sign * moved[axis] > 0.38
    assert abs(moved[1 - axis]) < 0.2


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("label", "sign"), [("circle_cw", 1), ("circle_ccw", -1)])
def test_a_circle_goes_round_at_least_once_in_its_sense(label: str, sign: int, seed: int) -> None:
    assert sign * turned_rad(path(label, seed)) > 1.8 * math.pi


@pytest.mark.parametrize("seed", range(5))
def test_a_wave_turns_back_at_least_three_times_and_ends_near_its_start(seed: int) -> None:
    x = path("wave", seed)[:, 0]
    turns = np.count_nonzero(np.diff(np.sign(np.diff(x[::4]))))
    assert turns >= 3
    assert abs(x[-1] - x[0]) < 0.1


@pytest.mark.parametrize("label", GESTURES)
def test_a_gesture_stays_in_the_picture(label: str) -> None:
    for seed in range(10):
        poses = path(label, seed)[:, :2]
        assert poses.min() > 0.15 and poses.max() < 0.85


def test_gestures_take_about_a_second_and_pauses_are_longer_than_a_second() -> None:
    truth = plan_stream(np.random.default_rng(1), 300).truth
    assert all(0.75 <= gesture.end_s - gesture.start_s <= 1.6 for gesture in truth)
    assert all(after.start_s - before.end_s > 1.0 for before, after in itertools.pairwise(truth))


def test_between_gestures_a_hand_in_the_picture_never_moves_as_fast_as_a_swipe_across_it() -> None:
    """Hands that come and go are fast, but leave the picture; what stays in it drifts."""
    track = plan(np.random.default_rng(2), [BACKGROUND] * 30)
    speed = np.linalg.norm(np.diff(track.poses[::5, :2], axis=0), axis=1) / 0.05
    inside = (np.lib.stride_tricks.sliding_window_view(track.poses[::5, 1], 31).max(axis=1) < 1.0).nonzero()[0] + 15
    assert len(inside) > 100
    assert speed[inside[inside < len(speed)]].max() < 0.7


def test_the_same_seed_gives_the_same_stream_and_another_seed_another() -> None:
    first, again, other = (plan_stream(np.random.default_rng(seed), 20) for seed in (3, 3, 4))
    assert first.truth == again.truth
    np.testing.assert_array_equal(first.poses, again.poses)
    assert first.truth != other.truth


def test_a_stream_shows_every_gesture_before_any_comes_again() -> None:
    labels = [gesture.label for gesture in plan_stream(np.random.default_rng(5), 120).truth]
    assert set(labels[: len(GESTURES)]) == set(GESTURES)


def test_the_truth_of_a_stream_holds_only_what_ends_in_it() -> None:
    track = plan_stream(np.random.default_rng(6), 40)
    assert track.truth and all(gesture.end_s <= 40 for gesture in track.truth)
    assert track.duration_s >= 40


def test_none_is_no_truth() -> None:
    assert plan(np.random.default_rng(0), [BACKGROUND, "wave", BACKGROUND]).truth[0].label == "wave"
    assert BACKGROUND in LABELS and BACKGROUND not in GESTURES


def test_a_cut_keeps_poses_and_what_is_left_of_the_truth() -> None:
    track = Track(np.arange(1200.0).reshape(400, 3), (Gesture("wave", 0.5, 1.5), Gesture("wave", 3.0, 3.5)))
    part = track.cut(1.0, 1.0)
    assert part.truth == (Gesture("wave", 0.0, 0.5),)
    assert part.at(0.25) == track.at(1.25)


def test_poses_are_interpolated_and_held_at_the_ends() -> None:
    track = Track(np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 4.0]]), ())
    assert track.at(0.005) == (0.5, 1.0, 2.0)
    assert track.at(-1.0) == (0.0, 0.0, 0.0)
    assert track.at(9.0) == (1.0, 2.0, 4.0)


def test_an_unknown_gesture_is_refused_with_the_legal_set() -> None:
    with pytest.raises(UsageError, match="swipe_up, wave, got 'salute'"):
        plan(np.random.default_rng(0), ["salute"])
