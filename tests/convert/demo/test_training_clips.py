"""Clips cut out of planned streams."""

from __future__ import annotations

import numpy as np
import pytest

from convert.demo.training_clips import SHARE_MADE, SHARE_NONE, plan_moment
from edgevid.synthetic.gestures import BACKGROUND, GESTURES, Track

CLIP_S, WINDOW_S = 2.0, 1.5


def moment(label: str, seed: int) -> Track:
    return plan_moment(np.random.default_rng(seed), label, clip_s=CLIP_S, window_s=WINDOW_S, arm_rad=0.2)


@pytest.mark.parametrize("label", GESTURES)
def test_every_window_of_a_gestures_clip_holds_most_of_it(label: str) -> None:
    for seed in range(20):
        track = moment(label, seed)
        longest = max(track.truth, key=lambda gesture: gesture.end_s - gesture.start_s)
        assert longest.label == label
        for start_s in np.linspace(0, CLIP_S - WINDOW_S, 6):
            seen_s = min(longest.end_s, start_s + WINDOW_S) - max(longest.start_s, start_s)
            # What the clip cuts off at an end is at most the rest of the gesture.
            assert seen_s >= SHARE_MADE * (longest.end_s - longest.start_s) - 0.02


def test_gestures_lie_at_different_places_of_their_clips() -> None:
    starts_s = [moment("swipe_up", seed).truth[-1].start_s for seed in range(20)]
    assert max(starts_s) - min(starts_s) > 0.3


def test_a_clip_of_none_holds_little_of_any_gesture() -> None:
    for seed in range(40):
        for gesture in moment(BACKGROUND, seed).truth:
            assert gesture.end_s - gesture.start_s <= SHARE_NONE * 1.6


def test_a_clip_has_the_length_asked_for() -> None:
    for label in (BACKGROUND, "wave"):
        assert moment(label, 0).duration_s == pytest.approx(CLIP_S, abs=0.02)
