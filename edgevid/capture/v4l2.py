"""USB and other V4L2 cameras, through OpenCV."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic_ns
from typing import Any, Self

from edgevid.capture.address import POSITIVE, SIZE, Option, Value
from edgevid.capture.buffers import BufferedSource
from edgevid.capture.clock import FrameCounter, TimeBase, sensor_ns
from edgevid.errors import SourceError, UsageError
from edgevid.frames import Frame, Pixels
from edgevid.frames.imaging import opencv


def _fourcc(text: str) -> str:
    if len(text) != 4 or not text.isalnum():
        raise ValueError(text)
    return text.upper()


OPTIONS: Mapping[str, Option] = {
    "size": SIZE,
    "fps": POSITIVE,
    "format": Option(_fourcc, "four letters, as MJPG or YUYV"),
    "exposure_us": POSITIVE,
    "gain": POSITIVE,
}
_DEFAULT_SIZE_PX = (640, 480)
# From linux/v4l2-controls.h: V4L2_EXPOSURE_MANUAL of V4L2_CID_EXPOSURE_AUTO; V4L2_CID_EXPOSURE_ABSOLUTE counts in 100 us.
_EXPOSURE_MANUAL = 1
_EXPOSURE_UNIT_US = 100


class V4l2Camera(BufferedSource):
    """A camera behind /dev/video*, BGR. The newest frame wins: whoever reads it has to ask again at once, as `LiveFeed` does.

    Args:
        device: A path such as /dev/video0, or a number.
        options: Of `OPTIONS`; 640x480 at the driver's own rate where nothing is asked.

    Raises:
        UsageError: There is no such device.
        SourceError: It cannot be opened, is busy, or does not give what was asked.

    Attributes:
        time_base: Whose time the frames have: "sensor" where the driver stamps them on the monotonic clock, else "arrival".
        size_px: (width, height) of the frames.
    """

    live = True
    reopens = True

    def __init__(self, device: str, options: Mapping[str, Value] | None = None) -> None:
        path = Path(f"/dev/video{device}" if device.isdecimal() else device or "/dev/video0")
        if not path.exists():
            raise UsageError(
                expected="a V4L2 device such as /dev/video0",
                got=device,
                found=f"{path}, which is not there",
                hint="Is the camera plugged in?",
                path=path,
            )
        if not stat.S_ISCHR(path.stat().st_mode):
            raise UsageError(
                expected="a V4L2 device such as /dev/video0", got=device, found=f"{path}, which is no device", path=path
            )
        self.name = f"v4l2:{path}"
        self.time_base: TimeBase = "sensor"
        self._path, self._options = path, dict(options or {})
        self._cv2 = opencv("reading a V4L2 camera")
        super().__init__()
        self._capture = self._open()
        self.size_px = self._configure()

    def frames(self) -> Iterator[Frame]:
        """Take frames as the driver gives them.

        Yields:
            Frames (H, W, 3) BGR. Their index goes on by more than one where times say that the driver lost some.

        Raises:
            SourceError: The driver gives no more frames.
        """
        width, height = self.size_px
        counter = FrameCounter()
        while True:
            taken = self._capture.grab()
            stamp_ns = self._stamp_ns(monotonic_ns())
            index = counter.index(stamp_ns) if taken else 0
            if taken and not self.wanted(stamp_ns):
                continue
            # To decode is the dear part, in Motion JPEG most of all.
            buffer: Pixels | None = self._buffers.take((height, width, 3))
            given, buffer = self._capture.retrieve(buffer) if taken else (False, None)
            if not given or buffer is None:
                raise SourceError(
                    expected=f"a frame from {self.name}",
                    found="none from its driver",
                    hint="Was it unplugged?",
                    path=self._path,
                )
            yield Frame(buffer, "bgr", stamp_ns, index)

    def reopen(self) -> Self:
        """Open the same device again, which may have been unplugged and be back.

        Returns:
            A new source.

        Raises:
            SourceError: It is not there, or cannot be opened.
        """
        try:
            return type(self)(str(self._path), self._options)
        except UsageError as error:
            raise SourceError(str(error), path=self._path) from error

    def close(self) -> None:
        """Give the device back."""
        self._capture.release()

    @property
    def _wanted_px(self) -> tuple[int, int]:
        return self._options.get("size", _DEFAULT_SIZE_PX)  # type: ignore[return-value]  # the option's reader gives a pair

    def _open(self) -> Any:
        capture = self._cv2.VideoCapture(str(self._path), self._cv2.CAP_V4L2)
        if not capture.isOpened():
            raise SourceError(
                expected=f"to open {self._path} as a camera",
                found="a refusal",
                hint="Is it in use, no capture device, or this user not in the group 'video'?",
                path=self._path,
            )
        return capture

    def _configure(self) -> tuple[int, int]:
        """Ask for what the options say; a driver that gives another size is refused, for pictures would be of another scale than asked."""
        cv2, wanted = self._cv2, self._options
        if "format" in wanted:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*str(wanted["format"])))
        width, height = self._wanted_px
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        if "fps" in wanted:
            self._capture.set(cv2.CAP_PROP_FPS, wanted["fps"])
        if "exposure_us" in wanted:
            self._capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_MANUAL)
            self._capture.set(cv2.CAP_PROP_EXPOSURE, round(float(wanted["exposure_us"]) / _EXPOSURE_UNIT_US))  # type: ignore[arg-type]
        if "gain" in wanted:
            self._capture.set(cv2.CAP_PROP_GAIN, wanted["gain"])
        got = round(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if "size" in wanted and got != (width, height):
            self.close()
            raise SourceError(
                expected=f"{width}x{height} px from {self._path}",
                got=got,
                found=f"{got[0]}x{got[1]}",
                hint="Ask for that.",
            )
        return got

    def _stamp_ns(self, arrived_ns: int) -> int:
        """The driver's time of the frame; OpenCV gives it in milliseconds."""
        stamp_ns = sensor_ns(round(self._capture.get(self._cv2.CAP_PROP_POS_MSEC) * 1e6), arrived_ns)
        self.time_base = "arrival" if stamp_ns is None else "sensor"
        return arrived_ns if stamp_ns is None else stamp_ns
