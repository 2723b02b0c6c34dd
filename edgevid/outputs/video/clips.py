"""A video of each event, from a little before it to a little after it, with its description beside it.

Pictures wait in the ring before anyone knows that an event will come. A clip that is being made is a place in that ring and a file: the
clips' own thread writes what is new to each, and stops where the event, and the time after it, are over. A disk that is slow makes it fall
behind, and the ring then passes over its place: pictures are missing, and counted; nothing else waits.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, time
from typing import Any, BinaryIO

from edgevid.errors import OutputError
from edgevid.events.decide import Decision, Event
from edgevid.outputs.delivery.backlog import Backlog, EventMessage, Key, event_key
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.watched import RestartingOutput
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.payload import EventFormatter
from edgevid.outputs.video.avi import AviWriter
from edgevid.outputs.video.clip_folder import ClipFolder, ClipPaths
from edgevid.outputs.video.jpeg_ring import JpegRing, Picture
from edgevid.outputs.video.pictures import Pictures

BEFORE_S, AFTER_S, LONGEST_S = 3.0, 3.0, 60.0
_STEP_S = 0.1
_NS_PER_S = 1e9


@dataclass(slots=True)
class _Clip:
    """One that is being made."""

    event: Event
    number: int
    from_ns: int
    until_ns: int
    slot: ClipPaths | None = None
    file: BinaryIO | None = None
    writer: AviWriter | None = None
    size_px: tuple[int, int] = (0, 0)
    times_s: list[float] = field(default_factory=list)
    missing: int = 0
    ended: bool = False
    over: bool = False
    ended_at_s: float = 0.0


class ClipRecorder(RestartingOutput):
    """A member of the outputs that writes clips.

    Args:
        shelf: Where to.
        pictures: Makes them; looked at for the whole run.
        teller: Puts events into words.
        slugs: Model to what stands for it in file names.
        before_s: Shown before the event.
        after_s: Shown after it.
        longest_s: A clip is cut here.
        live: Whether files are named by date.
    """

    name = "clips"

    def __init__(
        self,
        shelf: ClipFolder,
        pictures: Pictures,
        *,
        teller: EventFormatter,
        slugs: Mapping[str, str],
        before_s: float = BEFORE_S,
        after_s: float = AFTER_S,
        longest_s: float = LONGEST_S,
        live: bool = True,
    ) -> None:
        self._shelf, self._pictures, self._ring = shelf, pictures, pictures.ring
        self._teller, self._slugs, self._live = teller, dict(slugs), live
        self._before_ns, self._after_ns, self._longest_ns = (
            round(each * _NS_PER_S) for each in (before_s, after_s, longest_s)
        )
        self._backlog = Backlog()
        self._clips: dict[Key, _Clip] = {}
        self._over = False
        self._counts: Counter[str] = Counter(clip=0)
        self._lost: Counter[str] = Counter(disk=0, no_pictures=0, missing_pictures=0)
        super().__init__(self._work)

    def start(self) -> None:
        """Begin."""
        self._pictures.add_viewer()
        super().start()

    def decided(self, decision: Decision) -> None:
        """Nothing: clips are of events.

        Args:
            decision: Ignored.
        """

    def started(self, event: Event) -> None:
        """Begin a clip.

        Args:
            event: It.
        """
        self._backlog.put(EventMessage(event, ended=False))

    def ended(self, event: Event) -> None:
        """Let the event's clip end a little later.

        Args:
            event: It.
        """
        self._backlog.put(EventMessage(event, ended=True))

    def finish(self, deadline_ns: int) -> None:
        """End the clips that are being made with what there is.

        Args:
            deadline_ns: On the monotonic clock.
        """
        self._over = True
        self._backlog.finish()
        super().finish(deadline_ns)

    def join(self, deadline_ns: int) -> int:
        """Wait until they are written.

        Args:
            deadline_ns: On the monotonic clock.

        Returns:
            Starts and ends that were not looked at.
        """
        super().join(deadline_ns)
        return self._backlog.events

    def report(self) -> Report:
        """Say how it is doing.

        Returns:
            Clips written, and what was lost.
        """
        dropped = {**self._lost, "full_event": self._backlog.dropped_events}
        return self._report(
            waiting=len(self._backlog),
            delivered={**self._counts, "removed_for_room": self._shelf.removed},
            dropped=dropped,
        )

    def _work(self, run: WorkerRun) -> None:
        """Run in the thread."""
        for clip in list(self._clips.values()):  # of a thread before this one
            self._drop(clip, "disk")
        while not run.replaced:
            run.idle()
            message = self._backlog.take(_STEP_S)
            run.heartbeat()
            while isinstance(message, EventMessage):
                self._hear(message)
                message = self._backlog.take(0)
            for clip in list(self._clips.values()):
                self._write_new(clip)
                self._finish_if_over(clip)
            if self._over and not self._clips and not len(self._backlog):
                return

    def _hear(self, message: EventMessage) -> None:
        event = message.event
        if message.ended:
            if (clip := self._clips.get(event_key(event))) is not None:
                clip.event, clip.ended, clip.ended_at_s = event, True, monotonic()
                clip.until_ns = min(clip.until_ns, round(event.end_s * _NS_PER_S) + self._after_ns)
            return
        from_ns = round(event.start_s * _NS_PER_S) - self._before_ns
        self._clips[event_key(event)] = _Clip(event, self._ring.number_at(from_ns), from_ns, from_ns + self._longest_ns)

    def _write_new(self, clip: _Clip) -> None:
        """Write the pictures that came since the last time; where the disk does not take them, the clip is lost and that is said."""
        try:
            while (picture := self._ring.get(clip.number)) is not None:
                if not clip.from_ns <= picture.timestamp_ns <= clip.until_ns:
                    clip.over = True
                    return
                clip.missing += picture.number - clip.number
                clip.number = picture.number + 1
                self._write(clip, picture)
        except OSError as error:
            self._worker.failed(
                str(error)
                if isinstance(error, OutputError)
                else f"Expected room for a clip, got: {error}. It was dropped."
            )
            self._drop(clip, "disk")

    def _write(self, clip: _Clip, picture: Picture) -> None:
        size_px = (picture.width_px, picture.height_px)
        if clip.writer is None:
            self._open(clip, size_px, len(picture.jpeg))
        assert clip.writer is not None
        if size_px == clip.size_px:
            clip.writer.add(picture.jpeg, picture.timestamp_ns)
            clip.times_s.append(round(picture.timestamp_ns / _NS_PER_S, 3))

    def _open(self, clip: _Clip, size_px: tuple[int, int], picture_bytes: int) -> None:
        """Begin the file with the first picture, when their size is known."""
        pictures = (self._longest_ns / _NS_PER_S) * self._pictures.fps
        self._shelf.make_room(round(pictures * picture_bytes))
        clip.slot = self._shelf.slot(
            f"{self._stamp(clip.event)}_{self._slugs[clip.event.model]}_{_slug(clip.event.label)}"
        )
        clip.file = clip.slot.video_part.open("wb")
        clip.writer = AviWriter(clip.file, width_px=size_px[0], height_px=size_px[1])
        clip.size_px = size_px

    def _finish_if_over(self, clip: _Clip) -> None:
        """Finish a clip whose time is over, or for which no picture comes any more."""
        waited = clip.ended and monotonic() - clip.ended_at_s > self._after_ns / _NS_PER_S + 1
        if event_key(clip.event) in self._clips and (clip.over or waited or self._over):
            try:
                self._keep(clip)
            except OSError as error:
                self._worker.failed(f"Expected room for a clip, got: {error}. It was dropped.")
                self._drop(clip, "disk")

    def _keep(self, clip: _Clip) -> None:
        if clip.writer is None or clip.file is None or clip.slot is None:
            self._drop(clip, "no_pictures")
            return
        clip.writer.finish()
        clip.file.close()
        clip.slot.text_part.write_text(json.dumps(self._description(clip), indent=1, ensure_ascii=False) + "\n")
        self._shelf.keep(clip.slot)
        del self._clips[event_key(clip.event)]
        self._counts["clip"] += 1
        self._lost["missing_pictures"] += clip.missing
        self._worker.works()

    def _drop(self, clip: _Clip, cause: str) -> None:
        if clip.file is not None:
            with contextlib.suppress(OSError):  # what is buffered cannot be written either
                clip.file.close()
        if clip.slot is not None:
            self._shelf.discard(clip.slot)
        self._clips.pop(event_key(clip.event), None)
        self._lost[cause] += 1

    def _description(self, clip: _Clip) -> dict[str, Any]:
        assert clip.slot is not None
        assert clip.writer is not None
        width_px, height_px = clip.size_px
        video = {
            "file": clip.slot.video.name,
            "frames": clip.writer.frames,
            "fps": round(1e6 / clip.writer.period_us, 3),
            "width": width_px,
        }
        return {
            **self._teller.event(clip.event, "end" if clip.ended else "start"),
            "video": {**video, "height": height_px, "missing_frames": clip.missing, "times_s": clip.times_s},
        }

    def _stamp(self, event: Event) -> str:
        if not self._live:
            return f"t{event.start_s:010.3f}"
        began = datetime.fromtimestamp(time() - (monotonic() - event.start_s), UTC)
        return f"{began:%Y%m%dT%H%M%S}.{began.microsecond // 1000:03d}Z"


def ring_for(*, before_s: float = BEFORE_S, fps: float, picture_bytes: int = 48_000) -> JpegRing:
    """Set aside memory for the pictures before an event.

    Args:
        before_s: Shown before the event.
        fps: Of the pictures.
        picture_bytes: Of a large one.

    Returns:
        A ring that holds them and those of the time in which an event is not yet sure to be one.
    """
    pictures = max(16, round((before_s + 5) * fps))
    return JpegRing(room_bytes=pictures * picture_bytes, pictures=pictures)


def _slug(label: str) -> str:
    from edgevid.outputs.payload import slugs

    return slugs((label,))[label]
