"""Pictures of the stream as JPEGs, encoded once for all viewers and only while there are any.

In the loop a picture costs one copy, or one resize if the frame is wider than `width_px`, at most
`fps` times per second of the stream. A thread encodes it. While the encoder is busy, pictures are
skipped; the loop never waits.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from edgevid.events.decide import Decision
from edgevid.frames import Frame, Pixels
from edgevid.frames.imaging import Encoder, shrinker
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.threaded import ThreadedOutput
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.video.jpeg_ring import JpegRing
from edgevid.units import NS_PER_S

FPS, WIDTH_PX, QUALITY = 10.0, 640, 75
_NO_ANSWER_S, _IDLE_S = 0.05, 0.5


class Pictures(ThreadedOutput):
    """A tap that adds JPEGs to a ring.

    It is an output too: a decision starts the encoder, and `FanOut` watches its thread.

    Args:
        ring: Receives the pictures.
        fps: The most pictures per second of the stream.
        width_px: Wider frames are resized to this width.
        quality: JPEG quality, 1 to 100.

    Attributes:
        ring: See above.
        fps: See above.
        viewers: Frames are copied only while this is above 0; see `add_viewer` and `remove_viewer`.

    Raises:
        MissingDependency: OpenCV is not installed.
    """

    name = "pictures"

    def __init__(self, ring: JpegRing, *, fps: float = FPS, width_px: int = WIDTH_PX, quality: int = QUALITY) -> None:
        self.ring = ring
        self.viewers = 0
        self.fps = fps
        self._period_ns = round(NS_PER_S / fps)
        self._width_px = width_px
        self._encoder = Encoder(quality)
        self._shape: tuple[int, ...] = ()
        self._buffer: Pixels = np.empty(0, np.uint8)
        self._copy: Any = None
        self._color = "none"
        self._stamp_ns = self._due_ns = 0
        # `_free`: the loop may write the buffer. `_ready`: the encoder may read it.
        self._ready, self._free, self._counting = threading.Event(), threading.Event(), threading.Lock()
        self._free.set()
        self._encoded = self._skipped = self._too_large = 0
        super().__init__(self._work)

    def add_viewer(self) -> None:
        """Add a viewer; the first one starts the pictures."""
        with self._counting:
            self.viewers += 1

    def remove_viewer(self) -> None:
        """Remove a viewer; without any, pictures stop."""
        with self._counting:
            self.viewers -= 1

    def wants(self, timestamp_ns: int) -> bool:
        """Return whether there are viewers and a picture is due.

        Args:
            timestamp_ns: Sensor time of the frame.

        Returns:
            Whether `saw` would copy the frame if the encoder were free.
        """
        early_ns = self._due_ns - timestamp_ns
        # An eighth of a period early is on time. A frame that is more than a period early is due
        # too: time was set back.
        return self.viewers > 0 and not self._period_ns // 8 < early_ns <= self._period_ns

    def saw(self, frame: Frame) -> None:
        """Copy the frame if there are viewers and a picture is due.

        Args:
            frame: Of any size; feature vectors are ignored.

        Cost: nothing without viewers; else one copy or resize, `fps` times per second.
        """
        if frame.color == "none" or not self.wants(frame.timestamp_ns):
            return
        if not self._free.is_set():
            self._skipped += 1
            return
        stamp_ns, period_ns = frame.timestamp_ns, self._period_ns
        early_ns = self._due_ns - stamp_ns
        # Keep to the grid of due times, so that the mean rate is exact. After a jump start a new one.
        self._due_ns = (self._due_ns if abs(early_ns) <= period_ns else stamp_ns) + period_ns
        if frame.data.shape != self._shape:
            self._allocate(frame.data.shape)
        self._copy(frame.data, self._buffer)
        self._stamp_ns, self._color = stamp_ns, frame.color
        self._free.clear()

    def decided(self, decision: Decision) -> None:
        """Start the encoder on the picture that was copied, if any.

        Args:
            decision: Ignored.
        """
        # Not in `saw`: once the answer is out, a core, or its cache, is free until the next frame.
        if not self._free.is_set():
            self._ready.set()

    def finish(self, deadline_ns: int) -> None:
        """Stop encoding. Does not block.

        Args:
            deadline_ns: Ignored, as nothing is queued.
        """
        super().finish(deadline_ns)
        self._ready.set()

    def report(self) -> Report:
        """Return the numbers of pictures encoded and skipped, and the current problem."""
        dropped = {"busy": self._skipped, "too_large": self._too_large}
        return self._report(delivered={"picture": self._encoded}, dropped=dropped)

    def _allocate(self, shape: tuple[int, ...]) -> None:
        """Allocate the buffer for frames of a shape, and choose copy or resize."""
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
        """Encode each picture that the loop copied, in the thread."""
        # A run before this one may have failed on its picture.
        self._free.set()
        while not run.cancelled.is_set():
            run.idle()
            # A frame that no model takes has no answer: don't wait longer than people notice.
            self._ready.wait(_NO_ANSWER_S if self.viewers else _IDLE_S)
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
            self._encoded += 1
        else:
            self._too_large += 1


def _copy(pixels: Pixels, out: Pixels) -> None:
    np.copyto(out, pixels)
