"""Affine quantisation: the only place in edgevid with its arithmetic. It always clips.

`real = scale * (quantised - zero_point)`, one scale per tensor.

Source: TensorFlow Lite 8-bit quantization specification, https://ai.google.dev/edge/litert/models/quantization_spec
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np

from edgevid.errors import ContractError
from edgevid.frames import Array, Pixels

Dtype = Literal["int8", "uint8", "int16", "float32"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)

# Two scales that were computed from the same range differ by float32 rounding at most; 2**-20 is eight times that.
_SAME_SCALE = 2.0**-20
_TOP_BIT = np.uint8(0x80)
_LEAST_SCALE, _GREATEST_SCALE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class QuantParams:
    """How a tensor's stored numbers stand for real ones.

    Attributes:
        dtype: Storage type. For "float32", `scale` is 1 and `zero_point` 0, and numbers stand for themselves.
        scale: Real distance of two neighbouring stored numbers, > 0.
        zero_point: The stored number that stands for 0.0.
    """

    dtype: Dtype
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ContractError(expected="a tensor dtype", choices=DTYPES, got=self.dtype)
        if not _LEAST_SCALE <= self.scale <= _GREATEST_SCALE:
            raise ContractError(expected="a quantisation scale above 0 that float32 can hold", got=self.scale)
        low, high = (0, 0) if self.is_float else self.limits
        if not low <= self.zero_point <= high:
            raise ContractError(expected=f"a zero point of {low} to {high} for {self.dtype}", got=self.zero_point)
        if self.is_float and self.scale != 1.0:
            raise ContractError(expected="a scale of 1 for float32", got=self.scale)

    @property
    def is_float(self) -> bool:
        """Whether numbers stand for themselves."""
        return self.dtype == "float32"

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest stored integer."""
        info = np.iinfo(self.dtype)
        return int(info.min), int(info.max)

    def same_grid(self, other: QuantParams) -> bool:
        """Whether every stored number means the same under both."""
        return (
            self.dtype == other.dtype
            and self.zero_point == other.zero_point
            and abs(self.scale / other.scale - 1.0) < _SAME_SCALE
        )


FLOAT32 = QuantParams("float32")


def quantize(real: Array, params: QuantParams) -> Array:
    """Round real numbers to the nearest stored ones and clip them to the type's limits.

    Args:
        real: Float array of any shape.
        params: The target grid.

    Returns:
        A new array of `params.dtype`, of the same shape.
    """
    if params.is_float:
        return real.astype(np.float32)
    low, high = params.limits
    return np.clip(np.rint(real / params.scale) + params.zero_point, low, high).astype(params.dtype)


def dequantize(stored: Array, params: QuantParams) -> Array:
    """Give the real numbers that stored ones stand for.

    Args:
        stored: Array of `params.dtype`, any shape.
        params: Its grid.

    Returns:
        A new float32 array of the same shape.
    """
    if params.is_float:
        return stored.astype(np.float32)
    return (stored.astype(np.float32) - np.float32(params.zero_point)) * np.float32(params.scale)


def dequantizer(params: QuantParams) -> Callable[[Array], Array]:
    """Choose how stored numbers become real ones, once, before the loop: by looking up one of 256, where there are no more.

    Args:
        params: Their grid.

    Returns:
        A function with the same result as `dequantize`, for contiguous arrays of `params.dtype`.
    """
    if params.dtype not in ("int8", "uint8"):
        return lambda stored: dequantize(stored, params)
    # A number below zero is a place from the end, where the table has it: to take by int8 as it is costs a quarter of a view as uint8 and that.
    return dequantize(np.arange(256, dtype=np.uint8).view(params.dtype), params).take


def joiner(source: QuantParams, target: QuantParams) -> Callable[[Array, Array], None]:
    """Choose how numbers of one tensor become numbers of another, once, before the loop.

    Where both lie on one grid this is a plain copy: no integer is ever taken through a float on its way.

    Args:
        source: Grid of the tensor that is read.
        target: Grid of the tensor that is written.

    Returns:
        A function `(stored, out)` that fills `out`, an array of `target.dtype` with a shape that `stored` can be broadcast to.
    """
    if passes(source, target):
        return _copy
    if source.dtype in ("int8", "uint8"):
        joined = quantize(dequantize(np.arange(256, dtype=np.uint8).view(source.dtype), source), target)

        places, taken = np.zeros(0, np.intp), np.zeros(0, joined.dtype)

        def look_up(stored: Array, out: Array) -> None:
            nonlocal places, taken
            if places.shape != stored.shape:
                places, taken = np.zeros(stored.shape, np.intp), np.zeros(stored.shape, joined.dtype)
            # Indices of another type than intp, or a mode other than "clip", would make take() allocate several times the array.
            np.copyto(places, stored.view(np.uint8))
            joined.take(places, out=taken, mode="clip")
            out[...] = taken

        return look_up

    def requantize(stored: Array, out: Array) -> None:
        np.copyto(out, quantize(dequantize(stored, source), target))

    return requantize


def passes(source: QuantParams, target: QuantParams) -> bool:
    """Tell whether a number of one tensor becomes the same stored number of another, whichever it is.

    Args:
        source: Grid of the tensor that is read.
        target: Grid of the tensor that is written.

    Returns:
        Whether `joiner` copies; two grids of 256 numbers may be a thousandth apart for that.
    """
    if source.same_grid(target):
        return True
    if source.dtype != target.dtype or source.dtype not in ("int8", "uint8"):
        return False
    every = np.arange(256, dtype=np.uint8).view(source.dtype)
    return bool(np.array_equal(quantize(dequantize(every, source), target), every))


def _copy(stored: Array, out: Array) -> None:
    out[...] = stored


def pixel_grid(low: float, high: float) -> QuantParams:
    """Give the int8 grid on which a pixel p of 0..255, trained as `low + p * (high - low) / 255`, is the stored number `p - 128`.

    Exact where low is 0. Elsewhere the zero point rounds, and every pixel is off by the same at most half a level.

    Args:
        low: What a pixel of 0 was in training.
        high: What a pixel of 255 was in training.

    Returns:
        int8 parameters with scale `(high - low) / 255`.
    """
    scale = (high - low) / 255.0
    return QuantParams("int8", scale, int(np.clip(np.rint(-128.0 - low / scale), -128, 127)))


def pixels_to_int8(pixels: Pixels, out: Array) -> None:
    """Quantise pixels to `pixel_grid`: flip the top bit of each byte, which subtracts 128.

    Args:
        pixels: uint8, any shape, contiguous or not.
        out: int8 of the same shape; filled.

    Cost: 2.9 us for 112x112x3 on one x86 thread, against 70 us through floats.
    """
    np.bitwise_xor(pixels, _TOP_BIT, out=out.view(np.uint8))


def pixel_flipper(stored: Array) -> Callable[[], object]:
    """Choose the same for pixels that lie where their quantised selves shall be, with nothing left to look up per frame.

    Args:
        stored: int8, any shape; holds pixels as bytes before each call.

    Returns:
        A function that turns them into `pixel_grid`'s numbers in place.
    """
    pixels = stored.view(np.uint8)
    return partial(
        np.bitwise_xor, pixels, np.array(_TOP_BIT), pixels
    )  # a scalar would be made an array for every frame


def pixels_to_float(pixels: Pixels, low: float, high: float, out: Array) -> None:
    """Scale pixels to the range they were trained in.

    Args:
        pixels: uint8, any shape.
        low: What a pixel of 0 was in training.
        high: What a pixel of 255 was in training.
        out: float32 of the same shape; filled.
    """
    np.multiply(pixels, np.float32((high - low) / 255.0), out=out, casting="unsafe")
    if low:
        np.add(out, np.float32(low), out=out)
