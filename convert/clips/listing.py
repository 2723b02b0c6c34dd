"""The clips that a folder or list names, before any is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from convert.clips.clip import ClipRef


@dataclass(frozen=True)
class Listing:
    """The clips of a folder or list.

    Attributes:
        refs: The clips.
        passed_over: Path and reason of each file that is no clip.
        notes: Assumptions, one line each.
    """

    refs: tuple[ClipRef, ...]
    passed_over: tuple[tuple[Path, str], ...] = ()
    notes: tuple[str, ...] = ()
