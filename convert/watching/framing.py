"""What a model sees of the pictures of a recording."""

from __future__ import annotations

from dataclasses import dataclass

from edgevid.capture import Orientation
from edgevid.capture.oriented import UPRIGHT
from edgevid.frames.region import WHOLE, Region


@dataclass(frozen=True, kw_only=True)
class Framing:
    """A turn of the pictures and a part of them, as `edgevid run` has them.

    Attributes:
        orientation: The rotation and flip, which come first.
        region: The part of the turned pictures.
    """

    orientation: Orientation = UPRIGHT
    region: Region = WHOLE

    @property
    def is_plain(self) -> bool:
        """Whether pictures stay as they are."""
        return self.orientation.is_upright and self.region.is_whole


PLAIN = Framing()
