"""Training clips cut out of planned streams, so that training sees the same windows as the device.

The clip of a gesture shows it at a random position between two other gestures. Every window of the
clip contains at least `SHARE_MADE` of it. Windows of "none" contain at most `SHARE_NONE` of any
gesture. No clip shows a share between the two, because no answer to it is correct.
"""

from __future__ import annotations

import numpy as np

from edgevid.synthetic.gestures import BACKGROUND, GESTURES, Gesture, Track, plan

SHARE_MADE = 0.55
SHARE_NONE = 0.33


def plan_moment(rng: np.random.Generator, label: str, *, clip_s: float, window_s: float, arm_rad: float) -> Track:
    """Plan one clip.

    Args:
        rng: Source of all randomness.
        label: The gesture or "none".
        clip_s: Length of the clip in seconds.
        window_s: Time from the first to the last frame of a window in seconds, less than `clip_s`.
        arm_rad: Direction of the arm, as in `gestures.plan`.

    Returns:
        A track of `clip_s` seconds.
    """
    if label == BACKGROUND:
        return _plan_none(rng, clip_s=clip_s, arm_rad=arm_rad)
    before, after = (str(name) for name in rng.choice(GESTURES, 2))
    track = plan(rng, [before, label, after], arm_rad=arm_rad)
    gesture = track.truth[1]
    length_s = gesture.end_s - gesture.start_s
    # Lower limit: the last window still contains SHARE_MADE of the gesture. Upper limit: the first
    # window already does.
    earliest_s, latest_s = clip_s - window_s - (1 - SHARE_MADE) * length_s, window_s - SHARE_MADE * length_s
    offset_s = rng.uniform(earliest_s, latest_s)
    return track.cut(gesture.start_s - offset_s, clip_s)


def _plan_none(rng: np.random.Generator, *, clip_s: float, arm_rad: float) -> Track:
    """Draw random sections of streams until one contains little enough of every gesture."""
    while True:
        labels = [str(name) for name in rng.permutation([*rng.choice(GESTURES, 2), BACKGROUND])]
        track = plan(rng, labels, arm_rad=arm_rad)
        start_s = rng.uniform(0, max(track.duration_s - clip_s, 0.0))
        if all(_share(gesture, start_s, start_s + clip_s) <= SHARE_NONE for gesture in track.truth):
            return track.cut(start_s, clip_s)


def _share(gesture: Gesture, start_s: float, end_s: float) -> float:
    """Return the fraction of a gesture between two times."""
    return max(0.0, min(gesture.end_s, end_s) - max(gesture.start_s, start_s)) / (gesture.end_s - gesture.start_s)
