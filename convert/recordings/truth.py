"""The truth of long recordings: which events they show, and when."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from convert.clips.sources import ROUNDING_S
from convert.recordings.events_table import read_table, seconds_text, table_text
from convert.recordings.importers.options import DEFAULT, ImportOptions
from convert.recordings.importing import read_marks
from convert.recordings.marks import Mark, check_marks
from convert.recordings.streams import StreamFolder
from edgevid import atomic
from edgevid.capture.video.containers import natural_key
from edgevid.errors import TruthError, UsageError


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """An event that a recording shows; an `edgevid.events.timeline.Interval`.

    Attributes:
        label: The class.
        start_s: Start in seconds of the video.
        end_s: End in seconds of the video.
    """

    label: str
    start_s: float
    end_s: float

    def __str__(self) -> str:
        """Return the event for people, as in "'wave' 1.5-3 s"."""
        return f"{self.label!r} {self.start_s:g}-{self.end_s:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A long video with its truth.

    Attributes:
        path: The video, with the folder joined.
        events: What it shows, ordered by start; no two overlap.
        group: What must stay together when recordings are split, such as the person; "" for none.
        condition: A circumstance to report on its own, such as "night"; "" for none.
    """

    path: Path
    events: tuple[TrueEvent, ...]
    group: str = ""
    condition: str = ""

    @property
    def truth(self) -> tuple[TrueEvent, ...]:
        """The same as `events`, by the name that a recording with answers has for it."""
        return self.events


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth of the recordings of a folder.

    Attributes:
        recordings: Sorted by path, numbers in it by their value.
        notes: What was left out, one line each.
    """

    recordings: tuple[Recording, ...]
    notes: tuple[str, ...] = ()


def read_truth(path: Path, *, folder: Path) -> tuple[Recording, ...]:
    """Read the truth of the recordings in a folder.

    Args:
        path: A table of events, or a file of another tool; see `docs/reference/truth.md`.
        folder: The recordings, at any depth. The truth names each video in it.

    Returns:
        At least one recording, sorted by path, numbers in it by their value.

    Raises:
        UsageError: The file does not exist, or leaves a choice that `import_truth` takes.
        TruthError: The file cannot be read, contradicts itself, or does not match the folder.
    """
    return import_truth(path, folder=folder).recordings


def import_truth(path: Path, *, folder: Path, options: ImportOptions = DEFAULT) -> Truth:
    """Read the truth of the recordings in a folder, with choices that other tools leave open.

    Args:
        path: As for `read_truth`.
        folder: As for `read_truth`.
        options: The choices.

    Raises:
        UsageError: The file does not exist, or a choice is missing or names nothing in it.
        TruthError: As for `read_truth`.
    """
    if not path.exists():
        raise UsageError(expected="a file of events", found=f"none at {path}", path=path)
    streams = StreamFolder(folder)
    read = read_marks(path, streams, options)
    _check_choices(read.marks, options, path)
    recordings = _recordings(read.marks, options, path)
    named = [recording.path for recording in recordings]
    if options.rest_is_empty:
        rest = tuple(Recording(path=video, events=()) for video in streams.unnamed(named))
        recordings = tuple(sorted((*recordings, *rest), key=lambda each: natural_key(each.path)))
    else:
        streams.check_named(named, path)
    TruthError.unless(bool(recordings), expected="recordings", found=f"none in {path}")
    return Truth(recordings, tuple(read.notes))


def read_unfinished(path: Path, *, folder: Path) -> tuple[Recording, ...]:
    """Read a table of events that need not name each video yet.

    Args:
        path: A table of events, possibly without rows.
        folder: As for `read_truth`.

    Raises:
        TruthError: As for `read_truth`.
    """
    return _recordings(read_table(path, StreamFolder(folder), may_be_empty=True), DEFAULT, path)


def write_truth(path: Path, recordings: Iterable[Recording], *, folder: Path) -> None:
    """Write a table of events; an existing file is replaced as a whole.

    Args:
        path: The CSV file.
        recordings: What to write, one row for each event.
        folder: The recordings' folder, which the rows' paths are relative to.

    Raises:
        UsageError: The name does not end in .csv, or its folder does not exist.
        TruthError: A name or a label has spaces around it, which readers remove.
    """
    atomic.check_folder(path, suffix=".csv")
    streams = StreamFolder(folder)
    rows = [row for recording in recordings for row in _rows(recording, streams)]
    for row in rows:
        for cell in row.values():
            if cell != cell.strip():
                hint = "Rename it."
                raise TruthError(expected="a name without spaces around it", got=cell, hint=hint, path=path)
    atomic.write(path, [table_text(rows).encode()])


def check_labels(recordings: Iterable[Recording], labels: Sequence[str], *, background: Sequence[str]) -> None:
    """Reject truth with a class that the model does not know.

    Args:
        recordings: The truth.
        labels: Classes of the model.
        background: Classes that mean that nothing happens; the truth may name them too.

    Raises:
        TruthError: An event has another label.
    """
    known = (*labels, *(label for label in background if label not in labels))
    for recording in recordings:
        for event in recording.events:
            if event.label not in known:
                close = difflib.get_close_matches(event.label, known, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else "Rename the label, or delete its events."
                raise TruthError(
                    expected="labels of the model",
                    choices=known,
                    found=f"{event} of {recording.path}",
                    hint=hint,
                    path=recording.path,
                )


def check_durations(recording: Recording, *, duration_s: float) -> None:
    """Reject truth that goes on after the end of its video.

    Args:
        recording: The truth of the video.
        duration_s: Time of the end of the video's last frame. People round times: 0.1 s more is
            accepted.

    Raises:
        TruthError: An event ends later.
    """
    for event in recording.events:
        if event.end_s > duration_s + ROUNDING_S:
            raise TruthError(
                expected=f"events within the {duration_s:.3f} s of {recording.path}",
                found=str(event),
                hint="Correct the times, or name the video that they belong to.",
                path=recording.path,
            )


def _check_choices(marks: Sequence[Mark], options: ImportOptions, source: Path) -> None:
    """Reject labels to rename or omit that no mark has."""
    labels = sorted({mark.label for mark in marks if mark.label})
    for label in (*options.rename, *options.omit):
        UsageError.unless(label in labels, expected=f"a label of {source.name}", choices=labels, got=label)


def _recordings(marks: Iterable[Mark], options: ImportOptions, source: Path) -> tuple[Recording, ...]:
    """Join the marks of each video."""
    videos: defaultdict[Path, list[Mark]] = defaultdict(list)
    for mark in marks:
        videos[mark.video].append(mark)
    return tuple(_recording(videos[video], options, source) for video in sorted(videos, key=natural_key))


def _recording(marks: Sequence[Mark], options: ImportOptions, source: Path) -> Recording:
    """Return one recording; it remains, without events, where all of them are omitted."""
    kept = [
        replace(mark, label=options.rename.get(mark.label, mark.label))
        for mark in marks
        if mark.label not in options.omit
    ]
    check_marks(kept, source)
    ordered = sorted((mark for mark in kept if mark.label), key=lambda mark: mark.times)
    events = tuple(TrueEvent(mark.label, mark.start_s, mark.end_s) for mark in ordered)
    first = marks[0]
    return Recording(path=first.video, events=events, group=first.group, condition=first.condition)


def _rows(recording: Recording, streams: StreamFolder) -> list[dict[str, str]]:
    shared = {
        "path": streams.name_of(recording.path),
        "group": recording.group,
        "condition": recording.condition,
    }
    events = [
        {"label": event.label, "start_s": seconds_text(event.start_s), "end_s": seconds_text(event.end_s)}
        for event in recording.events
    ]
    return [{**shared, **event} for event in events or [dict[str, str]()]]
