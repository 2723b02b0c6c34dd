"""CSI cameras on a Raspberry Pi, through picamera2. No other module imports picamera2.

The ISP scales pictures to the requested size, by default the model's, at no cost of processor time.
Its scaler is not OpenCV's. For pictures that are resized exactly as in training, request larger
ones: `picamera2:0?size=640x480`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from time import monotonic_ns
from typing import Any, Self

import numpy as np

from edgevid.capture.address import POSITIVE, SIZE, SWITCH, CameraOption, Value
from edgevid.capture.clock import FrameCounter, TimeBase, sensor_ns
from edgevid.capture.feeds.buffers import BufferedSource
from edgevid.errors import MissingDependency, SourceError, UsageError
from edgevid.frames import Color, Frame
from edgevid.frames.imaging import yuv_converter

BUFFERS = 4
TIMEOUT_S = 5.0
# picamera2 names formats by the bytes of a little-endian word: its "BGR888" has red first in
# memory. Source: The Picamera2 Library, appendix "Pixel and image formats",
# https://datasheets.raspberrypi.com/camera/picamera2-manual.pdf
_PLAIN: Mapping[str, Color] = {"BGR888": "rgb", "RGB888": "bgr"}
FORMATS = (*_PLAIN, "YUV420", "NV12")
_log = logging.getLogger(__name__)


def _read_format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(text)
    return text


OPTIONS: Mapping[str, CameraOption] = {
    "size": SIZE,
    "fps": POSITIVE,
    "format": CameraOption(_read_format, " or ".join(FORMATS)),
    "exposure_us": POSITIVE,
    "gain": POSITIVE,
    "hflip": SWITCH,
    "vflip": SWITCH,
}


class PiCamera(BufferedSource):
    """A camera of libcamera.

    The newest frame wins, so the reader must request the next frame at once, as `LiveFeed` does.

    Args:
        number: Number of the camera in `rpicam-hello --list-cameras`.
        size_px: (width, height) of the ISP's output, unless the options set it.
        color: Channel order of the frames.
        keep_aspect: Whether the ISP cuts the sensor's picture to the aspect of `size_px`, as the
            resize rule "crop" does. Otherwise it squeezes the picture, as "stretch" does.
        options: Values of `OPTIONS`. The format "YUV420" uses the ISP's second output (lores), all
            others the first.

    Raises:
        MissingDependency: picamera2 or libcamera is not installed.
        UsageError: libcamera has no camera of this number.
        SourceError: The camera cannot be opened or configured; another program may use it.

    Attributes:
        time_base: "sensor" where libcamera stamps the frames, else "arrival".
    """

    live = True
    reopens = True

    def __init__(
        self,
        number: int,
        *,
        size_px: tuple[int, int],
        color: Color = "rgb",
        keep_aspect: bool = True,
        options: Mapping[str, Value] | None = None,
    ) -> None:
        self.name = f"picamera2:{number}"
        self.time_base: TimeBase = "sensor"
        # Kept for `reopen`.
        self._arguments: dict[str, Any] = {
            "size_px": size_px,
            "color": color,
            "keep_aspect": keep_aspect,
            "options": options,
        }
        self._number = number
        self._options = {"size": size_px, **(options or {})}
        self._color: Color = color
        self._format = str(self._options.get("format", "RGB888" if color == "bgr" else "BGR888"))
        self._stream = "lores" if self._format == "YUV420" else "main"
        self._keep_aspect = keep_aspect
        super().__init__()
        self._library = _import()
        self._camera = self._open()

    def frames(self) -> Iterator[Frame]:
        """Deliver frames as the camera captures them.

        Yields:
            Frames (H, W, 3) uint8 of the requested color.

        Raises:
            SourceError: The camera delivered nothing for `TIMEOUT_S`, or failed.
        """
        counter = FrameCounter()
        copy = self._copier()
        width, height = self._size_px
        while True:
            request = self._request()
            try:
                stamp_ns = self._stamp_ns(request)
                index = counter.index(stamp_ns)
                if not self.wanted(stamp_ns):
                    continue
                buffer = self._buffers.take((height, width, 3))
                with self._library.MappedArray(request, self._stream, write=False) as mapped:
                    copy(mapped.array, buffer)
            finally:
                # Released before the frame is processed, so that the camera always has buffers to
                # fill.
                request.release()
            yield Frame(buffer, self._color, stamp_ns, index)

    def reopen(self) -> Self:
        """Open the same camera again.

        Returns:
            A new source.

        Raises:
            SourceError: The camera is missing, or cannot be opened.
        """
        try:
            return type(self)(self._number, **self._arguments)
        except UsageError as error:
            raise SourceError(str(error)) from error

    def close(self) -> None:
        """Release the camera."""
        try:
            self._camera.close()
        except (RuntimeError, OSError) as error:
            # Not raised: it would hide the error that ended the frames.
            _log.warning("Expected %s to be released, got %s.", self.name, error)

    @property
    def _size_px(self) -> tuple[int, int]:
        return self._options["size"]  # type: ignore[return-value]  # SIZE reads a pair

    def _open(self) -> Any:
        cameras = self._library.Picamera2.global_camera_info()
        if self._number >= len(cameras):
            known = ", ".join(f"{index}: {camera.get('Model', '?')}" for index, camera in enumerate(cameras)) or "none"
            raise UsageError(
                expected=f"a camera that libcamera sees ({known})",
                got=self._number,
                hint="Run: rpicam-hello --list-cameras.",
            )
        try:
            camera = self._library.Picamera2(self._number)
        except (RuntimeError, IndexError) as error:
            raise SourceError(
                expected=f"{self.name} to open", found=str(error), hint="Check that no other program uses it."
            ) from error
        try:
            self._configure(camera)
            camera.start()
        except (RuntimeError, ValueError, KeyError) as error:
            camera.close()
            raise SourceError(expected=f"{self.name} to take its settings {self._options}", found=str(error)) from error
        return camera

    def _configure(self, camera: Any) -> None:
        stream = {"size": self._size_px, "format": self._format, "preserve_ar": self._keep_aspect}
        streams = {"main": stream} if self._stream == "main" else {"main": {"size": self._size_px}, "lores": stream}
        flips = self._library.Transform(
            hflip=bool(self._options.get("hflip", False)), vflip=bool(self._options.get("vflip", False))
        )
        camera.configure(
            camera.create_video_configuration(
                **streams, transform=flips, controls=self._controls(), buffer_count=BUFFERS
            )
        )
        actual = camera.camera_configuration()[self._stream]
        # libcamera replaces settings that a camera lacks, and picamera2 reports it only in its log.
        if actual["format"] != self._format:
            hint = f"use format={actual['format']} if it is one of {', '.join(FORMATS)}"
            raise ValueError(f"it gives {actual['format']} in place of {self._format}, {hint}")
        width, height = actual["size"]
        if (width, height) != self._size_px:
            raise ValueError(f"it gives {width}x{height} px, use size={width}x{height}")

    def _controls(self) -> dict[str, object]:
        """Return the options as libcamera's controls."""
        controls: dict[str, object] = {}
        if "fps" in self._options:
            # Equal limits fix the frame rate; libcamera would lower it in the dark otherwise.
            frame_us = round(1e6 / float(self._options["fps"]))  # type: ignore[arg-type]
            controls["FrameDurationLimits"] = (frame_us, frame_us)
        # Setting an exposure or a gain turns its automatic off.
        if "exposure_us" in self._options:
            controls["ExposureTime"] = round(float(self._options["exposure_us"]))  # type: ignore[arg-type]
        if "gain" in self._options:
            controls["AnalogueGain"] = self._options["gain"]
        return controls

    def _request(self) -> Any:
        try:
            # The default wait is unlimited and never ends if picamera2's thread has died
            # (picamera2#1090).
            return self._camera.capture_request(wait=TIMEOUT_S)
        except TimeoutError as error:
            raise SourceError(expected=f"a frame from {self.name} within {TIMEOUT_S:g} s", found="none") from error
        except (RuntimeError, OSError) as error:
            raise SourceError(expected=f"a frame from {self.name}", found=str(error)) from error

    def _stamp_ns(self, request: Any) -> int:
        """Return the sensor's time of the frame where it is plausible, else its arrival."""
        arrived_ns = monotonic_ns()
        stamp_ns = sensor_ns(request.get_metadata().get("SensorTimestamp"), arrived_ns)
        self.time_base = "arrival" if stamp_ns is None else "sensor"
        return arrived_ns if stamp_ns is None else stamp_ns

    def _copier(self) -> Any:
        if self._format in _PLAIN:
            swap = _PLAIN[self._format] != self._color
            return lambda mapped, out: np.copyto(out, mapped[:, :, ::-1] if swap else mapped)
        return yuv_converter(self._format, self._color, width_px=self._size_px[0])


def _import() -> Any:
    """Import picamera2, and libcamera's `Transform`, which picamera2 does not export."""
    try:
        import libcamera
        import picamera2
    except ImportError as error:
        raise MissingDependency(
            expected="picamera2 for a CSI camera",
            found=f"no {error.name!r} to import",
            hint="Run: sudo apt install python3-picamera2, and create the environment with "
            "python3 -m venv --system-site-packages.",
        ) from error
    from types import SimpleNamespace

    return SimpleNamespace(
        Picamera2=picamera2.Picamera2, MappedArray=picamera2.MappedArray, Transform=libcamera.Transform
    )
