"""Frames on their way to people: copied out of the loop rarely, encoded once for everyone in a thread of its own, and only if someone looks.

In the loop a picture costs one copy, or one resize where the frame is larger than `width_px`, at most `fps` times a second of the stream.
While the encoder is still at work on the one before, a picture is left out; the loop never waits for it. The encoder begins when the frame's
answer is given out: a core, or its cache, that it shares with the interpreter is then free.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from edgevid.events.decide import Decision
from edgevid.frames import Frame, Pixels
from edgevid.frames.imaging import Encoder, shrinker
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.watched import RestartingOutput
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.output import QuietOutput
from edgevid.outputs.video.jpeg_ring import JpegRing

FPS, WIDTH_PX, QUALITY = 10.0, 640, 75
_NO_ANSWER_S, _IDLE_S = 0.05, 0.5
_NS_PER_S = 1e9


class Pictures(RestartingOutput, QuietOutput):
    """A tap that makes JPEGs; as a member of the outputs it is watched like them.

    Args:
        ring: Where pictures go.
        fps: Most pictures a second of the stream.
        width_px: Wider frames are made this wide.
        quality: Of the JPEGs, 1 to 100.

    Attributes:
        fps: Most pictures a second.
        wanted: How many look; nothing is copied while it is 0. Guarded by `look` and `look_away`.

    Raises:
        MissingDependency: OpenCV is not installed.
    """

    name = "pictures"

    def __init__(self, ring: JpegRing, *, fps: float = FPS, width_px: int = WIDTH_PX, quality: int = QUALITY) -> None:
        self.ring = ring
        self.wanted = 0
        self.fps = fps
        self._period_ns = round(_NS_PER_S / fps)
        self._width_px = width_px
        self._encoder = Encoder(quality)
        self._shape: tuple[int, ...] = ()
        self._buffer: Pixels = np.empty(0, np.uint8)
        self._copy: Any = None
        self._color = "none"
        self._stamp_ns = self._due_ns = 0
        self._ready, self._free, self._counting = threading.Event(), threading.Event(), threading.Lock()
        self._free.set()
        self._made = self._left_out = self._too_large = 0
        super().__init__(self._work)

    def add_viewer(self) -> None:
        """Say that somebody looks."""
        with self._counting:
            self.wanted += 1

    def look_away(self) -> None:
        """Say that somebody does not look any more."""
        with self._counting:
            self.wanted -= 1

    def wants(self, timestamp_ns: int) -> bool:
        """Say whether a picture of this time is due and somebody looks.

        Args:
            timestamp_ns: A frame's time.

        Returns:
            Whether `saw` would copy it, were the encoder free.
        """
        early_ns = self._due_ns - timestamp_ns  # earlier than a period, and time was set back
        return self.wanted > 0 and not self._period_ns // 8 < early_ns <= self._period_ns

    def saw(self, frame: Frame) -> None:
        """Copy the frame if it is due and somebody looks.

        Args:
            frame: Of any size; rows of features are left alone.

        Cost: nothing while nobody looks; else one copy or resize, `fps` times a second.
        """
        if frame.color == "none" or not self.wants(frame.timestamp_ns):
            return
        if not self._free.is_set():
            self._left_out += 1
            return
        stamp_ns, period_ns = frame.timestamp_ns, self._period_ns
        early_ns = self._due_ns - stamp_ns
        self._due_ns = (self._due_ns if abs(early_ns) <= period_ns else stamp_ns) + period_ns
        if frame.data.shape != self._shape:
            self._make_room(frame.data.shape)
        self._copy(frame.data, self._buffer)
        self._stamp_ns, self._color = stamp_ns, frame.color
        self._free.clear()

    def decided(self, decision: Decision) -> None:
        """Let the encoder begin: the interpreter rests.

        Args:
            decision: Not shown here.
        """
        if not self._free.is_set():
            self._ready.set()

    def finish(self, deadline_ns: int) -> None:
        """Stop encoding.

        Args:
            deadline_ns: Not needed.
        """
        super().finish(deadline_ns)
        self._ready.set()

    def report(self) -> Report:
        """Say how it is doing.

        Returns:
            Pictures made and left out.
        """
        dropped = {"busy": self._left_out, "too_large": self._too_large}
        delivered = {"picture": self._made}
        return self._report(delivered=delivered, dropped=dropped)

    def _make_room(self, shape: tuple[int, ...]) -> None:
        """Set memory aside for frames of this size."""
        height_px, width_px, channels = shape
        if width_px > self._width_px:
            size_px = (self._width_px, max(1, round(height_px * self._width_px / width_px)))
            self._buffer = np.empty((size_px[1], size_px[0], channels), np.uint8)
            self._copy = shrinker(size_px, gray=channels == 1)
        else:
            self._buffer = np.empty(shape, np.uint8)
            self._copy = _copy
        self._shape = shape

    def _work(self, run: WorkerRun) -> None:
        """Run in the thread: encode what is handed over."""
        self._free.set()
        while not run.cancelled.is_set():
            run.idle()
            # A frame that no model takes has no answer; it is not waited for longer than a person notices.
            self._ready.wait(_NO_ANSWER_S if self.wanted else _IDLE_S)
            self._ready.clear()
            if self._free.is_set() or run.cancelled.is_set():
                continue
            run.heartbeat()
            try:
                self._encode()
            finally:
                self._free.set()

    def _encode(self) -> None:
        height_px, width_px = self._buffer.shape[:2]
        if self.ring.add(self._stamp_ns, (width_px, height_px), self._encoder.encode(self._buffer, self._color)):
            self._made += 1
        else:
            self._too_large += 1


def _copy(pixels: Pixels, out: Pixels) -> None:
    np.copyto(out, pixels)
