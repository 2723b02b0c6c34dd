"""Cuts the moments a model learns from out of planned streams, so that it sees in training what its window will see on the device.

A gesture's clip shows it at a random place between what came before and what comes next. Every window in the clip holds at least
`SHARE_MADE` of it; windows of "none" hold at most `SHARE_NONE` of any gesture. What lies between is not shown: there is no right answer.
"""

from __future__ import annotations

import numpy as np

from edgevid.synthetic.gestures import BACKGROUND, GESTURES, Gesture, Track, plan

SHARE_MADE = 0.55
SHARE_NONE = 0.33


def plan_moment(rng: np.random.Generator, label: str, *, clip_s: float, window_s: float, arm_rad: float) -> Track:
    """Plan one clip.

    Args:
        rng: Draws everything.
        label: What it shows.
        clip_s: Length of the clip.
        window_s: Time from a window's first frame to its last, less than `clip_s`.
        arm_rad: Direction of the arm, as in `gestures.plan`.

    Returns:
        A track of that length.
    """
    if label == BACKGROUND:
        return _plan_none(rng, clip_s=clip_s, arm_rad=arm_rad)
    before, after = (str(name) for name in rng.choice(GESTURES, 2))
    track = plan(rng, [before, label, after], arm_rad=arm_rad)
    gesture = track.truth[1]
    length_s = gesture.end_s - gesture.start_s
    # The first window must not end before its share of the gesture was made, nor the last begin after its share is left.
    place_s = rng.uniform(clip_s - window_s - (1 - SHARE_MADE) * length_s, window_s - SHARE_MADE * length_s)
    return track.cut(gesture.start_s - place_s, clip_s)


def _plan_none(rng: np.random.Generator, *, clip_s: float, arm_rad: float) -> Track:
    """Draw stretches until one holds no more of a gesture than is none."""
    while True:
        labels = [str(name) for name in rng.permutation([*rng.choice(GESTURES, 2), BACKGROUND])]
        track = plan(rng, labels, arm_rad=arm_rad)
        start_s = rng.uniform(0, max(track.duration_s - clip_s, 0.0))
        if all(_share(gesture, start_s, start_s + clip_s) <= SHARE_NONE for gesture in track.truth):
            return track.cut(start_s, clip_s)


def _share(gesture: Gesture, start_s: float, end_s: float) -> float:
    """Give the fraction of a gesture's time that lies between two moments."""
    return max(0.0, min(gesture.end_s, end_s) - max(gesture.start_s, start_s)) / (gesture.end_s - gesture.start_s)
