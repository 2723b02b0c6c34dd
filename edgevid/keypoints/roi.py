"""Rotated regions of a picture: where to crop, and where the points of a crop lie in the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from edgevid.frames import Array

UP = math.pi / 2


@dataclass(frozen=True, slots=True)
class Roi:
    """A rotated rectangle in pixels of the picture; it may reach beyond the picture.

    Attributes:
        x: Column of the centre.
        y: Row of the centre.
        width: Width before the rotation.
        height: Height before the rotation.
        rotation: Rotation in radians, clockwise.
    """

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0

    @classmethod
    def around(cls, centre: Array, edge: Array, *, target: float = UP) -> Self:
        """Return the square around a circle, turned so that the edge lies in a fixed direction.

        Args:
            centre: (x, y) of the circle's centre in pixels.
            edge: (x, y) of a point on the circle.
            target: Direction of the edge in the crop, in radians, counter-clockwise from the right.

        Source: MediaPipe, alignment_points_to_rects_calculator.cc.
        """
        side = 2.0 * math.dist(centre[:2], edge[:2])
        return cls(float(centre[0]), float(centre[1]), side, side, turn_towards(centre, edge, target=target))

    @classmethod
    def over(cls, points: Array, *, rotation: float = 0.0) -> Self:
        """Return the upright box over points, with a rotation for the crop.

        Args:
            points: (N, 2) or (N, 3) in pixels.
            rotation: Rotation in radians, clockwise, around the box's centre.

        Source: MediaPipe, detections_to_rects_calculator.cc.
        """
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        (x, y), (width, height) = (low + high) / 2, high - low
        return cls(float(x), float(y), float(width), float(height), rotation)

    def expanded(self, scale: float, *, shift_y: float = 0.0) -> Self:
        """Return the square over the longer side, moved along its own height and then enlarged.

        Args:
            scale: Factor of the side.
            shift_y: Share of the height, downwards before the rotation.

        Source: MediaPipe, rect_transformation_calculator.cc with `square_long`.
        """
        moved = self.height * shift_y
        side = max(self.width, self.height) * scale
        return type(self)(
            self.x - moved * math.sin(self.rotation),
            self.y + moved * math.cos(self.rotation),
            side,
            side,
            self.rotation,
        )

    def to_picture(self, points: Array) -> Array:
        """Return where points of the crop lie in the picture.

        Args:
            points: (N, 2) or (N, 3), in shares of the crop's sides; z is in shares of its width.

        Returns:
            A new array of the same shape in pixels.

        Source: MediaPipe, landmark_projection_calculator.cc.
        """
        x, y = (points[:, 0] - 0.5) * self.width, (points[:, 1] - 0.5) * self.height
        cos, sin = math.cos(self.rotation), math.sin(self.rotation)
        placed = np.empty_like(points)
        placed[:, 0] = self.x + x * cos - y * sin
        placed[:, 1] = self.y + x * sin + y * cos
        placed[:, 2:] = points[:, 2:] * self.width
        return placed

    def along(self, points: Array) -> Array:
        """Return points in the axes of this region, relative to its centre.

        Args:
            points: (N, 2) or (N, 3) in pixels of the picture.

        Returns:
            (N, 2) in pixels.
        """
        x, y = points[:, 0] - self.x, points[:, 1] - self.y
        cos, sin = math.cos(self.rotation), math.sin(self.rotation)
        return np.stack([x * cos + y * sin, y * cos - x * sin], axis=1)

    def matrix(self, size_px: int) -> Array:
        """Return the transformation from the picture to a square crop.

        Args:
            size_px: Side of the crop.

        Returns:
            (3, 3) float64 for points (x, y, 1) in pixels.
        """
        cos, sin = math.cos(self.rotation), math.sin(self.rotation)
        across, down = size_px / self.width, size_px / self.height
        return np.array(
            [
                [cos * across, sin * across, 0.5 * size_px - across * (cos * self.x + sin * self.y)],
                [-sin * down, cos * down, 0.5 * size_px - down * (-sin * self.x + cos * self.y)],
                [0.0, 0.0, 1.0],
            ]
        )


def whole(shape: tuple[int, ...]) -> Roi:
    """Return the upright square around a whole picture, which a detector sees with bars.

    Args:
        shape: (H, W, C) of the picture.
    """
    side = float(max(shape[:2]))
    return Roi(shape[1] / 2, shape[0] / 2, side, side)


def turn_towards(start: Array, end: Array, *, target: float = UP) -> float:
    """Return the rotation after which the line between two points has a direction.

    Args:
        start: (x, y) in pixels.
        end: (x, y) in pixels.
        target: The direction in radians, counter-clockwise from the right.

    Returns:
        Radians, clockwise, from -pi to below pi.

    Source: MediaPipe, `ComputeRotation` in detections_to_rects_calculator.cc.
    """
    angle = target - math.atan2(-(float(end[1]) - float(start[1])), float(end[0]) - float(start[0]))
    return angle - 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))
