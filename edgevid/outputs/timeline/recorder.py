"""An output that writes what was seen when, at the end of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edgevid.atomic import check_folder, replacing
from edgevid.errors import UsageError
from edgevid.events.decide import Decision, Event
from edgevid.frames import Frame
from edgevid.outputs.output import QuietOutput
from edgevid.outputs.timeline.page import SeenRun, TimelineModel, page_html
from edgevid.outputs.timeline.sketch import ScoreSketch
from edgevid.outputs.timeline.suffixes import PAGE, check_suffix
from edgevid.outputs.timeline.tables import csv_text, srt_text, vtt_text
from edgevid.outputs.timeline.thumbnails import ThumbnailRing
from edgevid.units import NS_PER_S

# Three pictures each, 4 kB a picture: a page of about 3 MB.
MOST_PICTURED = 200
_log = logging.getLogger(__name__)


class TimelineRecorder(QuietOutput):
    """Keeps events, scores and small pictures of a run, and writes its files when it closes.

    Scores and pictures take a bounded room, however long the run is.

    Args:
        paths: Files to write, each of one of `SUFFIXES`; existing ones are replaced.
        source: The source, a path or another name.
        models: The models of the run.
        has_pictures: Whether frames are pictures.

    Raises:
        UsageError: A folder does not exist, a path occurs twice, or it is the source itself.
        MissingDependency: A page needs OpenCV for its pictures.

    Attributes:
        problem: Why a file was not written; None if all were.
    """

    def __init__(
        self, paths: Sequence[Path], *, source: str, models: Sequence[TimelineModel], has_pictures: bool
    ) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        for path in self._paths:
            check_suffix(path)
            check_folder(path, suffix=path.suffix)
            UsageError.unless(not path.is_dir(), expected="a file for --timeline", got=path, found="a folder")
            UsageError.unless(
                path.resolve() != Path(source).resolve(), expected="--timeline and --source of two files", got=path
            )
        self._source, self._models = source, tuple(models)
        self._sketches = {model.name: ScoreSketch(model.labels) for model in models}
        has_page = any(path.suffix == PAGE for path in self._paths)
        self._ring = ThumbnailRing() if has_page and has_pictures else None
        self._first_ns: int | None = None
        self._last_ns = 0
        self._events: list[Event] = []
        self._start_pictures: dict[str, bytes | None] = {}
        self._pictures: dict[int, list[bytes]] = {}
        self.problem: str | None = None

    def saw(self, frame: Frame) -> None:
        """Note the time of a frame, and keep a small picture of it now and then."""
        if self._first_ns is None:
            self._first_ns = frame.timestamp_ns
        self._last_ns = frame.timestamp_ns
        if self._ring is not None:
            self._ring.saw(frame)

    def decided(self, decision: Decision) -> None:
        """Keep the scores."""
        self._sketches[decision.model].add(decision.t_s, decision.probabilities)

    def started(self, event: Event) -> None:
        """Keep the picture of a start: a long event would outlast the ring."""
        if self._ring is not None:
            self._start_pictures[event.model] = self._ring.nearest(event.start_s)

    def ended(self, event: Event) -> None:
        """Keep an event, and pictures of its middle and end."""
        self._events.append(event)
        if self._ring is None:
            return
        moments_s = ((event.start_s + event.end_s) / 2, event.end_s)
        pictures = [self._start_pictures.pop(event.model, None), *map(self._ring.nearest, moments_s)]
        self._pictures[len(self._events) - 1] = [picture for picture in pictures if picture is not None]
        if len(self._pictures) > MOST_PICTURED:
            del self._pictures[min(self._pictures, key=lambda index: self._events[index].score)]

    def close(self) -> None:
        """Write the files; none of them if no frame came."""
        if self._first_ns is None:
            return
        run = self._seen()
        for path in self._paths:
            try:
                with replacing(path) as written:
                    written.write_text(self._text(path, run), encoding="utf-8")
                    # As clips: it may show people.
                    written.chmod(0o640 if path.suffix == PAGE else 0o644)
            except (OSError, UsageError) as error:
                # A full disk, or a folder that is gone. The other outputs still have to be closed.
                self.problem = f"{path} was not written: {error}"
                _log.error("%s", self.problem)

    def _seen(self) -> SeenRun:
        assert self._first_ns is not None
        # By start: those of several models ended in another order.
        order = sorted(range(len(self._events)), key=lambda index: self._events[index].start_s)
        return SeenRun(
            source=self._source,
            first_s=self._first_ns / NS_PER_S,
            last_s=self._last_ns / NS_PER_S,
            models=self._models,
            sketches=self._sketches,
            events=[self._events[index] for index in order],
            pictures={place: self._pictures[index] for place, index in enumerate(order) if index in self._pictures},
        )

    def _text(self, path: Path, run: SeenRun) -> str:
        several = len(self._models) > 1
        texts: Mapping[str, Callable[[], str]] = {
            ".html": lambda: page_html(run, path),
            ".csv": lambda: csv_text(run.events, path=Path(self._source).name),
            ".srt": lambda: srt_text(run.events, several=several),
            ".vtt": lambda: vtt_text(run.events, several=several),
        }
        return texts[path.suffix]()
