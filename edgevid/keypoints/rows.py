"""From points in pixels to rows of numbers, in the layouts and normalisations of public models."""

from __future__ import annotations

import numpy as np

from edgevid.frames import Array
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.keypoints.body import FACE_POINTS, HAND_POINTS, POSE_POINTS, Body

_HIPS, _SHOULDERS = [23, 24], [11, 12]
_WRIST = 0
# Below it a size is no size: points of a hand edge-on may lie on each other.
_SMALLEST_PX = 1e-6


def has_face(length: int) -> bool:
    """Return whether rows of a length hold the points of a face."""
    return length in (1662, 1629)


def is_one_hand(length: int) -> bool:
    """Return whether rows of a length hold the points of a single hand."""
    return length in (63, 42)


class RowMaker:
    """Writes the points of a picture as a row. Points that are not seen are zeros.

    Args:
        wanted: The key points and their normalisation. "none" gives shares of the picture's width and
            height, with z in shares of the width. "hip" gives sizes of the torso, from the centre of
            the hips; "box" shares of the longer side of the box around the seen points, from its
            corner; "wrist" for each hand shares of its farthest point, from its wrist.
        length: Numbers in a row, one of `edgevid.frames.keypoint_rows.LAYOUTS`.

    Raises:
        ContractError: There is no such layout.
    """

    def __init__(self, wanted: KeypointRows, length: int) -> None:
        wanted.check(length)
        self._kind, self._length, self._normalise = wanted.kind, length, wanted.normalise
        self._axes = 2 if length in (66, 84, 42) else 3
        self._has_visibility = length in (132, 258, 1662)

    def write(self, body: Body, shape: tuple[int, ...], out: Array) -> None:
        """Write a row.

        Args:
            body: The points.
            shape: (H, W, C) of their picture.
            out: (length,) float32; owned by the caller.
        """
        groups = self._groups(body)
        origin, size = self._frame(groups, shape)
        place = 0
        for points, count, visibility in groups:
            width = self._axes + (visibility is not None)
            block = out[place : place + count * width].reshape(count, width)
            block[...] = 0
            if points is not None:
                start, unit = _hand_frame(points) if self._normalise == "wrist" else (origin, size)
                block[:, : self._axes] = ((points - start) / unit)[:, : self._axes]
                if visibility is not None:
                    block[:, self._axes] = visibility
            place += count * width

    def _groups(self, body: Body) -> list[tuple[Array | None, int, Array | None]]:
        """Return the groups of points in the order of the row: points, their number, visibility."""
        groups: list[tuple[Array | None, int, Array | None]] = []
        if self._kind != "hands":
            unseen = np.zeros(POSE_POINTS) if body.visibility is None else body.visibility
            groups.append((body.pose, POSE_POINTS, unseen if self._has_visibility else None))
        if is_one_hand(self._length):
            one = body.left if body.left is not None else body.right
            return [(one, HAND_POINTS, None)]
        if has_face(self._length):
            groups.append((body.face, FACE_POINTS, None))
        if self._kind != "pose":
            groups += [(body.left, HAND_POINTS, None), (body.right, HAND_POINTS, None)]
        return groups

    def _frame(
        self, groups: list[tuple[Array | None, int, Array | None]], shape: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """Return the origin and the unit of each axis, both (3,) in pixels."""
        height, width = shape[:2]
        seen = [points for points, _, _ in groups if points is not None]
        if self._normalise == "box" and seen:
            points = np.concatenate(seen)
            low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
            return np.array([*low, 0.0]), np.full(3, max(float((high - low).max()), _SMALLEST_PX))
        if self._normalise == "hip" and groups[0][0] is not None:
            pose = groups[0][0]
            hips = pose[_HIPS].mean(axis=0)
            torso = float(np.linalg.norm((pose[_SHOULDERS].mean(axis=0) - hips)[:2]))
            return hips, np.full(3, max(torso, _SMALLEST_PX))
        return np.zeros(3), np.array([width, height, width], np.float64)


def _hand_frame(points: Array) -> tuple[Array, Array]:
    """Return a hand's wrist and the distance of its farthest point from it."""
    wrist = points[_WRIST]
    reach = float(np.linalg.norm((points - wrist)[:, :2], axis=1).max())
    return wrist, np.full(3, max(reach, _SMALLEST_PX))
