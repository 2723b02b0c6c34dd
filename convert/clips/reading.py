"""Options that say how the clips of a folder or list are read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from convert.clips.clip import TEST, VAL, ClipRef
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, UsageError
from edgevid.units import NS_PER_S

# As for videos whose container states no rate.
ASSUMED_PICTURES_PER_S = 25.0


Rows = Literal["held-out", "train", "val", "test", "all"]
ROWS: tuple[Rows, ...] = get_args(Rows)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the clips of a folder or list are read.

    Attributes:
        videos: Folder that the paths of a list are relative to; None for the folder of the list.
        fps: Pictures per second in folders of pictures; None assumes the rate of the data set, or
            25.
        background: Class of the clips that are cut from the parts of a recording which no segment
            covers; None cuts none.
        window_s: Length of the model's window. Background clips are twice as long.
        rows: Clips to keep, of a list that states splits: "all", "held-out" (those of test and
            val), or those of one split.
        framing: What is seen of their pictures.

    Raises:
        UsageError: `fps` is not a rate, `rows` is not legal, or `videos` is no folder.
    """

    videos: Path | None = None
    fps: float | None = None
    background: str | None = None
    window_s: float = 1.6
    rows: Rows = "all"
    framing: Framing = PLAIN

    def __post_init__(self) -> None:
        UsageError.unless(
            self.fps is None or (math.isfinite(self.fps) and 0 < self.fps <= NS_PER_S),
            expected="--fps above 0",
            got=self.fps,
        )
        UsageError.unless(self.rows in ROWS, expected="a split", choices=ROWS, got=self.rows)
        if self.videos is not None and not self.videos.is_dir():
            raise UsageError(expected="a folder of videos", found=f"none at {self.videos}", path=self.videos)

    def for_model(self, background: Sequence[str], window: Window) -> Reading:
        """Return the reading for a trained model, whose background is cut as in its training.

        Args:
            background: Classes of the model that are never an event; the first one is used.
            window: The model's window.
        """
        label = self.background or next(iter(background), None)
        return replace(self, background=label, window_s=window.frames * window.interval_s)

    def keep(self, refs: tuple[ClipRef, ...], root: Path) -> tuple[tuple[ClipRef, ...], tuple[str, ...]]:
        """Return the clips of the wanted split, and a note with the number of the others.

        Args:
            refs: Clips of a folder or list.
            root: The folder or list.

        Raises:
            ClipsError: There is none.
        """
        if self.rows == "all" or (self.rows == "held-out" and not any(ref.split for ref in refs)):
            return refs, ()
        splits = {"held-out": (VAL, TEST)}.get(self.rows, (self.rows,))
        kept = tuple(ref for ref in refs if ref.split in splits)
        wanted = " and ".join(splits)
        if not kept:
            found = f"none among the {len(refs)} clips of {root}"
            raise ClipsError(expected=f"clips of the split {wanted}", found=found, path=root)
        rest = len(refs) - len(kept)
        return kept, (f"{len(kept)} clips of {wanted} are used, and {rest} others are not",) if rest else ()


DEFAULT = Reading()
