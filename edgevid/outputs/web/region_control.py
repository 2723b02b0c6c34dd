"""The region of a run on the live page: viewers see it, and change it where a file keeps it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

from edgevid.errors import EdgevidError, UsageError
from edgevid.frames.cropping import Cropper
from edgevid.frames.region import Region
from edgevid.outputs.web.region_file import RegionFile

_DIGITS = 5


class FollowedPlace(Protocol):
    """Where a person is followed."""

    @property
    def place(self) -> tuple[float, float, float, float] | None:
        """(left, top, width, height) in shares of the region; None for all of it."""
        ...


class RegionControl:
    """The region that the models of a run see, for the page. All methods run in one thread.

    Args:
        cropper: Cuts the region out of the frames, in another thread.
        file: Keeps what viewers choose; None if they may only look.
        follower: Follows a person in the region, in the other thread too; None if nobody is followed.
    """

    def __init__(
        self, cropper: Cropper, file: RegionFile | None = None, *, follower: FollowedPlace | None = None
    ) -> None:
        self._cropper, self._file, self._follower = cropper, file, follower

    def shown(self) -> dict[str, Any]:
        """Return what the page draws.

        Returns:
            `box` and `masks` in shares of the picture, None and empty for the whole one; `file`, the
            name of the file, None if viewers may only look; `size`, the picture's width and height,
            None before the first frame; `person`, what is seen of a person who is followed, None for nobody.
        """
        region, size_px = self._cropper.region, self._cropper.size_px
        return {
            "box": None if region.box is None else _in_shares(region.box, size_px),
            "masks": [shares for mask in region.masks if (shares := _in_shares(mask, size_px)) is not None],
            "file": None if self._file is None else self._file.path.name,
            "size": size_px,
            "person": self._person(region, size_px),
        }

    def _person(self, region: Region, size_px: tuple[int, int] | None) -> list[float] | None:
        """Return the square around the person in shares of the picture."""
        place = None if self._follower is None else self._follower.place
        if place is None:
            return None
        if region.box is None or size_px is None:
            return [round(each, _DIGITS) for each in place]
        left, top, right, bottom = region.place(size_px)
        x, y, width, height = place
        in_px = (left + x * (right - left), top + y * (bottom - top), width * (right - left), height * (bottom - top))
        return [round(each / size_px[index % 2], _DIGITS) for index, each in enumerate(in_px)]

    def change(self, message: str | bytes) -> str:
        """Apply a rectangle that a viewer chose: write it to the file, then use it from the next frame on.

        Args:
            message: JSON with `region`, four shares of the picture, or null for the whole one. The
                masks stay.

        Returns:
            The problem in a sentence; empty if it was taken.
        """
        try:
            if self._file is None:
                raise UsageError(
                    expected="a run that keeps its region in a file", found="none", hint="Start it with --region-file."
                )
            size_px = self._cropper.size_px
            if size_px is None:
                # Nobody can tell whether it fits, and one that does not would end every start.
                raise UsageError(expected="a picture before a region is saved", found="none so far")
            region = Region(box=_box(message), masks=self._cropper.region.masks)
            region.place(size_px)
            region.visible(size_px)
            self._file.write(region)
        except EdgevidError as error:
            return str(error)
        except OSError as error:
            return f"Expected to write the region, got {error.strerror or error}."
        # Last: what is seen is what the next start will see.
        self._cropper.region = region
        return ""


def _box(message: str | bytes) -> tuple[float, ...] | None:
    try:
        box = json.loads(message)["region"]
        # Floats: shares, also of the whole picture.
        return None if box is None else tuple(float(each) for each in box)
    # A socket may send anything.
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(expected="a region of four numbers", found="something else") from error


def _in_shares(values: Sequence[float], size_px: tuple[int, int] | None) -> list[float] | None:
    if any(isinstance(each, float) for each in values):
        return list(values)
    if size_px is None:
        return None
    return [round(each / size_px[index % 2], _DIGITS) for index, each in enumerate(values)]
