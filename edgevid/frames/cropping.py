"""Cuts the region out of the frames of a stream. Several models on one stream share a cropper."""

from __future__ import annotations

import numpy as np

from edgevid.frames import Frame, Pixels
from edgevid.frames.region import WHOLE, Region


class Cropper:
    """Cuts the region out of frames: a view, or a copy in a buffer of its own if there are masks.

    Args:
        region: The region at the start.
        may_move: Whether somebody may assign another.

    Attributes:
        region: The region that is wanted from now on. Any thread may assign another.
        size_px: (width, height) of the newest picture; None before the first.
    """

    def __init__(self, region: Region = WHOLE, *, may_move: bool = False) -> None:
        self.region = region
        self._may_move = may_move
        self.size_px: tuple[int, int] | None = None
        self._frame: Frame | None = None
        self._part: Frame | None = None
        self._cut: Region | None = None
        self._shape: tuple[int, ...] = ()
        self._place = (slice(None), slice(None))
        self._visible: Pixels | None = None
        self._buffer: Pixels | None = None

    @property
    def is_idle(self) -> bool:
        """Whether all pictures stay as they are, now and later."""
        return self.region.is_whole and not self._may_move

    def crop(self, frame: Frame, region: Region) -> Frame:
        """Return the part of a frame that the models see.

        Args:
            frame: A picture; feature rows and torn pictures are returned as they are.
            region: The region.

        Returns:
            A frame with the same time, valid until the next call. A repeated `Frame` object is not
            cut again.

        Raises:
            SourceError: The region does not fit pictures of this size.

        Cost: a view; with masks one pass over the pixels of the rectangle.
        """
        if frame is self._frame and region is self._cut and self._part is not None:
            return self._part
        if frame.color == "none" or frame.data.ndim != 3 or not frame.data.size:
            return frame
        if frame.data.shape != self._shape or region is not self._cut:
            self._plan(frame.data.shape, region)
        if region.is_whole:
            return frame
        data = frame.data[self._place]
        if self._visible is not None:
            data = np.bitwise_and(data, self._visible, out=self._buffer)
        self._frame, self._part = frame, Frame(data, frame.color, frame.timestamp_ns, frame.index)
        return self._part

    def _plan(self, shape: tuple[int, ...], region: Region) -> None:
        self._part = None
        height_px, width_px, channels = shape
        self.size_px = (width_px, height_px)
        left, top, right, bottom = region.place(self.size_px)
        visible = region.visible(self.size_px)
        self._place = (slice(top, bottom), slice(left, right))
        self._visible = self._buffer = None
        if visible is not None:
            # In the frame's own shape: NumPy takes several times as long to spread one channel.
            self._visible = np.repeat(visible[:, :, None], channels, axis=2).astype(np.uint8) * np.uint8(255)
            self._buffer = np.empty_like(self._visible)
        self._cut, self._shape = region, shape
