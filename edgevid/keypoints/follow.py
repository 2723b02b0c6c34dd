"""Whether a region of the last picture still fits, or the one that was found anew has to be taken.

Source: MediaPipe, roi_tracking_calculator.cc.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgevid.frames import Array
from edgevid.keypoints.roi import Roi


@dataclass(frozen=True, slots=True)
class Leeway:
    """How far the region of the last picture may be from the one that was found anew.

    Attributes:
        rotation_deg: Difference in degrees.
        translation: Distance along each axis, as a share of the new one's side.
        scale: Difference of the sides, as a share of the new one's.
        margin: The last points lie inside of the new one, whose sides grow by this share.
    """

    rotation_deg: float
    translation: float
    scale: float
    margin: float

    def choose(self, last: Roi | None, points: Array | None, found: Roi) -> Roi:
        """Return the region to use.

        Args:
            last: The region after the last picture; None without one.
            points: (N, 3), the points of the last picture; None without any.
            found: The region that was found in this picture.
        """
        if last is None or points is None:
            return found
        return last if self._is_near(last, found) and self._is_inside(points, found) else found

    def _is_near(self, last: Roi, found: Roi) -> bool:
        turn = abs(math.remainder(last.rotation - found.rotation, 2 * math.pi))
        cos, sin = math.cos(found.rotation), math.sin(found.rotation)
        x, y = last.x - found.x, last.y - found.y
        return (
            math.degrees(turn) <= self.rotation_deg
            and abs(x * cos + y * sin) <= found.width * self.translation
            and abs(y * cos - x * sin) <= found.height * self.translation
            and abs(last.width - found.width) <= found.width * self.scale
            and abs(last.height - found.height) <= found.height * self.scale
        )

    def _is_inside(self, points: Array, found: Roi) -> bool:
        along = abs(found.along(points))
        reach = (1 + self.margin) / 2
        return bool((along[:, 0] < found.width * reach).all() and (along[:, 1] < found.height * reach).all())
