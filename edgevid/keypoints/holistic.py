"""A person's pose, hands and face: the pose says where hands and face are.

Source: MediaPipe 0.10.18, mediapipe/modules/holistic_landmark/holistic_landmark_cpu.binarypb in its
wheel, and the calculators next to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgevid.frames import Array, Pixels
from edgevid.keypoints.body import Body
from edgevid.keypoints.detector import Detector
from edgevid.keypoints.follow import Leeway
from edgevid.keypoints.hands import HandNetwork, hand_roi
from edgevid.keypoints.network import Network
from edgevid.keypoints.pose import PoseTracker
from edgevid.keypoints.roi import Roi, turn_towards

RECROP = "hand_recrop.tflite"
FACE_FILES = ("face_detection_short_range.tflite", "face_landmark.tflite")
# Points of the pose: wrist, little finger, index finger.
_SIDES = {"left": (15, 17, 19), "right": (16, 18, 20)}
_MIN_VISIBILITY = 0.1
_HAND_LEEWAY = Leeway(rotation_deg=40, translation=0.2, scale=0.4, margin=-0.1)
_FACE_LEEWAY = Leeway(rotation_deg=15, translation=0.1, scale=0.3, margin=-0.2)
_FACE_STRIDES = (8, 16, 16, 16)
# Points of the pose that are in the face; of them, the outer corners of the eyes.
_FACE_OF_POSE = slice(0, 11)
_EYES_OF_POSE = (5, 2)
_EYES_OF_FACE = (33, 263)


class HolisticTracker:
    """Follows a person's pose, hands and face from picture to picture.

    Args:
        read: Returns the file of a network by its name.
        has_face: Whether to look for the face, too.
        threads: Interpreter threads.

    Attributes:
        networks: The networks by what they do, for the times of each.
    """

    def __init__(self, read: Callable[[str], bytes], *, has_face: bool = False, threads: int = 1) -> None:
        self._pose = PoseTracker(read, threads=threads)
        marker, recrop = HandNetwork(read, threads=threads), Network(read(RECROP), RECROP, threads=threads)
        self._hands = {side: _HandFollower(side, marker, recrop) for side in _SIDES}
        self._face = _FaceFollower(read, threads=threads) if has_face else None
        self.networks = {**self._pose.networks, "hand finder": recrop, "hand landmarks": marker.network}
        if self._face is not None:
            self.networks |= self._face.networks

    def process(self, picture: Pixels) -> Body:
        """Find the person in the next picture.

        Args:
            picture: (H, W, 3) uint8, RGB.
        """
        body = self._pose.process(picture)
        if body.pose is None or body.visibility is None:
            self._forget_parts()
            return body
        hands = {side: each.mark(picture, body.pose, body.visibility) for side, each in self._hands.items()}
        face = None if self._face is None else self._face.mark(picture, body.pose)
        return Body(body.pose, body.visibility, hands["left"], hands["right"], face)

    def reset(self) -> None:
        """Forget the person: the detector runs on the next picture."""
        self._pose.reset()
        self._forget_parts()

    def _forget_parts(self) -> None:
        for each in self._hands.values():
            each.points = None
        if self._face is not None:
            self._face.points = None


class _HandFollower:
    """Follows one hand of the person."""

    def __init__(self, side: str, marker: HandNetwork, recrop: Network) -> None:
        self._side, self._marker, self._recrop = side, marker, recrop
        self.points: Array | None = None

    def mark(self, picture: Pixels, pose: Array, visibility: Array) -> Array | None:
        """Return the hand's points (21, 3), or None."""
        wrist, little, index = _SIDES[self._side]
        last = None if self.points is None else hand_roi(self.points)
        before, self.points = self.points, None
        if visibility[wrist] < _MIN_VISIBILITY:
            return None
        rough = _hand_of_pose(pose[wrist], pose[little], pose[index])
        if not rough.width > 0:
            return None
        found = self._marker.mark(picture, _HAND_LEEWAY.choose(last, before, self._look_closer(picture, rough)))
        self.points = None if found is None else found.points
        return self.points

    def _look_closer(self, picture: Pixels, rough: Roi) -> Roi:
        self._recrop.run(picture, rough)
        centre, edge = rough.to_picture(self._recrop.output(0).astype(np.float64).reshape(2, 2) / self._recrop.size_px)
        return Roi.around(centre, edge, target=-math.pi / 2).expanded(1.0, shift_y=-0.1)


def _hand_of_pose(wrist: Array, little: Array, index: Array) -> Roi:
    """Return a rough region of a hand.

    Source: MediaPipe, hand_detections_from_pose_to_rects_calculator.cc.
    """
    middle = (2 * index + little) / 3
    side = 2 * math.dist(middle[:2], wrist[:2])
    rough = Roi(float(middle[0]), float(middle[1]), side, side, turn_towards(wrist, middle))
    return rough.expanded(2.7, shift_y=-0.1)


class _FaceFollower:
    """Follows the person's face."""

    def __init__(self, read: Callable[[str], bytes], *, threads: int) -> None:
        find, mark = FACE_FILES
        detector = Network(read(find), find, low=-1.0, has_bars=True, threads=threads)
        self._detector = Detector(detector, strides=_FACE_STRIDES)
        self._landmarks = Network(read(mark), mark, threads=threads)
        self.networks = {"face detector": detector, "face landmarks": self._landmarks}
        self.points: Array | None = None

    def mark(self, picture: Pixels, pose: Array) -> Array | None:
        """Return the face's points (468, 3), or None."""
        before, self.points = self.points, None
        found = self._find(picture, pose)
        if found is None:
            return None
        last = None if before is None else _face_roi(before, *_EYES_OF_FACE).expanded(1.5)
        roi = _FACE_LEEWAY.choose(last, before, found)
        self._landmarks.run(picture, roi)
        # The sigmoid of 0 is one half.
        if self._landmarks.output(1).ravel()[0] < 0:
            return None
        shares = self._landmarks.output(0).astype(np.float64).reshape(-1, 3) / self._landmarks.size_px
        self.points = roi.to_picture(shares)
        return self.points

    def _find(self, picture: Pixels, pose: Array) -> Roi | None:
        rough = _face_roi(pose[_FACE_OF_POSE], *_EYES_OF_POSE).expanded(3.0)
        found = self._detector.find(picture, most=1, view=rough) if rough.width > 0 else []
        return _face_roi(found[0].points, 0, 1).expanded(2.0, shift_y=-0.1) if found else None


def _face_roi(points: Array, left: int, right: int) -> Roi:
    """Return the box over points, turned so that the eyes are level."""
    return Roi.over(points, rotation=turn_towards(points[left], points[right], target=0.0))
