"""Network streams, rtsp:// and http://, through OpenCV's FFmpeg.

An address may contain a password. Only FFmpeg receives it: names, logs and errors show the address
without it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from time import monotonic_ns
from typing import Any, Self
from urllib.parse import urlsplit

from edgevid.capture.clock import StreamClock, TimeBase
from edgevid.capture.feeds.buffers import BufferedSource
from edgevid.errors import SourceError, UsageError
from edgevid.frames import Array, Frame
from edgevid.frames.imaging import opencv, silence_opencv
from edgevid.outputs.credentials import warn_if_readable
from edgevid.redaction import public_address
from edgevid.units import NS_PER_MS

SCHEMES = ("rtsp", "rtsps", "http", "https")
TIMEOUT_MS = 8000


class NetworkStream(BufferedSource):
    """The stream of a network camera, BGR.

    The newest frame wins, so the reader must request the next frame at once, as `LiveFeed` does.

    Args:
        url: The address, with user and password where the server requires them.
        timeout_ms: Longest wait for the connection, and for a frame.

    Raises:
        UsageError: The address has another scheme, or no host.
        SourceError: The stream cannot be opened.

    Attributes:
        time_base: "stream" where the sender's time stamps are used (RTSP), else "arrival": MJPEG
            over HTTP has none.
    """

    live = True
    reopens = True

    def __init__(self, url: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        try:
            parts, host = urlsplit(url), urlsplit(url).hostname
        except ValueError:  # such as a bracket that is not closed
            parts, host = urlsplit(""), None
        if parts.scheme not in SCHEMES or not host:
            raise UsageError(expected=f"an address {'://, '.join(SCHEMES)}://HOST/...", got=public_address(url))
        # RTSP cameras ask for a hash of the password.
        if parts.scheme == "http" and "@" in parts.netloc:
            warn_if_readable(output="source", host=host, address=public_address(url), encrypted="https")
        self.name = public_address(url)
        self.time_base: TimeBase = "stream" if parts.scheme.startswith("rtsp") else "arrival"
        self._url, self._timeout_ms = url, timeout_ms
        self._cv2 = opencv("reading a network stream")
        # Before the first call that may fail: OpenCV would print the address with its password.
        silence_opencv()
        super().__init__()
        self._capture = self._open()

    def frames(self) -> Iterator[Frame]:
        """Decode frames as they arrive.

        Yields:
            Frames (H, W, 3) uint8 BGR, each in its own buffer until it is released.

        Raises:
            SourceError: The stream broke off.
        """
        clock = StreamClock()
        buffer: Array | None = None
        for index in itertools.count():
            is_grabbed = self._capture.grab()
            stamp_ns = self._stamp_ns(clock, monotonic_ns()) if is_grabbed else 0
            if is_grabbed and not self.wanted(stamp_ns):
                # FFmpeg has decoded it, because the next frame may be coded as a difference. Only
                # the conversion to BGR is saved.
                continue
            is_decoded, buffer = self._capture.retrieve(buffer) if is_grabbed else (False, None)
            if not is_decoded or buffer is None:
                raise SourceError(expected=f"a frame from {self.name}", found="a stream that broke off")
            yield Frame(buffer, "bgr", stamp_ns, index)
            buffer = self._buffers.take(buffer.shape)

    def reopen(self) -> Self:
        """Connect again.

        Returns:
            A new source.

        Raises:
            SourceError: The server does not answer.
        """
        return type(self)(self._url, timeout_ms=self._timeout_ms)

    def close(self) -> None:
        """Disconnect."""
        self._capture.release()

    def _open(self) -> Any:
        cv2 = self._cv2
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, self._timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, self._timeout_ms]
        capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            raise SourceError(
                expected=f"a video stream at {self.name}",
                found="none that opens",
                hint="Check that the server runs, and that path and password are right.",
            )
        return capture

    def _stamp_ns(self, clock: StreamClock, arrived_ns: int) -> int:
        if self.time_base == "arrival":
            return arrived_ns
        return clock.to_monotonic_ns(round(self._capture.get(self._cv2.CAP_PROP_POS_MSEC) * NS_PER_MS), arrived_ns)
