"""Network streams, such as rtsp:// and http://, through OpenCV's FFmpeg.

An address may contain a password. Only FFmpeg receives it: names, logs and errors show the address
without it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from time import monotonic_ns, sleep
from typing import Self
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from edgevid.capture.address import SCHEMES, check_password
from edgevid.capture.clock import PlaybackClock, StreamClock, TimeBase
from edgevid.capture.feeds.buffers import BufferedSource
from edgevid.capture.source import Source
from edgevid.capture.video.decoder import Decoder
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError, UsageError
from edgevid.frames import Array, Frame
from edgevid.frames.imaging import opencv
from edgevid.outputs.credentials import warn_if_readable
from edgevid.redaction import public_address
from edgevid.units import NS_PER_MS, NS_PER_S

TIMEOUT_MS = 8000
_MJPG = int.from_bytes(b"MJPG", "little")
_WHOLE_SHARE = 0.9


class NetworkStream(BufferedSource):
    """The stream of a network camera, BGR.

    The newest frame wins, so the reader must request the next frame at once, as `LiveFeed` does.

    Args:
        url: The address, with user and password where the server requires them.
        timeout_ms: Longest wait for the connection, and for a frame.

    Raises:
        UsageError: The address has another scheme, no host, or an @ after the host only.
        SourceError: The stream cannot be opened.

    Attributes:
        time_base: "stream" where the sender's time stamps are used, else "arrival": Motion JPEG over
            HTTP has none.
        is_video_file: Whether the address is that of a video with an end.
    """

    live = True
    reopens = True
    decodes_video = True

    def __init__(self, url: str, *, timeout_ms: int = TIMEOUT_MS) -> None:
        check_password(url)
        try:
            parts, host = urlsplit(url), urlsplit(url).hostname
        except ValueError:  # such as a bracket that is not closed
            parts, host = urlsplit(""), None
        # A receiver of UDP may leave out the host: udp://@:5000.
        if parts.scheme not in SCHEMES or not (host or parts.scheme == "udp"):
            raise UsageError(expected=f"an address {'://, '.join(SCHEMES)}://HOST/...", got=public_address(url))
        # RTSP cameras ask for a hash of the password.
        if host and parts.scheme == "http" and "@" in parts.netloc:
            warn_if_readable(output="source", host=host, address=public_address(url), encrypted="https")
        self.name = public_address(url)
        self._url, self._timeout_ms = url, timeout_ms
        super().__init__()
        self._decoder = self._open()
        self._is_pushed = not parts.scheme.startswith("http")
        self.frame_count = self._decoder.get("FRAME_COUNT")
        is_jpeg = self._decoder.get("FOURCC") == _MJPG and self.frame_count <= 0
        self.time_base: TimeBase = "arrival" if is_jpeg and not self._is_pushed else "stream"
        headers = {} if self._is_pushed or self.frame_count > 0 else _headers(url, self._timeout_ms)
        if self.frame_count == 1 or headers.get("content-type", "").startswith("image/"):
            self.close()
            raise SourceError(
                expected=f"a video stream at {self.name}",
                found="a single picture",
                hint="Use the address of the camera's stream, not of its snapshot.",
            )
        has_end = self.frame_count > 0 or ("content-length" in headers and not parts.path.endswith(".m3u8"))
        self.is_video_file = has_end and not self._is_pushed and not is_jpeg

    def frames(self) -> Iterator[Frame]:
        """Decode frames as they arrive.

        Yields:
            Frames (H, W, 3) uint8 BGR, each in its own buffer until it is released.

        Raises:
            SourceError: The stream broke off.
        """
        clock = StreamClock() if self._is_pushed else PlaybackClock()
        buffer: Array | None = None
        for index in itertools.count():
            is_grabbed = self._decoder.grab()
            stamp_ns = self._stamp_ns(clock, monotonic_ns()) if is_grabbed else 0
            if is_grabbed and not self.wanted(stamp_ns):
                # FFmpeg has decoded it, because the next frame may be coded as a difference. Only
                # the conversion to BGR is saved.
                continue
            buffer = self._decoder.retrieve(buffer) if is_grabbed else None
            if buffer is None:
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
        self._decoder.close()

    def _open(self) -> Decoder:
        cv2 = opencv("reading a network stream")
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, self._timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, self._timeout_ms]
        decoder = Decoder(self._url, name=self.name, limits=limits, can_reopen=False)
        if not decoder.is_open:
            raise SourceError(
                expected=f"a video stream at {self.name}",
                found="none that opens",
                hint="Check that the server runs, and that path and password are right.",
            )
        # Now, because a run does not recover from frames that cannot be decoded or converted by opening
        # the stream again.
        if not decoder.peek():
            codec = decoder.codec
            decoder.close()
            raise SourceError(
                expected=f"frames from {self.name}",
                found=f"none that can be decoded (codec {codec!r})",
                hint="Check the camera, or set it to another codec, such as H.264.",
            )
        return decoder

    def as_video_file(self) -> ServedVideo:
        """Return the same open video as a source that ends; this one must not be used any more."""
        return ServedVideo(self._decoder, name=self.name, frame_count=self.frame_count)

    def _stamp_ns(self, clock: StreamClock | PlaybackClock, arrived_ns: int) -> int:
        if self.time_base == "arrival":
            return arrived_ns
        stamp_ns = clock.to_monotonic_ns(round(self._decoder.get("POS_MSEC") * NS_PER_MS), arrived_ns)
        # Segments of HLS come in bursts: without a wait, most of each burst would be dropped.
        sleep(max(0, stamp_ns - monotonic_ns()) / NS_PER_S)
        return stamp_ns


class ServedVideo(VideoFile):
    """A video file on a web server, with the container's time stamps.

    Args:
        decoder: Its open decoder.
        name: Its address without user and password.
        frame_count: Frames that the container announces; 0 or less if it does not.
    """

    def __init__(self, decoder: Decoder, *, name: str, frame_count: float) -> None:
        self._set_up(decoder, name=name)
        self._frame_count = frame_count

    def _pictures(self, is_wanted: Callable[[], bool]) -> Iterator[Array | None]:
        """Yield as for any file, and reject an end before the announced one: the connection broke off."""
        count = 0
        for picture in super()._pictures(is_wanted):
            yield picture
            count += 1
        # Containers without an index announce an estimate.
        if count < _WHOLE_SHARE * self._frame_count:
            raise SourceError(
                expected=f"{self._frame_count:.0f} frames from {self.name}",
                got=count,
                hint="Check the connection to the server.",
            )


def open_stream(url: str) -> Source:
    """Open a stream, or a video file on a web server.

    Args:
        url: As for `NetworkStream`.

    Returns:
        A live source, or a file that ends.

    Raises:
        UsageError: The address has another scheme, or no host.
        SourceError: Nothing can be read there, or a single picture.
    """
    stream = NetworkStream(url)
    return stream.as_video_file() if stream.is_video_file else stream


def _headers(url: str, timeout_ms: int) -> Mapping[str, str]:
    """Return what a web server says of a resource, by lower-case name; empty if it does not answer."""
    parts = urlsplit(url)
    # Without user and password: a redirection would hand them to another host.
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        with urlopen(Request(bare, method="HEAD"), timeout=timeout_ms * NS_PER_MS / NS_PER_S) as answer:
            return {name.lower(): value for name, value in answer.headers.items()}
    except (OSError, ValueError, HTTPException):
        return {}
