"""Affine quantisation with one scale per tensor: `real = scale * (stored - zero_point)`.

No other module of edgevid quantises. Stored numbers are always clipped to the limits of their type.

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

Dtype = Literal["int8", "uint8", "int16", "float32", "int32", "int64"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
# Types of whole numbers that are not quantised, such as a state that counts frames.
COUNTERS: tuple[Dtype, ...] = ("int32", "int64")

# Two scales that were computed from the same range differ by float32 rounding at most; 2**-20 is
# eight times that.
_SAME_SCALE = 2.0**-20
_TOP_BIT = np.uint8(0x80)
# Runtimes hold scales as float32: below this a scale is denormal or 0, above it infinite.
_MIN_SCALE, _MAX_SCALE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class QuantParams:
    """The quantisation grid of a tensor.

    Attributes:
        dtype: Storage type. "float32", "int32" and "int64" mean not quantised: scale 1, zero point 0.
        scale: Real distance between neighbouring stored numbers, above 0.
        zero_point: The stored number for 0.0.
    """

    dtype: Dtype
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ContractError(expected="a tensor dtype", choices=DTYPES, got=self.dtype)
        if not _MIN_SCALE <= self.scale <= _MAX_SCALE:
            raise ContractError(expected="a quantisation scale above 0 that float32 can hold", got=self.scale)
        low, high = (0, 0) if self.is_float or self.is_counter else self.limits
        if not low <= self.zero_point <= high:
            raise ContractError(expected=f"a zero point of {low} to {high} for {self.dtype}", got=self.zero_point)
        if (self.is_float or self.is_counter) and self.scale != 1.0:
            raise ContractError(expected=f"a scale of 1 for {self.dtype}", got=self.scale)

    @property
    def is_float(self) -> bool:
        """Whether the tensor holds real numbers as they are."""
        return self.dtype == "float32"

    @property
    def is_counter(self) -> bool:
        """Whether the tensor holds whole numbers as they are, such as a count of frames."""
        return self.dtype in COUNTERS

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest stored integer."""
        info = np.iinfo(self.dtype)
        return int(info.min), int(info.max)

    def same_grid(self, other: QuantParams) -> bool:
        """Return whether both grids are equal, up to float32 rounding of the scale."""
        return (
            self.dtype == other.dtype
            and self.zero_point == other.zero_point
            and abs(self.scale / other.scale - 1.0) < _SAME_SCALE
        )


FLOAT32 = QuantParams("float32")


def quantize(real: Array, params: QuantParams) -> Array:
    """Quantise real numbers: round to the nearest stored number and clip to the type's limits.

    Args:
        real: Floats, any shape.
        params: The target grid.

    Returns:
        A new array of `params.dtype` with the same shape.
    """
    if params.is_float:
        return real.astype(np.float32)
    low, high = params.limits
    return np.clip(np.rint(real / params.scale) + params.zero_point, low, high).astype(params.dtype)


def dequantize(stored: Array, params: QuantParams) -> Array:
    """Return the real numbers of stored ones.

    Args:
        stored: `params.dtype`, any shape.
        params: The grid of `stored`.

    Returns:
        A new float32 array with the same shape.
    """
    if params.is_float:
        return stored.astype(np.float32)
    return (stored.astype(np.float32) - np.float32(params.zero_point)) * np.float32(params.scale)


def dequantizer(params: QuantParams) -> Callable[[Array], Array]:
    """Return a fast `dequantize` for one grid; 8-bit types use a table of 256 entries.

    Args:
        params: The grid of the arrays to come.

    Returns:
        A function from contiguous arrays of `params.dtype` to new float32 arrays, equal to `dequantize`.
    """
    if params.dtype not in ("int8", "uint8"):
        return lambda stored: dequantize(stored, params)
    # A negative int8 indexes from the end of the table, where its entry is. So `take` needs no view
    # as uint8, which would make the call four times as long.
    return dequantize(_all_stored(params), params).take


def joiner(source: QuantParams, target: QuantParams) -> Callable[[Array, Array], None]:
    """Return the function that converts one tensor's stored numbers to another tensor's grid.

    On equal grids it copies integers, without a detour through floats.

    Args:
        source: Grid of the tensor to read.
        target: Grid of the tensor to write.

    Returns:
        A function `(stored, out)` that fills `out`: `target.dtype`, a shape that `stored`
        broadcasts to.
    """
    if passes(source, target):
        return _copy
    if target.is_float:
        return _in_place_dequantizer(source)
    if source.dtype in ("int8", "uint8"):
        return _TableJoiner(quantize(dequantize(_all_stored(source), source), target))

    def requantize(stored: Array, out: Array) -> None:
        np.copyto(out, quantize(dequantize(stored, source), target))

    return requantize


def passes(source: QuantParams, target: QuantParams) -> bool:
    """Return whether every stored number of one grid becomes the same stored number of another.

    If so, `joiner` copies. The scales of two 8-bit grids may differ by about a thousandth for that.

    Args:
        source: Grid of the tensor to read.
        target: Grid of the tensor to write.
    """
    if source.same_grid(target):
        return True
    if source.dtype != target.dtype or source.dtype not in ("int8", "uint8"):
        return False
    every = _all_stored(source)
    return bool(np.array_equal(quantize(dequantize(every, source), target), every))


def _all_stored(params: QuantParams) -> Array:
    """Return the 256 stored numbers of an 8-bit type, (256,), ordered by their bits as uint8."""
    return np.arange(256, dtype=np.uint8).view(params.dtype)


class _TableJoiner:
    """Converts 8-bit numbers with a table, (256,) of the target's dtype, indexed by their bits as uint8."""

    __slots__ = ("_indices", "_looked_up", "_table")

    def __init__(self, table: Array) -> None:
        self._table = table
        self._indices = np.zeros(0, np.intp)
        self._looked_up = np.zeros(0, table.dtype)

    def __call__(self, stored: Array, out: Array) -> None:
        if self._indices.shape != stored.shape:
            self._indices = np.zeros(stored.shape, np.intp)
            self._looked_up = np.zeros(stored.shape, self._table.dtype)
        # take() allocates several times the array unless indices are intp and the mode is "clip".
        np.copyto(self._indices, stored.view(np.uint8))
        self._table.take(self._indices, out=self._looked_up, mode="clip")
        out[...] = self._looked_up


def _in_place_dequantizer(params: QuantParams) -> Callable[[Array, Array], None]:
    """Return a `dequantize` that fills an array, with the same operations and so the same bits.

    Args:
        params: Grid of the numbers to read.

    Cost: 1 us for 128 numbers (x86); a table takes 1.6 us, and four times as long when an encoder has just emptied
    the processor's cache.
    """
    # Arrays, since numpy would convert scalars at each call.
    zero_point, scale = np.array(params.zero_point, np.float32), np.array(params.scale, np.float32)

    def fill(stored: Array, out: Array) -> None:
        out[...] = stored
        np.subtract(out, zero_point, out)
        np.multiply(out, scale, out)

    return fill


def _copy(stored: Array, out: Array) -> None:
    out[...] = stored


def pixel_grid(low: float, high: float) -> QuantParams:
    """Return the int8 grid that stores a pixel p of 0..255 as `p - 128`.

    Training saw the pixel as `low + p * (high - low) / 255`. The grid is exact if `low` is 0.
    Otherwise the zero point is rounded, and all pixels share one error of at most half a level.

    Args:
        low: Value of pixel 0 in training.
        high: Value of pixel 255 in training.
    """
    scale = (high - low) / 255.0
    return QuantParams("int8", scale, int(np.clip(np.rint(-128.0 - low / scale), -128, 127)))


def pixels_to_int8(pixels: Pixels, out: Array) -> None:
    """Quantise pixels to `pixel_grid`: flipping the top bit of a byte subtracts 128.

    Args:
        pixels: uint8, any shape, contiguous or not.
        out: int8, same shape; filled.

    Cost: 2.9 us for 112x112x3 on one x86 thread (70 us through floats).
    """
    np.bitwise_xor(pixels, _TOP_BIT, out=out.view(np.uint8))


def pixel_flipper(stored: Array) -> Callable[[], object]:
    """Return an in-place `pixels_to_int8` for one buffer, with nothing left to look up per frame.

    Args:
        stored: int8, any shape, owned by the caller; holds pixels as bytes before each call.

    Returns:
        A function that converts the buffer to `pixel_grid`.
    """
    pixels = stored.view(np.uint8)
    # An array, since numpy would convert a scalar at each call.
    return partial(np.bitwise_xor, pixels, np.array(_TOP_BIT), pixels)


def pixels_to_float(pixels: Pixels, low: float, high: float, out: Array) -> None:
    """Scale pixels to the range of training.

    Args:
        pixels: uint8, any shape.
        low: Value of pixel 0 in training.
        high: Value of pixel 255 in training.
        out: float32, same shape; filled.
    """
    np.multiply(pixels, np.float32((high - low) / 255.0), out=out, casting="unsafe")
    if low:
        np.add(out, np.float32(low), out=out)
