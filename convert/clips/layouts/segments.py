"""Segments of recordings: their checks, and background clips from what they leave."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from convert.clips.clip import ClipRef, Segment
from convert.clips.listing import Listing
from convert.clips.reading import Reading
from convert.clips.sources import ROUNDING_S, length_s
from edgevid.errors import ClipsError, SourceError
from edgevid.frames.preprocess import Kind

# A background clip is this many windows long, so that windows at random places in it differ.
PIECE_WINDOWS = 2
# Background clips for each segment, and at the least. An hour leaves a thousand pieces: training
# would learn nothing else.
_MOST_PER_SEGMENT, _MOST_AT_LEAST = 3, 20


@dataclass(frozen=True)
class _Gap:
    """A part of a recording without a segment, and the nearest clip before or after it."""

    nearest: ClipRef
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


def check_overlaps(refs: Sequence[ClipRef], table: Path) -> None:
    """Reject clips of one file that share frames.

    Args:
        refs: Clips with their origin.
        table: The file that lists them.

    Raises:
        ClipsError: Two clips share frames. The message names both lines.
    """
    for clips in _by_file(refs).values():
        for before, after in pairwise(clips):
            if before.segment is None or after.segment is None or after.segment.start_s < before.segment.end_s:
                parts = " and ".join(f"{_part(clip)} in {clip.origin}" for clip in (before, after))
                raise ClipsError(
                    expected="clips that do not overlap", found=f"{parts}, both of {after.path}", path=table
                )


def cut_background(refs: Sequence[ClipRef], table: Path, kind: Kind, reading: Reading) -> Listing:
    """Cut background clips from the parts of recordings that no segment covers.

    Args:
        refs: Clips that do not overlap.
        table: The file that lists them.
        kind: Kind of the clips. Rows of features have no length in seconds, and no background.
        reading: Names the class of the background, or none, and the length of a window.

    Returns:
        The background clips, and notes with their number, or with the seconds that are not used.

    Raises:
        ClipsError: A segment ends after its recording.
    """
    segments = [ref for ref in refs if ref.segment is not None]
    if kind != "frames" or not segments:
        return Listing(())
    gaps = [gap for clips in _by_file(segments).values() for gap in _gaps(clips, table)]
    total_s, recordings = sum(gap.length_s for gap in gaps), len({gap.nearest.path for gap in gaps})
    if reading.background is None:
        unused = f"{total_s:.1f} s of {recordings} recordings are in no segment and not used"
        return Listing((), (), (f"{unused}: 'edgevid train --background LABEL' makes clips of them",) if gaps else ())
    pieces = [(gap.nearest, piece) for gap in gaps for piece in _pieces(gap, reading.window_s)]
    most = max(_MOST_PER_SEGMENT * len(segments), _MOST_AT_LEAST)
    chosen = np.unique(np.linspace(0, len(pieces) - 1, min(len(pieces), most)).astype(int)).tolist()
    clips = tuple(
        ClipRef(near.path, reading.background, near.group, piece, near.split, f"the rest of {near.path.name}", near.fps)
        for near, piece in (pieces[index] for index in chosen)
    )
    note = (
        f"{len(clips)} of {len(pieces)} pieces of up to {PIECE_WINDOWS * reading.window_s:g} s that no segment covers "
        f"are clips of {reading.background!r}; {total_s:.1f} s of {recordings} recordings are in no segment"
    )
    return Listing(clips, (), (note,))


def _by_file(refs: Sequence[ClipRef]) -> dict[str, list[ClipRef]]:
    """Return the clips of each file in the order of their times."""
    files: defaultdict[str, list[ClipRef]] = defaultdict(list)
    for ref in refs:
        files[os.path.normpath(ref.path.absolute())].append(ref)
    return {
        name: sorted(clips, key=lambda clip: clip.segment.start_s if clip.segment else 0.0)
        for name, clips in files.items()
    }


def _part(ref: ClipRef) -> str:
    return "the whole file" if ref.segment is None else str(ref.segment)


def _gaps(clips: Sequence[ClipRef], table: Path) -> list[_Gap]:
    try:
        end_s = length_s(clips[0])
    except (SourceError, OSError):
        # Decoding names the file among those that cannot be read.
        return []
    gaps, covered_s = [], 0.0
    for clip in clips:
        assert clip.segment is not None
        if clip.segment.end_s > end_s + ROUNDING_S:
            expected = f"a segment within the {end_s:.3f} s of {clip.path}"
            raise ClipsError(expected=expected, found=f"{clip.segment} in {clip.origin}", path=table)
        gaps.append(_Gap(clip, covered_s, clip.segment.start_s))
        covered_s = clip.segment.end_s
    gaps.append(_Gap(clips[-1], covered_s, end_s))
    return [gap for gap in gaps if gap.length_s > ROUNDING_S]


def _pieces(gap: _Gap, window_s: float) -> list[Segment]:
    """Cut a gap into pieces of `PIECE_WINDOWS` windows; the last one has at least one window."""
    piece_s = PIECE_WINDOWS * window_s
    starts = np.arange(gap.start_s, gap.end_s - window_s + 1e-6, piece_s).tolist()
    return [Segment(round(start, 3), round(min(start + piece_s, gap.end_s), 3)) for start in starts]
