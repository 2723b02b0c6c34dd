"""Model input: quantise each prepared frame once and collect those that the first part sees."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from edgevid.bundle.manifest import Manifest
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.ring import Ring
from edgevid.quant import QuantParams, pixel_flipper, pixel_grid, pixels_to_float, pixels_to_int8, quantize


class Intake(Protocol):
    """The entry of an engine: a buffer for the next frame, and the frames of the first part.

    Attributes:
        buffer: Buffer of shape `input.shape` and type `input.dtype` for the next prepared frame.
            `take` may overwrite it.
    """

    buffer: Array

    def take(self) -> Array | None:
        """Add the frame in the buffer.

        Returns:
            The first part's input, owned by the intake; None until enough frames have arrived.
        """
        ...

    def restart(self) -> None:
        """Drop all frames."""
        ...


def make_intake(manifest: Manifest) -> Intake:
    """Return a single buffer for a first part that sees one frame, else a ring."""
    return _OneFrame(manifest) if manifest.seen_frames == 1 else _SeveralFrames(manifest)


class _OneFrame:
    """Input of a part that sees one frame."""

    def __init__(self, manifest: Manifest) -> None:
        spec, tensor = manifest.input, manifest.parts[0].inputs[0]
        # (1, H, W, C): with a single frame, the time axis serves as the batch axis.
        self._batch = np.zeros((1, *spec.shape), tensor.dtype)
        self._store: Callable[[], object]
        if _is_bit_flip(spec, tensor.params):
            # Quantise in place: one buffer for uint8 pixels and int8 input stays in the CPU cache.
            self.buffer: Array = self._batch[0].view(np.uint8)
            self._store = pixel_flipper(self._batch[0])
        else:
            self.buffer = np.zeros(spec.shape, spec.dtype)
            self._store = partial(input_quantizer(spec, tensor.params), self.buffer, self._batch[0])

    def take(self) -> Array | None:
        self._store()
        return self._batch

    def restart(self) -> None:
        """Do nothing: no frame outlives its step."""


class _SeveralFrames:
    """Input of a part that sees several frames: a ring of quantised ones."""

    def __init__(self, manifest: Manifest) -> None:
        spec, tensor = manifest.input, manifest.parts[0].inputs[0]
        self._ring = Ring(manifest.seen_frames, spec.shape, tensor.dtype)
        self.buffer: Array = np.zeros(spec.shape, spec.dtype)
        self._store = input_quantizer(spec, tensor.params)

    def take(self) -> Array | None:
        self._store(self.buffer, self._ring.input_buffer())
        self._ring.commit()
        return self._ring.batch() if self._ring.full else None

    def restart(self) -> None:
        self._ring.clear()


def _is_bit_flip(spec: InputSpec, params: QuantParams) -> bool:
    return spec.kind == "frames" and not params.is_float and params.same_grid(pixel_grid(*spec.range))


def input_quantizer(spec: InputSpec, params: QuantParams) -> Callable[[Array, Array], None]:
    """Select how a prepared frame is quantised to the first part's input.

    Args:
        spec: The model's input.
        params: Grid of the first part's input.

    Returns:
        A function (frame, out) that reads a prepared frame (uint8 or float32) and fills an array of
        `params.dtype`.

    Cost: per byte one bit flip where the grid allows it, else one look-up in a table of 256 levels.
    """
    if spec.kind == "features":
        return lambda frame, out: np.copyto(out, quantize(frame, params))
    if params.is_float:
        return lambda frame, out: pixels_to_float(frame, *spec.range, out)
    if _is_bit_flip(spec, params):
        return pixels_to_int8
    levels = quantize(spec.range[0] + np.arange(256) * ((spec.range[1] - spec.range[0]) / 255.0), params)
    places = np.zeros(spec.shape, np.intp)

    def look_up(frame: Array, out: Array) -> None:
        # With indices of another type than intp, or a mode other than "clip", take() allocates
        # several times the frame.
        np.copyto(places, frame)
        levels.take(places, out=out, mode="clip")

    return look_up
