"""Preprocessing from a camera's frame to the model's pixels. Training, conversion and device share this code.

The order is fixed: cut or fit, resize, colour. After the first frame of a size, nothing of frame
size is allocated. Scaling to the training range and quantising are one bit flip, see `quant.pixels_to_int8`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from edgevid.errors import ContractError
from edgevid.frames import Array, Color, Frame, Pixels
from edgevid.frames.imaging import converter, resizer
from edgevid.frames.keypoint_rows import looks_like

Kind = Literal["frames", "features"]
ResizeRule = Literal["stretch", "crop", "letterbox"]
Interpolation = Literal["nearest", "linear", "area", "cubic"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RESIZE_RULES: tuple[ResizeRule, ...] = get_args(ResizeRule)
INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)
MODEL_COLORS: tuple[Color, ...] = ("rgb", "bgr", "gray", "none")
_CHANNELS: dict[Color, int] = {"rgb": 3, "bgr": 3, "gray": 1}


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """The input that a model expects, for one frame.

    Attributes:
        kind: "frames" for pictures, "features" for vectors.
        height: Rows in pixels; 1 for features.
        width: Columns in pixels; 1 for features.
        channels: 3 for rgb and bgr, 1 for gray; the vector's length for features.
        color: Channel order in training; "none" for features.
        range: Values of pixels 0 and 255 in training, (low, high).
        resize: "stretch" ignores the aspect ratio, "crop" cuts the centre, "letterbox" pads with black.
        interpolation: OpenCV's name in lower case: "nearest", "linear", "area" or "cubic".
    """

    kind: Kind = "frames"
    height: int
    width: int
    channels: int
    color: Color = "rgb"
    range: tuple[float, float] = (0.0, 1.0)
    resize: ResizeRule = "stretch"
    interpolation: Interpolation = "linear"

    def __post_init__(self) -> None:
        ContractError.unless(self.kind in KINDS, expected="an input kind", choices=KINDS, got=self.kind)
        ContractError.unless(self.color in MODEL_COLORS, expected="a color", choices=MODEL_COLORS, got=self.color)
        ContractError.unless(
            self.resize in RESIZE_RULES, expected="a resize rule", choices=RESIZE_RULES, got=self.resize
        )
        ContractError.unless(
            self.interpolation in INTERPOLATIONS,
            expected="an interpolation",
            choices=INTERPOLATIONS,
            got=self.interpolation,
        )
        ContractError.unless(min(self.shape) >= 1, expected="a frame shape of at least 1", got=self.shape)
        ContractError.unless(
            -math.inf < self.range[0] < self.range[1] < math.inf,
            expected="a range LOW,HIGH with LOW below HIGH",
            got=self.range,
        )
        wanted = _CHANNELS.get(self.color, self.channels)
        ContractError.unless(
            self.channels == wanted, expected=f"{wanted} channel(s) for color {self.color!r}", got=self.channels
        )
        ContractError.unless(
            (self.kind == "features") == (self.color == "none"),
            expected="color 'none' for features, and only for them",
            got=self.color,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one frame: (H, W, C), or (F,) for features."""
        return (self.channels,) if self.kind == "features" else (self.height, self.width, self.channels)

    @property
    def dtype(self) -> type[np.generic]:
        """Dtype of one prepared frame: uint8 for pixels, float32 for features."""
        return np.float32 if self.kind == "features" else np.uint8


class Preprocessor:
    """Converts frames of any size and colour to the model's input.

    It holds scratch buffers for the latest frame size; another size costs one allocation.

    Args:
        spec: The model's input.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self._layout: tuple[tuple[int, ...], np.dtype[Any], Color] | None = None
        self._data: Array | None = None
        self._color: Color = "none"
        self._scratch: Pixels = np.zeros((0, 0, 0), np.uint8)
        self._convert: Callable[[Array, Array], None] = _reject_unplanned

    def write(self, frame: Frame, out: Array) -> None:
        """Fill `out` with the prepared frame.

        Args:
            frame: A picture of any size with color rgb, bgr or gray; or a feature vector with color "none".
            out: `spec.shape` of `spec.dtype`, contiguous; owned by the caller.

        Raises:
            ContractError: If the model cannot take the frame.

        Cost: at most one resize and one channel swap; no allocation of frame size.
        """
        data = frame.data
        # Most sources reuse one buffer, or a few in turn, so identity saves comparing shapes.
        if data is not self._data or frame.color is not self._color:
            self._replan(frame)
        self._convert(data, out)

    def _replan(self, frame: Frame) -> None:
        """Choose the conversion again if the size, dtype or colour has changed."""
        layout = (frame.data.shape, frame.data.dtype, frame.color)
        if layout != self._layout:
            self._convert = self._plan(frame)
            self._layout = layout
        self._data, self._color = frame.data, frame.color

    def _plan(self, frame: Frame) -> Callable[[Array, Array], None]:
        if self.spec.kind == "features":
            return self._plan_features(frame)
        check_picture(frame)
        data = frame.data
        recolor = converter(frame.color, self.spec.color)
        height, width = self.spec.height, self.spec.width
        if data.shape[:2] == (height, width):
            return recolor or (lambda pixels, out: np.copyto(out, pixels))
        resize = resizer(self.spec.resize, self.spec.interpolation, source=data.shape, target=(height, width))
        if recolor is None:
            return resize
        # Colour after the resize: it touches fewer pixels.
        if self._scratch.shape[2] != data.shape[2]:
            # Kept when frames of another size come: a crop that follows a person changes often.
            self._scratch = np.zeros((height, width, data.shape[2]), np.uint8)
        scratch = self._scratch

        def resize_then_recolor(pixels: Array, out: Array) -> None:
            resize(pixels, scratch)
            recolor(scratch, out)

        return resize_then_recolor

    def _plan_features(self, frame: Frame) -> Callable[[Array, Array], None]:
        likely = looks_like(self.spec.channels) if frame.color != "none" else ""
        ContractError.unless(
            frame.data.shape == self.spec.shape,
            expected=f"features of shape {self.spec.shape}",
            got=frame.data.shape,
            hint=f"They look like key points {likely}: pass --keypoints." if likely else "",
        )
        return lambda features, out: np.copyto(out, features)


class SharedPreprocessor:
    """Prepares each frame once for several models with the same input; each model gets a copy.

    Args:
        spec: The common input; the models' ranges may differ, since preprocessing ignores the range.

    Attributes:
        spec: The common input.
    """

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self._preprocessor = Preprocessor(spec)
        self._prepared = np.zeros(spec.shape, spec.dtype)
        self._frame: Frame | None = None

    def write(self, frame: Frame, out: Array) -> None:
        """Fill `out` with the prepared frame.

        Args:
            frame: As for `Preprocessor.write`. A repeated `Frame` object is not prepared again.
            out: `spec.shape` of `spec.dtype`; owned by the caller.

        Raises:
            ContractError: If the models cannot take the frame.

        Cost: that of `Preprocessor.write` for the first model; for each a copy (2 us for 112x112x3
            on x86).
        """
        if frame is not self._frame:
            # Stays None if preparing raises: then the next model must not copy the buffer.
            self._frame = None
            self._preprocessor.write(frame, self._prepared)
            self._frame = frame
        np.copyto(out, self._prepared)


def check_picture(frame: Frame) -> None:
    """Reject a frame that is no picture of its color.

    Raises:
        ContractError: Its shape or dtype is another one, such as that of a torn frame.
    """
    data = frame.data
    if data.ndim != 3 or not data.size or data.dtype != np.uint8 or data.shape[2] != _CHANNELS.get(frame.color):
        raise ContractError(
            expected="a picture (H, W, C) uint8",
            got=data.shape,
            found=f"{data.shape} {data.dtype} of color {frame.color!r}",
        )


def _reject_unplanned(_pixels: Array, _out: Array) -> None:
    raise ContractError(expected="a planned frame", found="none")
