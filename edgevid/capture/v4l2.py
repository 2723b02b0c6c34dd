"""USB and other V4L2 cameras, through OpenCV."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic_ns
from typing import Any, Self

from edgevid.capture.address import POSITIVE, SIZE, CameraOption, Value
from edgevid.capture.clock import FrameCounter, TimeBase, sensor_ns
from edgevid.capture.feeds.buffers import BufferedSource
from edgevid.errors import SourceError, UsageError
from edgevid.frames import Frame, Pixels
from edgevid.frames.imaging import opencv
from edgevid.units import NS_PER_MS


def _read_fourcc(text: str) -> str:
    if len(text) != 4 or not text.isalnum():
        raise ValueError(text)
    return text.upper()


OPTIONS: Mapping[str, CameraOption] = {
    "size": SIZE,
    "fps": POSITIVE,
    "format": CameraOption(_read_fourcc, "four letters, such as MJPG or YUYV"),
    "exposure_us": POSITIVE,
    "gain": POSITIVE,
}
_DEFAULT_SIZE_PX = (640, 480)
# linux/v4l2-controls.h: V4L2_EXPOSURE_MANUAL of V4L2_CID_EXPOSURE_AUTO, and
# V4L2_CID_EXPOSURE_ABSOLUTE, which counts in units of 100 us.
_EXPOSURE_MANUAL = 1
_EXPOSURE_UNIT_US = 100
# Drivers round rates: 29.97 for 30.
_FPS_TOLERANCE = 0.05


class V4l2Camera(BufferedSource):
    """A camera behind /dev/video*, BGR.

    The newest frame wins, so the reader must request the next frame at once, as `LiveFeed` does.

    Args:
        device: A path such as /dev/video0, or a number; empty for /dev/video0.
        options: Values of `OPTIONS`. The default is 640x480 at the driver's own frame rate.

    Raises:
        UsageError: The device is missing, or is no character device.
        SourceError: The camera cannot be opened, is busy, or rejects the requested size.

    Attributes:
        time_base: "sensor" where the driver stamps frames with the monotonic clock, else "arrival".
        size_px: (width, height) of the frames.
    """

    live = True
    reopens = True

    def __init__(self, device: str, options: Mapping[str, Value] | None = None) -> None:
        path = Path(f"/dev/video{device}" if device.isdecimal() else device or "/dev/video0")
        _check_device(path)
        self.name = f"v4l2:{path}"
        self.time_base: TimeBase = "sensor"
        self._path, self._options = path, dict(options or {})
        self._cv2 = opencv("reading a V4L2 camera")
        super().__init__()
        self._capture = self._open()
        self.size_px = self._configure()

    def frames(self) -> Iterator[Frame]:
        """Deliver frames as the driver captures them.

        Yields:
            Frames (H, W, 3) uint8 BGR. The index skips numbers where the times show that the driver
            lost frames.

        Raises:
            SourceError: The driver delivers no more frames.
        """
        width, height = self.size_px
        counter = FrameCounter()
        while True:
            is_grabbed = self._capture.grab()
            stamp_ns = self._stamp_ns(monotonic_ns())
            index = counter.index(stamp_ns) if is_grabbed else 0
            # Decoding is the expensive part, Motion JPEG most of all, so unwanted frames stop here.
            if is_grabbed and not self.wanted(stamp_ns):
                continue
            buffer: Pixels | None = self._buffers.take((height, width, 3))
            is_decoded, buffer = self._capture.retrieve(buffer) if is_grabbed else (False, None)
            if not is_decoded or buffer is None:
                raise SourceError(
                    expected=f"a frame from {self.name}",
                    found="none from its driver",
                    hint="Check that the camera is plugged in.",
                    path=self._path,
                )
            yield Frame(buffer, "bgr", stamp_ns, index)

    def reopen(self) -> Self:
        """Open the same device again, for example after it was unplugged and plugged in.

        Returns:
            A new source.

        Raises:
            SourceError: The device is missing, or cannot be opened.
        """
        try:
            return type(self)(str(self._path), self._options)
        except UsageError as error:
            # A missing device is no usage error here: it was present when the run began, and may
            # return.
            raise SourceError(str(error), path=self._path) from error

    def close(self) -> None:
        """Release the device."""
        self._capture.release()

    @property
    def _wanted_px(self) -> tuple[int, int]:
        return self._options.get("size", _DEFAULT_SIZE_PX)  # type: ignore[return-value]  # SIZE reads a pair

    def _open(self) -> Any:
        capture = self._cv2.VideoCapture(str(self._path), self._cv2.CAP_V4L2)
        if not capture.isOpened():
            raise SourceError(
                expected="a camera that can be opened",
                found=str(self._path),
                hint="Check that no other program uses it, that it captures video, and that this user is in the "
                "group 'video'.",
                path=self._path,
            )
        return capture

    def _configure(self) -> tuple[int, int]:
        """Apply the options and return the size of the frames.

        Raises:
            SourceError: The driver uses another size, format or frame rate than the requested one:
                the scale of the pictures, for example, would silently be another.
        """
        cv2, wanted = self._cv2, self._options
        # The format first: drivers offer sizes and frame rates for each format.
        if "format" in wanted:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*str(wanted["format"])))
        width, height = self._wanted_px
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        if "fps" in wanted:
            self._capture.set(cv2.CAP_PROP_FPS, wanted["fps"])
        if "exposure_us" in wanted:
            self._capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_MANUAL)
            exposure = round(float(wanted["exposure_us"]) / _EXPOSURE_UNIT_US)  # type: ignore[arg-type]
            self._capture.set(cv2.CAP_PROP_EXPOSURE, exposure)
        if "gain" in wanted:
            self._capture.set(cv2.CAP_PROP_GAIN, wanted["gain"])
        got = round(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if "size" in wanted and got != (width, height):
            self.close()
            raise SourceError(
                expected=f"{width}x{height} px from {self._path}",
                got=got,
                found=f"{got[0]}x{got[1]}",
                hint=f"Use size={got[0]}x{got[1]}.",
            )
        try:
            check_mode(
                wanted,
                fourcc=round(self._capture.get(cv2.CAP_PROP_FOURCC)),
                fps=self._capture.get(cv2.CAP_PROP_FPS),
                path=self._path,
            )
        except SourceError:
            self.close()
            raise
        return got

    def _stamp_ns(self, arrived_ns: int) -> int:
        # OpenCV reports the driver's time in milliseconds.
        stamp_ns = sensor_ns(round(self._capture.get(self._cv2.CAP_PROP_POS_MSEC) * NS_PER_MS), arrived_ns)
        self.time_base = "arrival" if stamp_ns is None else "sensor"
        return arrived_ns if stamp_ns is None else stamp_ns


def check_mode(wanted: Mapping[str, Value], *, fourcc: int, fps: float, path: Path) -> None:
    """Reject a driver that ignores the requested format or frame rate.

    Args:
        wanted: Values of `OPTIONS`.
        fourcc: The format in use, as the driver reports it.
        fps: The rate in use, as the driver reports it; 0 or less if it does not.
        path: The device.

    Raises:
        SourceError: The driver uses another format or rate.
    """
    used = (fourcc & 0xFFFFFFFF).to_bytes(4, "little").decode("latin-1")
    if "format" in wanted and used != wanted["format"]:
        raise SourceError(
            expected=f"format {wanted['format']} from {path}", found=used, hint=f"Use format={used}, or leave it out."
        )
    if "fps" in wanted and fps > 0 and abs(fps / float(wanted["fps"]) - 1) > _FPS_TOLERANCE:  # type: ignore[arg-type]  # POSITIVE reads a number
        raise SourceError(
            expected=f"{wanted['fps']:g} frames a second from {path}",
            found=f"{fps:g}",
            hint=f"Use fps={fps:g}, or another size or format: drivers offer rates for each.",
        )


def _check_device(path: Path) -> None:
    if not path.exists():
        raise UsageError(
            expected="a V4L2 device such as /dev/video0",
            found=f"none at {path}",
            hint="Check that the camera is plugged in.",
            path=path,
        )
    if not stat.S_ISCHR(path.stat().st_mode):
        raise UsageError(
            expected="a V4L2 device such as /dev/video0", found=f"{path}, which is no character device", path=path
        )
