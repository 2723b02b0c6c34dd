"""The CSV files of Kinetics: `label,youtube_id,time_start,time_end,split`.

A video is named `<id>_<start>_<end>` with six digits each if it was cut, or `<id>`. The second may
be the whole video or the cut one: its length decides.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from convert.clips.clip import TEST, TRAIN, VAL, ClipRef, Segment
from convert.clips.layouts.list_file import ListFile
from convert.clips.layouts.segments import check_overlaps
from convert.clips.layouts.video_folder import VideoFolder, by_path
from convert.clips.listing import Listing
from convert.clips.reading import Reading
from convert.clips.sources import ROUNDING_S, length_s
from edgevid.errors import ClipsError, SourceError

KEY = "youtube_id"
_REQUIRED = (KEY, "time_start", "time_end")
EXPECTED = "a CSV file of Kinetics with the columns label, youtube_id, time_start, time_end and split"
_SPLITS = {"": "", "train": TRAIN, "val": VAL, "validate": VAL, "validation": VAL, "test": TEST}
# Cutting a video at its key frames adds up to a second.
_CUT_S = 1.0


def list_kinetics(path: Path, reading: Reading, group: Callable[[Path], str]) -> Listing:
    """List the clips of a CSV file of Kinetics whose videos are there.

    Args:
        path: The file. Columns that it does not need are ignored.
        reading: States the folder of the videos, in which they lie at any depth.
        group: From a clip's path to its group; where it is "", the video's id.

    Returns:
        The clips; videos that are not there, as many no longer are, are passed over.

    Raises:
        ClipsError: A line is wrong, or no video is there.
    """
    table = ListFile(path, EXPECTED)
    rows = table.rows()
    line, header = next(rows, (1, list[str]()))
    if not set(_REQUIRED) <= set(header):
        raise table.nothing()
    videos, refs, missing = VideoFolder(reading.videos or path.parent), list[ClipRef](), list[tuple[Path, str]]()
    for line, cells in rows:
        if len(cells) != len(header):
            raise table.wrong(line, expected=f"{len(header)} columns", found=str(len(cells)))
        row = dict(zip(header, cells, strict=True))
        side, times = _split(table, line, row), _times(table, line, row)
        found = _locate(videos, row[KEY], times)
        if isinstance(found, tuple):
            missing.append((found[0], f"{found[1]} ({table.origin(line)})"))
            continue
        clip, segment = found.path, found.segment
        refs.append(ClipRef(clip, row.get("label") or None, group(clip) or row[KEY], segment, side, table.origin(line)))
    if not refs:
        found_text = f"none of {len(missing)} in {videos.root}"
        raise ClipsError(
            expected=f"videos of {path.name}", found=found_text, hint="Name their folder with --videos.", path=path
        )
    check_overlaps([ref for ref in refs if ref.segment is None], path)
    return Listing(by_path(refs), tuple(missing))


def _times(table: ListFile, line: int, row: dict[str, str]) -> Segment:
    try:
        start_s, end_s = float(row["time_start"]), float(row["time_end"])
    except ValueError:
        found = f"{row['time_start']!r} and {row['time_end']!r}"
        raise table.wrong(line, expected="time_start and time_end in seconds", found=found) from None
    if not 0 <= start_s < end_s < float("inf"):
        raise table.wrong(line, expected="0 <= time_start < time_end", found=f"{start_s:g} and {end_s:g}")
    return Segment(start_s, end_s)


def _split(table: ListFile, line: int, row: dict[str, str]) -> str:
    text = row.get("split", "")
    if text not in _SPLITS:
        raise table.wrong(line, expected="a split, one of train, val, validate, test", found=repr(text))
    return _SPLITS[text]


def _locate(videos: VideoFolder, name: str, times: Segment) -> ClipRef | tuple[Path, str]:
    """Return the file of a clip with its segment, or where it should be and why it is not used."""
    cut_name = f"{name}_{int(times.start_s):06d}_{int(times.end_s):06d}"
    cut, whole = videos.find_stem(cut_name), videos.find_stem(name)
    if cut is not None:
        return ClipRef(cut)
    if whole is None:
        return videos.root / f"{cut_name}.mp4", "no such video"
    try:
        whole_s = length_s(ClipRef(whole))
    except SourceError as error:
        return whole, str(error)
    if whole_s <= times.end_s - times.start_s + _CUT_S:
        return ClipRef(whole)
    if whole_s + ROUNDING_S >= times.end_s:
        return ClipRef(whole, segment=times)
    return whole, f"{whole_s:.1f} s are neither the whole video nor {times} of it"
