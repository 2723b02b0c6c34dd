"""A CSV file of clips that are kept elsewhere: `path,label[,start_s,end_s][,group][,split]`.

A line with times names a segment of a recording. The lines of one recording must not overlap, and
each must lie within it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from convert.clips.clip import TEST, TRAIN, VAL, ClipRef, Segment
from convert.clips.layouts.class_folders import notes_on_rate
from convert.clips.layouts.list_file import ListFile
from convert.clips.layouts.segments import check_overlaps, cut_background
from convert.clips.listing import Listing
from convert.clips.reading import ASSUMED_PICTURES_PER_S, Reading
from edgevid.capture.video.containers import natural_key
from edgevid.frames.preprocess import Kind

REQUIRED = ("path", "label")
COLUMNS = (*REQUIRED, "start_s", "end_s", "group", "split")
SPLITS = (TRAIN, VAL, TEST)
EXPECTED = "a CSV file with the columns path and label"


def list_table(path: Path, kind: Kind, reading: Reading, group: Callable[[Path], str]) -> Listing:
    """List the clips of a CSV file.

    Args:
        path: The file. Its paths are relative to `reading.videos`, or else to its folder.
        kind: Kind of the clips.
        reading: Where the clips lie, and what becomes of the rest of recordings with segments.
        group: From a clip's path to its group, for lines that state none.

    Returns:
        Clips sorted by path and time, then those of the background.

    Raises:
        ClipsError: A line is wrong, contradicts another one, or lies beyond its recording.
    """
    table = ListFile(path, EXPECTED)
    # Rows of features have no pictures to count.
    fps = None if kind == "features" else reading.fps or ASSUMED_PICTURES_PER_S
    refs = _read(table, reading.videos or path.parent, fps, group)
    check_overlaps(refs, table.path)
    _check_splits(refs, table)
    rest = cut_background(refs, table.path, kind, reading)
    refs = sorted(refs, key=lambda ref: (natural_key(ref.path), ref.segment.start_s if ref.segment else 0.0))
    notes = (*notes_on_rate(tuple(refs), reading), *rest.notes)
    return Listing((*refs, *rest.refs), (), notes)


def _read(table: ListFile, folder: Path, fps: float | None, group: Callable[[Path], str]) -> list[ClipRef]:
    refs = []
    for number, row in table.records(required=REQUIRED, columns=COLUMNS):
        if not row["path"]:
            raise table.wrong(number, expected=f"a path in each row of {table.path}", found="none")
        clip = folder / row["path"]
        refs.append(
            ClipRef(
                clip,
                row["label"] or None,
                row.get("group") or group(clip),
                segment=_segment(table, number, row),
                split=_split(table, number, row.get("split", "")),
                origin=table.origin(number),
                fps=fps if clip.is_dir() else None,
            )
        )
    if not refs:
        raise table.nothing()
    return refs


def _segment(table: ListFile, line: int, row: dict[str, str]) -> Segment | None:
    if ("start_s" in row) != ("end_s" in row):
        raise table.wrong(1, expected="both columns start_s and end_s", found="one of them")
    texts = row.get("start_s", ""), row.get("end_s", "")
    if texts == ("", ""):
        return None
    try:
        start_s, end_s = map(float, texts)
    except ValueError:
        expected = "start_s and end_s in seconds, or neither"
        raise table.wrong(line, expected=expected, found=f"{texts[0]!r} and {texts[1]!r}") from None
    if not (0 <= start_s < end_s and math.isfinite(end_s)):
        raise table.wrong(line, expected="0 <= start_s < end_s", found=f"{start_s:g} and {end_s:g}")
    return Segment(start_s, end_s)


def _split(table: ListFile, line: int, text: str) -> str:
    if text and text not in SPLITS:
        raise table.wrong(line, expected=f"a split, one of {', '.join(SPLITS)}", found=repr(text))
    return text


def _check_splits(refs: list[ClipRef], table: ListFile) -> None:
    """Reject a group that is partly held out: training would have seen those people."""
    first: dict[str, ClipRef] = {}
    for ref in refs:
        if not ref.group or not ref.split:
            continue
        other = first.setdefault(ref.group, ref)
        if other.is_held_out != ref.is_held_out:
            line = int(ref.origin.split()[1])
            found = f"{ref.group!r} in {ref.split}, and in {other.split} in {other.origin.partition(' of')[0]},"
            raise table.wrong(line, expected="each group in training or held out", found=found)
