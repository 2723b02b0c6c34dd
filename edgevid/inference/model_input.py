"""How prepared frames become the first part's input: in its own type, a frame quantised once, and as many of them as it sees."""

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
    """Takes frames.

    Attributes:
        buffer: Place of the next prepared frame, `input.shape` of `input.dtype`, to fill before `take`, which may change what is in it.
    """

    buffer: Array

    def take(self) -> Array | None:
        """Take the frame in the buffer.

        Returns:
            The first part's input, which this owns, or None where it needs more frames.
        """
        ...

    def restart(self) -> None:
        """Forget every frame."""
        ...


def intake(manifest: Manifest) -> Intake:
    """Choose how a model's frames are taken.

    Args:
        manifest: The model's.

    Returns:
        For one frame at a time a buffer, for several a ring of them.
    """
    return _OneFrame(manifest) if manifest.seen_frames == 1 else _SeveralFrames(manifest)


class _OneFrame:
    """Pixels are flipped to int8 where they lie: one buffer is written, read and copied from, and stays in the processor's cache."""

    def __init__(self, manifest: Manifest) -> None:
        spec, tensor = manifest.input, manifest.parts[0].inputs[0]
        # A single frame's axis of time is the batch.
        self._batch = np.zeros((1, *spec.shape), tensor.dtype)
        self._store: Callable[[], object]
        if _flips(spec, tensor.params):
            self.buffer: Array = self._batch[0].view(np.uint8)
            self._store = pixel_flipper(self._batch[0])
        else:
            self.buffer = np.zeros(spec.shape, spec.dtype)
            self._store = partial(input_quantizer(spec, tensor.params), self.buffer, self._batch[0])

    def take(self) -> Array | None:
        self._store()
        return self._batch

    def restart(self) -> None:
        """Hold nothing."""


class _SeveralFrames:
    """A ring of the frames that the part sees."""

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


def _flips(spec: InputSpec, params: QuantParams) -> bool:
    return spec.kind == "frames" and not params.is_float and params.same_grid(pixel_grid(*spec.range))


def input_quantizer(spec: InputSpec, params: QuantParams) -> Callable[[Array, Array], None]:
    """Choose how a prepared frame becomes the first part's numbers: at best one bit flip a byte, else a table of 256 levels.

    Args:
        spec: The model's frames.
        params: Grid of the first part's input.

    Returns:
        A function from a prepared frame (uint8 or float32) that fills an array of `params.dtype`.
    """
    if spec.kind == "features":
        return lambda frame, out: np.copyto(out, quantize(frame, params))
    if params.is_float:
        return lambda frame, out: pixels_to_float(frame, *spec.range, out)
    if _flips(spec, params):
        return pixels_to_int8
    levels = quantize(spec.range[0] + np.arange(256) * ((spec.range[1] - spec.range[0]) / 255.0), params)
    places = np.zeros(spec.shape, np.intp)

    def look_up(frame: Array, out: Array) -> None:
        # Indices of another type than intp, or a mode other than "clip", would make take() allocate several times the frame.
        np.copyto(places, frame)
        levels.take(places, out=out, mode="clip")

    return look_up
