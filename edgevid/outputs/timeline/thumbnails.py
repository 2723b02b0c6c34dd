"""Small pictures of the last seconds of a run, of which an event takes those that show it."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from edgevid.frames import Array, Frame, Pixels
from edgevid.frames.imaging import Encoder, shrinker
from edgevid.units import NS_PER_S

LONGEST_SIDE_PX, QUALITY = 160, 70
# Twelve seconds: an event is announced about a second after it began.
_EVERY_NS, _PICTURES = NS_PER_S // 5, 60


class ThumbnailRing:
    """Keeps a small picture five times a second, for the last twelve seconds of the stream.

    Raises:
        MissingDependency: OpenCV is not installed.
    """

    def __init__(self) -> None:
        self._encoder = Encoder(QUALITY)
        self._shape: tuple[int, ...] = ()
        self._ring: Pixels = np.empty(0, np.uint8)
        self._stamps_ns = np.empty(0, np.int64)
        self._count = 0
        self._shrink: Any = None
        self._color = "bgr"

    def saw(self, frame: Frame) -> None:
        """Shrink a frame into the ring, if one is due.

        Args:
            frame: A picture of any size; feature vectors are ignored.

        Cost: one resize to a thumbnail, five times a second of the stream.
        """
        if frame.color == "none":
            return
        if frame.data.shape != self._shape:
            self._allocate(frame.data.shape)
        last_ns = int(self._stamps_ns[(self._count - 1) % _PICTURES]) if self._count else None
        # A frame from before the last one means that time was set back.
        if last_ns is not None and 0 <= frame.timestamp_ns - last_ns < _EVERY_NS:
            return
        place = self._count % _PICTURES
        self._shrink(frame.data, self._ring[place])
        self._stamps_ns[place], self._color = frame.timestamp_ns, frame.color
        self._count += 1

    def nearest(self, t_s: float) -> bytes | None:
        """Return the picture nearest to a time as a JPEG; None before the first picture."""
        kept = min(self._count, _PICTURES)
        if kept == 0:
            return None
        place = int(np.argmin(np.abs(self._stamps_ns[:kept] - round(t_s * NS_PER_S))))
        return self._encoder.encode(self._ring[place], self._color).tobytes()

    def _allocate(self, shape: tuple[int, ...]) -> None:
        size_px = thumbnail_px(shape[1], shape[0])
        self._ring = np.empty((_PICTURES, size_px[1], size_px[0], shape[2]), np.uint8)
        self._stamps_ns = np.zeros(_PICTURES, np.int64)
        self._count, self._shape = 0, shape
        self._shrink = shrinker(size_px, gray=shape[2] == 1)


class Thumbnailer:
    """Makes a thumbnail of any picture.

    Raises:
        MissingDependency: OpenCV is not installed.
    """

    def __init__(self) -> None:
        self._encoder = Encoder(QUALITY)

    def jpeg(self, pixels: Array, color: str) -> bytes:
        """Return a small picture as a JPEG.

        Args:
            pixels: (H, W, C) uint8.
            color: "rgb", "bgr" or "gray".
        """
        width_px, height_px = thumbnail_px(pixels.shape[1], pixels.shape[0])
        small = np.empty((height_px, width_px, pixels.shape[2]), np.uint8)
        shrinker((width_px, height_px), gray=pixels.shape[2] == 1)(pixels, small)
        return self._encoder.encode(small, color).tobytes()


def thumbnail_px(width_px: int, height_px: int) -> tuple[int, int]:
    """Return (width, height) of a picture whose longest side is at most `LONGEST_SIDE_PX`."""
    scale = min(1.0, LONGEST_SIDE_PX / max(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def jpeg_url(jpeg: bytes) -> str:
    """Return a JPEG as a `data:` URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
