"""What MediaPipe's Python solutions find in pictures. Runs in an environment of its own, with mediapipe 0.10.18.

    python benchmarks/theirs/mediapipe_rows.py PICTURES.npy KIND OUT.npy

PICTURES is (N, H, W, 3) uint8 RGB. KIND is pose (132 numbers), hands (126) or holistic (1662). OUT
is (N, numbers) float64 in shares of the picture, with zeros for what is not seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import mediapipe
import numpy as np


def main() -> int:
    """Write the rows of all pictures."""
    pictures, kind, out = np.load(sys.argv[1], mmap_mode="r"), sys.argv[2], sys.argv[3]
    solution, row = KINDS[kind]
    with solution() as found:
        np.save(out, [row(found.process(np.ascontiguousarray(picture))) for picture in pictures])
    return 0


def pose_row(result: Any) -> Any:
    return _points(result.pose_landmarks, 33, "x y z visibility")


def hands_row(result: Any) -> Any:
    sides = {"Left": np.zeros(63), "Right": np.zeros(63)}
    for hand, points in zip(result.multi_handedness or (), result.multi_hand_landmarks or (), strict=True):
        sides[hand.classification[0].label] = _points(points, 21, "x y z")
    return np.concatenate([sides["Left"], sides["Right"]])


def holistic_row(result: Any) -> Any:
    hands = [_points(each, 21, "x y z") for each in (result.left_hand_landmarks, result.right_hand_landmarks)]
    return np.concatenate([pose_row(result), _points(result.face_landmarks, 468, "x y z"), *hands])


def _points(found: Any, count: int, axes: str) -> Any:
    names = axes.split()
    if found is None:
        return np.zeros(count * len(names))
    return np.array([[getattr(point, name) for name in names] for point in found.landmark]).ravel()


KINDS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "pose": (mediapipe.solutions.pose.Pose, pose_row),
    "hands": (mediapipe.solutions.hands.Hands, hands_row),
    "holistic": (mediapipe.solutions.holistic.Holistic, holistic_row),
}

if __name__ == "__main__":
    sys.exit(main())
