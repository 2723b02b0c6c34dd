"""Push frames of your own program, from any camera, decoder or network, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic_ns
from typing import Literal, Self, get_args

import numpy as np

from edgevid.capture.source import ClosingSource
from edgevid.errors import ContractError, UsageError
from edgevid.events.decide import Decision, Event
from edgevid.frames import Array, Color, Frame
from edgevid.lane import Lane
from edgevid.outputs.collect import Newest
from edgevid.pipeline import Pipeline
from edgevid.telemetry.telemetry import Telemetry
from edgevid.units import NS_PER_S

Colour = Literal["bgr", "rgb"]
COLOURS: tuple[Colour, ...] = get_args(Colour)
# numpy has one object for each plain dtype, and comparing identities is cheaper. Another object takes the longer way.
_UINT8 = np.dtype(np.uint8)


class _PushSource(ClosingSource):
    """A placeholder: a pipeline needs a source with a name, but `push` brings the frames."""

    name = "pushed frames"
    live = False

    def frames(self) -> Iterator[Frame]:
        return iter(())


class Stream:
    """One model on frames that you push. Created by `Model.stream`; use it from one thread only.

        with model.stream(colour="rgb") as stream:
            for frame, time_s in my_frames():
                decision = stream.push(frame, t_s=time_s)

    Push every frame you have: the stream selects those that are due at the model's interval and
    skips the others. A gap of more than four intervals, or a time that runs backwards, starts a new
    window and ends the open event.

    Args:
        lane: The lane of the model.
        colour: Channel order of frames that are pushed without one.
        on_close: Called once, when the stream is closed.
    """

    def __init__(self, lane: Lane, *, colour: Colour = "bgr", on_close: Callable[[], None] = lambda: None) -> None:
        self._colour = _checked_colour(colour)
        self._newest = Newest()
        self._pipeline = Pipeline(lane, _PushSource(), [self._newest])
        self._takes_rows = lane.engine.bundle.manifest.input.kind == "features"
        self._finds_keypoints = lane.stage is not None
        # Shape of the last coloured frame; of none yet.
        self._checked_shape: tuple[int, ...] = ()
        self._index = 0
        self._on_close = on_close
        self._closed = False

    @property
    def telemetry(self) -> Telemetry:
        """Latency by stage, and counts of frames and decisions so far."""
        return self._pipeline.telemetry

    def push(self, frame: Array, *, t_s: float | None = None, colour: Colour | None = None) -> Decision | None:
        """Process one frame.

        Args:
            frame: (H, W, 3) uint8 of any size, or (H, W) or (H, W, 1) for grey; for a model over
                feature vectors, (F,) of any real dtype; for one of key points, either. The stream
                holds no reference to it.
            t_s: Time of the frame, in seconds of any clock that runs forward. None stamps it with
                this machine's monotonic clock.
            colour: Channel order, "bgr" or "rgb"; None for the stream's.

        Returns:
            The decision after this frame, with the events that ended since the last decision. None
            while the first window is not full, and for a frame that is not due.

        Raises:
            ContractError: The frame has another shape or dtype.
            UsageError: `colour` is not legal, or the stream is closed.
            BackendError: The interpreter failed.
        """
        if self._closed:
            raise UsageError(expected="an open stream", found="a closed one", hint="Call model.stream() again.")
        arrived_ns = monotonic_ns()
        stamp_ns = arrived_ns if t_s is None else round(t_s * NS_PER_S)
        data, color = self._row_or_picture(frame, colour)
        self._pipeline.process(Frame(data, color, stamp_ns, self._index), arrived_ns)
        self._index += 1
        return self._newest.take_decision()

    def close(self) -> tuple[Event, ...]:
        """End the stream. May be called twice.

        Returns:
            The events that ended since the last decision, and the one that was open.
        """
        if self._closed:
            return ()
        self._closed = True
        self._pipeline.close()
        self._on_close()
        return self._newest.take_events()

    def __enter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the stream."""
        self.close()

    def _row_or_picture(self, frame: Array, colour: Colour | None) -> tuple[Array, Color]:
        # A model of key points takes both.
        if self._takes_rows and not (self._finds_keypoints and getattr(frame, "ndim", 1) > 1):
            return _row(frame), "none"
        return self._picture(frame, colour)

    def _picture(self, frame: Array, colour: Colour | None) -> tuple[Array, Color]:
        if colour is None and type(frame) is np.ndarray and self._is_as_before(frame):
            return frame, self._colour
        # Any object may be pushed by mistake, a list or None, so ask with defaults.
        shape: tuple[int, ...] = getattr(frame, "shape", ())
        dtype = getattr(frame, "dtype", type(frame).__name__)
        is_grey = len(shape) == 2 or (len(shape) == 3 and shape[2] == 1)
        if dtype != np.uint8 or not (is_grey or (len(shape) == 3 and shape[2] == 3)) or 0 in shape:
            raise ContractError(expected="a frame of (H, W, 3) or (H, W) uint8", got=shape, found=f"{shape} {dtype}")
        data = np.ascontiguousarray(frame).reshape(*shape[:2], 1 if is_grey else 3)
        self._checked_shape = () if is_grey else shape
        return data, "gray" if is_grey else self._colour if colour is None else _checked_colour(colour)

    def _is_as_before(self, frame: Array) -> bool:
        """Return whether a frame needs no check and no copy, since one of its shape passed them."""
        return frame.shape == self._checked_shape and frame.dtype is _UINT8 and frame.flags.c_contiguous


def _row(frame: Array) -> Array:
    row = np.asarray(frame)
    if row.ndim != 1 or not (np.issubdtype(row.dtype, np.floating) or np.issubdtype(row.dtype, np.integer)):
        raise ContractError(
            expected="a row of features, (F,) of numbers", got=row.shape, found=f"{row.shape} {row.dtype}"
        )
    return row.astype(np.float32)


def _checked_colour(colour: Colour) -> Colour:
    if colour not in COLOURS:
        raise UsageError(expected="a colour", choices=COLOURS, got=colour)
    return colour
