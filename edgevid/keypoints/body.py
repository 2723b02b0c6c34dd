"""What the key points of a picture are, before they become a row of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edgevid.frames import Array, Pixels
from edgevid.keypoints.network import Network

POSE_POINTS, HAND_POINTS, FACE_POINTS = 33, 21, 468


@dataclass(frozen=True, slots=True)
class Body:
    """The points of one person: x, y and z in pixels of the picture, float64. None for what is not seen.

    Attributes:
        pose: (33, 3). z is 0 at the hips and negative before them.
        visibility: (33,), 0 to 1.
        left: (21, 3): the left hand. z is 0 at the wrist.
        right: (21, 3): the right hand.
        face: (468, 3).
    """

    pose: Array | None = None
    visibility: Array | None = None
    left: Array | None = None
    right: Array | None = None
    face: Array | None = None


class Tracker(Protocol):
    """Follows a person or hands from picture to picture."""

    @property
    def networks(self) -> Mapping[str, Network]:
        """The networks by what they do, for the times of each."""
        ...

    def process(self, picture: Pixels) -> Body:
        """Find the points in the next picture.

        Args:
            picture: (H, W, 3) uint8, RGB.
        """
        ...

    def reset(self) -> None:
        """Forget the person: the detector runs on the next picture."""
        ...
