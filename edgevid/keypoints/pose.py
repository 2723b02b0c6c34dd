"""The pose of one person: 33 points of the body.

Source: MediaPipe 0.10.18, mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb in its wheel, at
the model complexity 1 that its Python solution has by default.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgevid.frames import Array, Pixels
from edgevid.keypoints.body import POSE_POINTS, Body
from edgevid.keypoints.detector import Detector
from edgevid.keypoints.network import Network
from edgevid.keypoints.roi import Roi
from edgevid.keypoints.smoothing import LowPass, OneEuro

FILES = ("pose_detection.tflite", "pose_landmark_full.tflite")
_STRIDES = (8, 16, 32, 32, 32)
_EXPANSION = 1.25
_MIN_PRESENCE = 0.5
# Two more points that the network finds: the centre and the edge of a circle around the person.
_CIRCLE = slice(33, 35)
_KERNEL = 9
_MIN_CONFIDENCE = 0.5


def person_detector(read: Callable[[str], bytes], *, threads: int = 1) -> Detector:
    """Return the detector of persons. Their points are a circle's centre, at the hips, and its edge.

    Args:
        read: Returns the file of a network by its name.
        threads: Interpreter threads.

    Raises:
        AssetError: The file is missing or altered.
        BackendError: The interpreter rejects it.
        MissingDependency: OpenCV is not installed.
    """
    network = Network(read(FILES[0]), FILES[0], low=-1.0, has_bars=True, threads=threads)
    return Detector(network, strides=_STRIDES)


class PoseTracker:
    """Follows one person from picture to picture. The detector runs only when nobody is followed.

    Args:
        read: Returns the file of a network by its name.
        threads: Interpreter threads.
        is_smooth: Whether to smooth the points over time.

    Attributes:
        networks: The networks by what they do, for the times of each.
    """

    def __init__(self, read: Callable[[str], bytes], *, threads: int = 1, is_smooth: bool = True) -> None:
        mark = FILES[1]
        self._detector = person_detector(read, threads=threads)
        self._landmarks = Network(read(mark), mark, threads=threads)
        self.networks = {"pose detector": self._detector.network, "pose landmarks": self._landmarks}
        self._is_smooth = is_smooth
        self._visibility = LowPass(0.1)
        self._points = OneEuro(min_cutoff=0.05, beta=80.0)
        self._circle = OneEuro(min_cutoff=0.01, beta=10.0)
        self._roi: Roi | None = None

    def process(self, picture: Pixels) -> Body:
        """Find the person in the next picture.

        Args:
            picture: (H, W, 3) uint8, RGB.
        """
        roi = self._roi or self._detect(picture)
        if roi is None or not (roi.width > 0 and np.isfinite(roi.width)):
            self.reset()
            return Body()
        self._landmarks.run(picture, roi)
        if self._landmarks.output(1)[0] < _MIN_PRESENCE:
            self.reset()
            return Body()
        return self._follow(roi)

    def reset(self) -> None:
        """Forget the person: the detector runs on the next picture."""
        self._roi = None
        for each in (self._visibility, self._points, self._circle):
            each.reset()

    def _detect(self, picture: Pixels) -> Roi | None:
        found = self._detector.find(picture, most=1)
        # Its points are the centre of the hips and the edge of a circle around the whole body.
        return Roi.around(found[0].points[0], found[0].points[1]).expanded(_EXPANSION) if found else None

    def _follow(self, roi: Roi) -> Body:
        """Read the landmarks of a region, smooth them, and derive the region of the next picture."""
        numbers = self._landmarks.output(0).astype(np.float64).reshape(-1, 5)
        shares = numbers[:, :3] / self._landmarks.size_px
        shares = refine(shares, self._landmarks.output(3))
        points = roi.to_picture(shares)
        visibility = 1.0 / (1.0 + np.exp(-numbers[:POSE_POINTS, 3]))
        centre, edge = points[_CIRCLE]
        scale = Roi.around(centre, edge).width
        circle = self._circle.apply(points[_CIRCLE], scale=scale)
        self._roi = Roi.around(circle[0], circle[1]).expanded(_EXPANSION)
        if not self._is_smooth:
            return Body(points[:POSE_POINTS], visibility)
        return Body(self._points.apply(points[:POSE_POINTS], scale=scale), self._visibility.apply(visibility))


def refine(points: Array, heat: Array) -> Array:
    """Move each point to the centre of the heat around it, where the heat map is sure.

    Args:
        points: (N, 3), in shares of the crop.
        heat: (H, W, N) float32, before the sigmoid.

    Returns:
        A new array; z is unchanged.

    Source: MediaPipe, refine_landmarks_from_heatmap_calculator.cc.
    """
    height, width, count = heat.shape
    columns, rows = np.trunc(points[:, 0] * width), np.trunc(points[:, 1] * height)
    around = np.arange(_KERNEL) - _KERNEL // 2
    x, y = columns[:, None, None] + around, rows[:, None, None] + around[:, None]
    x, y = np.broadcast_arrays(x, y)
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    places = np.arange(count)[:, None, None]
    values = heat[np.clip(y, 0, height - 1).astype(int), np.clip(x, 0, width - 1).astype(int), places]
    heats = np.where(is_inside, 1.0 / (1.0 + np.exp(-values.astype(np.float64))), 0.0)
    total = heats.sum(axis=(1, 2))
    is_sure = (heats.max(axis=(1, 2)) >= _MIN_CONFIDENCE) & (columns >= 0) & (columns < width)
    is_sure &= rows >= 0
    divisor = np.where(is_sure, total, 1.0)
    moved = points.copy()
    moved[:, 0] = np.where(is_sure, (heats * x).sum(axis=(1, 2)) / divisor / width, points[:, 0])
    moved[:, 1] = np.where(is_sure, (heats * y).sum(axis=(1, 2)) / divisor / height, points[:, 1])
    return moved
