"""Small pictures of what went wrong in recordings, read from the videos again."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.stream_evaluation.page_strips import Watched, file_of
from edgevid.capture.video.containers import INDEXED_SUFFIXES
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError
from edgevid.outputs.timeline.strip import Mark
from edgevid.outputs.timeline.thumbnails import Thumbnailer
from edgevid.units import NS_PER_S

# Three pictures of about 4 kB each.
MOST_SHOWN, LEAST_SHOWN = 40, 6
# So many seconds are decoded sooner than the file is opened again.
_NEAR_S = 10.0


@dataclass(frozen=True)
class Shown:
    """An event whose frames are shown.

    Attributes:
        recording: Its recording.
        mark: The event, or a true one that was missed.
    """

    recording: Watched
    mark: Mark


def worst(recordings: Sequence[Watched]) -> list[Shown]:
    """Return what went wrong, false alarms and misses in turn, the highest scores and the longest first.

    Returns:
        At most `MOST_SHOWN`. If there are fewer than `LEAST_SHOWN`, right events with low scores follow.
    """
    false = _ranked(recordings, "false", by_score=True)
    missed = _ranked(recordings, "missed")
    in_turn = [each for pair in itertools.zip_longest(false, missed) for each in pair if each is not None]
    right = _ranked(recordings, "hit", by_score=True)[::-1]
    return [*in_turn, *right[: max(0, LEAST_SHOWN - len(in_turn))]][:MOST_SHOWN]


def _ranked(recordings: Sequence[Watched], kind: str, *, by_score: bool = False) -> list[Shown]:
    found = []
    for each in recordings:
        scores = {(event.label, event.start_s): event.score for event in each.answered.events}
        found += [
            (scores[mark.label, mark.start_s] if by_score else mark.end_s - mark.start_s, Shown(each, mark))
            for mark in (*each.truth, *each.events)
            if mark.kind == kind
        ]
    return [shown for _, shown in sorted(found, key=lambda pair: -pair[0])]


def pictures_of(shown: Sequence[Shown], folder: Path) -> list[list[bytes]]:
    """Return three frames of each event as JPEGs: at its start, middle and end.

    Args:
        shown: The events.
        folder: Folder of the recordings.

    Returns:
        For each event; none for feature rows, and for a video that can no longer be read.
    """
    by_file: dict[Path, list[int]] = defaultdict(list)
    for index, each in enumerate(shown):
        by_file[file_of(each.recording, folder)].append(index)
    pictures: list[list[bytes]] = [[] for _ in shown]
    for path, indices in by_file.items():
        times_s = sorted({time_s for index in indices for time_s in _moments_s(shown[index].mark)})
        at = {} if path.suffix.lower() == ".npy" else _frames_at(path, times_s)
        for index in indices:
            pictures[index] = [at[time_s] for time_s in _moments_s(shown[index].mark) if time_s in at]
    return pictures


def _moments_s(mark: Mark) -> tuple[float, float, float]:
    return mark.start_s, (mark.start_s + mark.end_s) / 2, mark.end_s


def _frames_at(path: Path, times_s: Sequence[float]) -> dict[float, bytes]:
    """Return the frame at or after each time; of a container without an index in one pass."""
    groups: list[list[float]] = []
    for time_s in times_s:
        if groups and (time_s - groups[-1][-1] <= _NEAR_S or path.suffix.lower() not in INDEXED_SUFFIXES):
            groups[-1].append(time_s)
        else:
            groups.append([time_s])
    found: dict[float, bytes] = {}
    thumbnailer = Thumbnailer()
    for group in groups:
        try:
            found |= _read(path, group, thumbnailer)
        except SourceError:
            # It was there when it was evaluated; its numbers are still worth a page.
            continue
    return found


def _read(path: Path, times_s: Sequence[float], thumbnailer: Thumbnailer) -> dict[float, bytes]:
    found: dict[float, bytes] = {}
    left = list(times_s)
    with VideoFile(path) as video:
        video.seek(left[0])
        for frame in video.frames():
            while left and frame.timestamp_ns >= round(left[0] * NS_PER_S):
                found[left.pop(0)] = thumbnailer.jpeg(frame.data, frame.color)
            if not left:
                break
    return found
