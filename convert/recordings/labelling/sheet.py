"""The table of events that a page writes, after each change, as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from convert.recordings.marks import Mark, check_marks
from convert.recordings.streams import StreamFolder
from convert.recordings.truth import Recording, TrueEvent, check_durations, read_unfinished, write_truth
from edgevid.errors import TruthError

_ORIGIN = "the page"


class Sheet:
    """A table of events that grows. Recordings that the page does not show keep their rows.

    Args:
        path: The CSV file; it may exist already.
        streams: The folder of the recordings.
        labels: Classes to offer, before those of the file.

    Attributes:
        path: See above.
        labels: The classes, without repetitions.

    Raises:
        TruthError: The existing file is wrong.
    """

    def __init__(self, path: Path, streams: StreamFolder, *, labels: Iterable[str]) -> None:
        self.path, self._streams = path, streams
        self._content = _content(path)
        recordings = read_unfinished(path, folder=streams.root) if self._content is not None else ()
        self._recordings = {recording.path: recording for recording in recordings}
        used = [event.label for recording in recordings for event in recording.events]
        self.labels = tuple(dict.fromkeys((*labels, *used)))
        for label in self.labels:
            _check_label(label)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """What the file states."""
        return tuple(self._recordings.values())

    def find(self, video: Path) -> Recording | None:
        """Return what the file states about a video, or None if it does not name it."""
        return self._recordings.get(video)

    def put(self, recording: Recording, *, is_stated: bool, length_s: float) -> None:
        """Write what a recording shows.

        Args:
            recording: The recording.
            is_stated: Whether the file names a recording without events: nothing happens in it.
                Otherwise it is not labelled yet.
            length_s: Length of the video.

        Raises:
            TruthError: The events are impossible or overlap, or another program changed the file.
            OSError: The file cannot be written.
        """
        _check(recording, length_s)
        changed = dict(self._recordings)
        changed.pop(recording.path, None)
        if recording.events or is_stated:
            events = tuple(sorted(recording.events, key=lambda event: event.start_s))
            changed[recording.path] = replace(recording, events=events)
        if _content(self.path) != self._content:
            hint = "Save your copy under another name, and start edgevid label again."
            raise TruthError(expected=f"{self.path} as it was written here", found="another content", hint=hint)
        order = {video: index for index, video in enumerate(self._streams.videos)}
        ordered = sorted(changed.values(), key=lambda each: order.get(each.path, len(order)))
        write_truth(self.path, ordered, folder=self._streams.root)
        self._recordings, self._content = changed, _content(self.path)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _check(recording: Recording, length_s: float) -> None:
    check_marks(_marks(recording.path, recording.events), recording.path)
    check_durations(recording, duration_s=length_s)
    for text in (recording.group, recording.condition):
        TruthError.unless(text == text.strip() and (not text or text.isprintable()), expected="a word", got=text)


def _marks(video: Path, events: Sequence[TrueEvent]) -> list[Mark]:
    for event in events:
        _check_label(event.label)
    return [
        Mark(video=video, label=event.label, start_s=event.start_s, end_s=event.end_s, origin=_ORIGIN)
        for event in events
    ]


def _check_label(label: str) -> None:
    is_plain = bool(label) and label == label.strip() and label.isprintable()
    TruthError.unless(is_plain, expected="a label of visible characters", got=label)
