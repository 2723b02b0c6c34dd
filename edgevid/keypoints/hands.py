"""Hands: 21 points of each, of one hand or two.

Source: MediaPipe 0.10.18, mediapipe/modules/hand_landmark/hand_landmark_tracking_cpu.binarypb in its
wheel, at the model complexity 1 that its Python solution has by default.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgevid.frames import Array, Pixels
from edgevid.keypoints.body import Body
from edgevid.keypoints.detector import Detection, Detector, overlap
from edgevid.keypoints.network import Network
from edgevid.keypoints.roi import Roi, turn_towards

FILES = ("palm_detection_full.tflite", "hand_landmark_full.tflite")
_STRIDES = (8, 16, 16, 16)
_MIN_PRESENCE = 0.5
_SAME_HAND = 0.5
# z comes in another unit than x and y: `normalize_z` of TensorsToLandmarksCalculator.
_Z_UNIT = 0.4
# The wrist, the palm and the first joints: finger tips move too much to follow a hand by them.
_STEADY = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
_WRIST, _INDEX, _MIDDLE, _RING = 0, 5, 9, 13


@dataclass(frozen=True, slots=True)
class Hand:
    """A hand in a picture.

    Attributes:
        points: (21, 3) float64: x, y and z in pixels.
        is_left: Whether the network takes it for a left hand. MediaPipe assumes a mirrored picture.
        roi: Where to look for it in the next picture.
    """

    points: Array
    is_left: bool
    roi: Roi


class HandNetwork:
    """Finds the points of the hand in a region.

    Args:
        read: Returns the file of a network by its name.
        threads: Interpreter threads.
    """

    def __init__(self, read: Callable[[str], bytes], *, threads: int = 1) -> None:
        self.network = Network(read(FILES[1]), FILES[1], threads=threads)

    def mark(self, picture: Pixels, roi: Roi) -> Hand | None:
        """Return the hand in a region of a picture, or None."""
        self.network.run(picture, roi)
        if self.network.output(1)[0] < _MIN_PRESENCE:
            return None
        shares = self.network.output(0).astype(np.float64).reshape(-1, 3) / self.network.size_px
        shares[:, 2] /= _Z_UNIT
        points = roi.to_picture(shares)
        is_left = bool(self.network.output(2)[0] >= 0.5)
        return Hand(points, is_left, hand_roi(points))


class HandTracker:
    """Follows hands from picture to picture. The detector runs only when one of them is missing.

    Args:
        read: Returns the file of a network by its name.
        most: Most hands to look for, 1 or 2.
        threads: Interpreter threads.

    Attributes:
        networks: The networks by what they do, for the times of each.
    """

    def __init__(self, read: Callable[[str], bytes], *, most: int = 2, threads: int = 1) -> None:
        palms = Network(read(FILES[0]), FILES[0], has_bars=True, threads=threads)
        self._detector = Detector(palms, strides=_STRIDES)
        self._hands = HandNetwork(read, threads=threads)
        self.networks = {"palm detector": palms, "hand landmarks": self._hands.network}
        self._most = most
        self._rois: list[Roi] = []

    def process(self, picture: Pixels) -> Body:
        """Find the hands in the next picture.

        Args:
            picture: (H, W, 3) uint8, RGB.
        """
        rois = self._rois
        if len(rois) < self._most:
            found = [palm_roi(each) for each in self._detector.find(picture, most=self._most)]
            rois = merge([*found, *rois])[-self._most :]
        hands = [hand for roi in rois if (hand := self._hands.mark(picture, roi)) is not None]
        self._rois = [hand.roi for hand in hands]
        # As the public programs that write rows do: of two hands of one side, the last counts.
        sides = {hand.is_left: hand.points for hand in hands}
        return Body(left=sides.get(True), right=sides.get(False))

    def reset(self) -> None:
        """Forget the hands."""
        self._rois = []


def palm_roi(palm: Detection) -> Roi:
    """Return the region of the hand that a palm belongs to."""
    # Its points 0 and 2 are the wrist and the middle knuckle.
    turn = turn_towards(palm.points[0], palm.points[2])
    return Roi.over(palm.box.reshape(2, 2), rotation=turn).expanded(2.6, shift_y=-0.5)


def hand_roi(points: Array) -> Roi:
    """Return the region of a hand in the next picture.

    Args:
        points: (21, 2) or (21, 3) in pixels.

    Source: MediaPipe, hand_landmarks_to_rect_calculator.cc.
    """
    knuckles = (points[_INDEX] + points[_RING]) / 4 + points[_MIDDLE] / 2
    turn = turn_towards(points[_WRIST], knuckles)
    upright = Roi.over(points[_STEADY], rotation=turn)
    turned = Roi.over(upright.along(points[_STEADY]))
    # The centre of the box along the hand, back in the picture.
    cos, sin = math.cos(turn), math.sin(turn)
    x, y = upright.x + turned.x * cos - turned.y * sin, upright.y + turned.x * sin + turned.y * cos
    return Roi(x, y, turned.width, turned.height, turn).expanded(2.0, shift_y=-0.1)


def merge(rois: list[Roi]) -> list[Roi]:
    """Return the regions without those that a later one overlaps.

    Source: MediaPipe, association_calculator.h. It ignores the rotation, too.
    """
    boxes = np.array([[r.x - r.width / 2, r.y - r.height / 2, r.x + r.width / 2, r.y + r.height / 2] for r in rois])
    return [roi for place, roi in enumerate(rois) if not (overlap(boxes[place + 1 :], boxes[place]) > _SAME_HAND).any()]
