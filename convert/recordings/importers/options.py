"""How truth from other tools is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgevid.errors import TruthError, UsageError


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Choices that a file of another tool leaves open.

    Attributes:
        tiers: ELAN: the tiers whose annotations are events; () for the only one that has any.
        attribute: CVAT: the attribute whose values are the labels; "" for the labels of tracks and
            tags.
        point_s: Length of the event that a mark without a length stands for; None rejects such
            marks.
        omit: Labels whose events are left out.
        rename: From a label of the file to the label to use.
        rest_is_empty: Whether nothing happens in the videos that the file does not name. Otherwise
            such a video is rejected.

    Raises:
        UsageError: `point_s` is not a length.
    """

    tiers: tuple[str, ...] = ()
    attribute: str = ""
    point_s: float | None = None
    omit: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    rest_is_empty: bool = False

    def __post_init__(self) -> None:
        UsageError.unless(
            self.point_s is None or (math.isfinite(self.point_s) and self.point_s > 0),
            expected="a length of points above 0 s",
            got=self.point_s,
        )

    def end_of_point(self, start_s: float, origin: str) -> float:
        """Return the end of an event that is marked by one moment.

        Args:
            start_s: The moment.
            origin: Place in the file, for the error.

        Raises:
            TruthError: No length of points is chosen.
        """
        if self.point_s is None:
            raise TruthError(
                expected="events with a length",
                found=f"a point at {start_s:g} s in {origin}",
                hint="Choose the length of all points, such as: edgevid truth --point 0.5.",
            )
        return round(start_s + self.point_s, 6)


DEFAULT = ImportOptions()
