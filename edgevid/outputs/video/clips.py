"""A video of each event, from a little before it to a little after it, with a JSON description.

The ring holds the pictures of the last seconds before anyone knows that an event will come. An open
clip is a position in that ring and a file. The recorder's thread appends new pictures to each open
clip, and finishes a clip when its event and the time after it are over. If the disk is slow, the
ring overtakes the position: pictures are missing and counted, and nothing else waits.
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

from edgevid import atomic
from edgevid.errors import OutputError
from edgevid.events.decide import Event
from edgevid.outputs.delivery.backlog import Backlog, EventMessage, Key, event_key
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.threaded import ThreadedOutput
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.payload import EventFormatter, slugs
from edgevid.outputs.video.avi import AviWriter
from edgevid.outputs.video.clip_folder import ClipFolder, ClipPaths
from edgevid.outputs.video.jpeg_ring import JpegRing, Picture
from edgevid.outputs.video.pictures import Pictures
from edgevid.units import NS_PER_S

BEFORE_S, AFTER_S, LONGEST_S = 3.0, 3.0, 60.0
_STEP_S = 0.1
# The ring also has to hold the start of an event until it is reported, after `min_duration_s`.
_REPORT_S = 5
_LEAST_PICTURES = 16


@dataclass(slots=True)
class _Clip:
    """A clip in progress.

    Attributes:
        event: Newest report of the event.
        number: Number of the next picture to write.
        from_ns, until_ns: Sensor times of the first and last picture.
        slot: File names; None until the first picture.
        file: Open file of the video.
        writer: Writer of the video.
        size_px: (width, height) of the video.
        times_s: Sensor time of each picture written.
        missing: Pictures that left the ring before they were written.
        is_complete: Whether a picture after `until_ns` was seen.
        ended_at_s: Monotonic time at which the end of the event was reported.
    """

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
    is_complete: bool = False
    ended_at_s: float = 0.0


class ClipRecorder(ThreadedOutput):
    """An output that records a clip of each event.

    Args:
        folder: Receives the clips.
        pictures: Source of the pictures, viewed during the whole run.
        formatter: Formats events.
        slugs: Model to its form in file names.
        before_s: Time shown before the event.
        after_s: Time shown after it.
        longest_s: Longest clip; a longer event is cut.
        live: Whether sensor times have dates, which then name the files.
    """

    name = "clips"

    def __init__(
        self,
        folder: ClipFolder,
        pictures: Pictures,
        *,
        formatter: EventFormatter,
        slugs: Mapping[str, str],
        before_s: float = BEFORE_S,
        after_s: float = AFTER_S,
        longest_s: float = LONGEST_S,
        live: bool = True,
    ) -> None:
        self._folder, self._pictures, self._ring = folder, pictures, pictures.ring
        self._formatter, self._slugs, self._live = formatter, dict(slugs), live
        self._before_ns, self._after_ns, self._longest_ns = (
            round(each * NS_PER_S) for each in (before_s, after_s, longest_s)
        )
        self._backlog = Backlog()
        self._clips: dict[Key, _Clip] = {}
        self._finishing = False
        self._counts: Counter[str] = Counter(clip=0)
        self._lost: Counter[str] = Counter(disk=0, no_pictures=0, missing_pictures=0)
        super().__init__(self._work)

    def start(self) -> None:
        """Start the thread, and the pictures with it."""
        self._pictures.add_viewer()
        super().start()

    def started(self, event: Event) -> None:
        """Start a clip."""
        self._backlog.put(EventMessage(event))

    def ended(self, event: Event) -> None:
        """Let the event's clip end `after_s` later."""
        self._backlog.put(EventMessage(event))

    def finish(self, deadline_ns: int) -> None:
        """Finish all open clips with the pictures there are. Does not block.

        Args:
            deadline_ns: Ignored.
        """
        self._finishing = True
        self._backlog.finish()
        super().finish(deadline_ns)

    def join(self, deadline_ns: int) -> int:
        """Wait until all clips are written.

        Args:
            deadline_ns: Latest return, on the monotonic clock.

        Returns:
            The number of starts and ends that were not processed.
        """
        super().join(deadline_ns)
        return self._backlog.events

    def report(self) -> Report:
        """Return the numbers of clips written and lost, and the current problem."""
        return self._report(
            waiting=len(self._backlog),
            delivered={**self._counts, "removed_for_room": self._folder.removed},
            dropped={**self._lost, "full_event": self._backlog.dropped_events},
        )

    def _work(self, run: WorkerRun) -> None:
        """Process events and write pictures, in the thread."""
        # Drop what a run before this one left: it may hang in a write to the same file.
        for clip in list(self._clips.values()):
            self._drop(clip, "disk")
        while not run.replaced:
            run.idle()
            message = self._backlog.take(_STEP_S)
            run.heartbeat()
            while isinstance(message, EventMessage):
                self._process(message.event)
                message = self._backlog.take(0)
            for clip in list(self._clips.values()):
                self._write_new(clip)
                self._finish_if_due(clip)
            if self._finishing and not self._clips and not len(self._backlog):
                return

    def _process(self, event: Event) -> None:
        """Open a clip at the start of an event; set its last picture at the end."""
        if event.ended:
            if (clip := self._clips.get(event_key(event))) is not None:
                clip.event, clip.ended_at_s = event, monotonic()
                clip.until_ns = min(clip.until_ns, round(event.end_s * NS_PER_S) + self._after_ns)
            return
        from_ns = round(event.start_s * NS_PER_S) - self._before_ns
        number = self._ring.number_at(from_ns)
        self._clips[event_key(event)] = _Clip(event, number, from_ns, from_ns + self._longest_ns)

    def _write_new(self, clip: _Clip) -> None:
        """Write the pictures since the last call; drop the clip if the disk rejects them."""
        try:
            while (picture := self._ring.get(clip.number)) is not None:
                # A picture before `from_ns` means that time was set back: it ends the clip too.
                if not clip.from_ns <= picture.timestamp_ns <= clip.until_ns:
                    clip.is_complete = True
                    return
                clip.missing += picture.number - clip.number
                clip.number = picture.number + 1
                self._write(clip, picture)
        except OSError as error:
            problem = error if isinstance(error, OutputError) else _no_room(error)
            self._worker.note_problem(str(problem))
            self._drop(clip, "disk")

    def _write(self, clip: _Clip, picture: Picture) -> None:
        size_px = (picture.width_px, picture.height_px)
        if clip.writer is None:
            self._open(clip, size_px, len(picture.jpeg))
        assert clip.writer is not None
        # A video has one size. Pictures of another, after a camera was reopened, are left out.
        if size_px == clip.size_px:
            clip.writer.add(picture.jpeg, picture.timestamp_ns)
            clip.times_s.append(round(picture.timestamp_ns / NS_PER_S, 3))

    def _open(self, clip: _Clip, size_px: tuple[int, int], picture_bytes: int) -> None:
        """Create the file with the first picture, which tells the size of the others."""
        pictures = (self._longest_ns / NS_PER_S) * self._pictures.fps
        self._folder.make_room(round(pictures * picture_bytes))
        event = clip.event
        label = slugs((event.label,))[event.label]
        clip.slot = self._folder.slot(f"{self._stamp(event)}_{self._slugs[event.model]}_{label}")
        for part in (clip.slot.video_part, clip.slot.text_part):
            atomic.create_private(part)
        clip.file = clip.slot.video_part.open("wb")
        clip.writer = AviWriter(clip.file, width_px=size_px[0], height_px=size_px[1])
        clip.size_px = size_px

    def _finish_if_due(self, clip: _Clip) -> None:
        """Finish a clip that is complete, or for which no more pictures come."""
        # A source that stopped delivers no picture after `until_ns` that would complete the clip.
        after_s = self._after_ns / NS_PER_S
        is_late = clip.event.ended and monotonic() - clip.ended_at_s > after_s + 1
        is_open = event_key(clip.event) in self._clips
        if is_open and (clip.is_complete or is_late or self._finishing):
            try:
                self._keep(clip)
            except OSError as error:
                self._worker.note_problem(str(_no_room(error)))
                self._drop(clip, "disk")

    def _keep(self, clip: _Clip) -> None:
        """Finish the files of a clip; drop one without any picture."""
        if clip.writer is None or clip.file is None or clip.slot is None:
            self._drop(clip, "no_pictures")
            return
        clip.writer.finish()
        clip.file.close()
        clip.slot.text_part.write_text(json.dumps(self._description(clip), indent=1, ensure_ascii=False) + "\n")
        self._folder.keep(clip.slot)
        del self._clips[event_key(clip.event)]
        self._counts["clip"] += 1
        self._lost["missing_pictures"] += clip.missing
        self._worker.note_success()

    def _drop(self, clip: _Clip, cause: str) -> None:
        if clip.file is not None:
            with contextlib.suppress(OSError):  # close() flushes its buffer to the full disk
                clip.file.close()
        if clip.slot is not None:
            self._folder.discard(clip.slot)
        self._clips.pop(event_key(clip.event), None)
        self._lost[cause] += 1

    def _description(self, clip: _Clip) -> dict[str, Any]:
        assert clip.slot is not None
        assert clip.writer is not None
        width_px, height_px = clip.size_px
        return {
            **self._formatter.event(clip.event),
            "video": {
                "file": clip.slot.video.name,
                "frames": clip.writer.frames,
                "fps": round(1e6 / clip.writer.period_us, 3),
                "width": width_px,
                "height": height_px,
                "missing_frames": clip.missing,
                "times_s": clip.times_s,
            },
        }

    def _stamp(self, event: Event) -> str:
        """Return the time at the start of a file's name; see `clip_folder._NAME`."""
        if not self._live:
            return f"t{event.start_s:010.3f}"
        start = datetime.fromtimestamp(time() - (monotonic() - event.start_s), UTC)
        return f"{start:%Y%m%dT%H%M%S}.{start.microsecond // 1000:03d}Z"


def ring_for(*, before_s: float = BEFORE_S, delay_s: float = 0.0, fps: float, picture_bytes: int = 48_000) -> JpegRing:
    """Return a ring that is large enough for the pictures before an event.

    Args:
        before_s: Time shown before the event.
        delay_s: How much later than an action its event may be noticed.
        fps: Rate of the pictures.
        picture_bytes: Size of a large picture.
    """
    pictures = max(_LEAST_PICTURES, round((before_s + delay_s + _REPORT_S) * fps))
    return JpegRing(room_bytes=pictures * picture_bytes, pictures=pictures)


def _no_room(error: OSError) -> OutputError:
    return OutputError(expected="room for a clip", found=str(error), hint="Free some space; the clip was dropped.")
