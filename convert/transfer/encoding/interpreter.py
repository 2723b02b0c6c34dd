"""A converted encoder in the device's interpreter. Nothing here needs TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevid.backends.litert import LiteRt
from edgevid.bundle.parts import Part
from edgevid.frames import Array, Pixels
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.model_input import input_quantizer
from edgevid.quant import dequantize


@dataclass(frozen=True, eq=False)
class CompiledEncoder:
    """An encoder that runs in the device's interpreter.

    Attributes:
        part: Its tensors.
        data: The `.tflite` file.
        input: The pixels of a frame.
        seen_frames: Neighbouring frames that one feature vector depends on.
    """

    part: Part
    data: bytes
    input: InputSpec
    seen_frames: int

    def open(self, *, threads: int = 1) -> OpenedEncoder:
        """Load the file into an interpreter."""
        return OpenedEncoder(self, LiteRt(threads=threads).load(self.part, self.data))


class OpenedEncoder:
    """An interpreter with an encoder.

    Args:
        compiled: The encoder.
        model: The interpreter.
    """

    def __init__(self, compiled: CompiledEncoder, model: Any) -> None:
        self._compiled, self._model = compiled, model
        self._store = input_quantizer(compiled.input, compiled.part.inputs[0].params)

    def encode(self, window: Pixels) -> Array:
        """Encode a window.

        Args:
            window: (T, H, W, C) uint8.

        Returns:
            (T - seen_frames + 1, F) float32.
        """
        entered, left = self._compiled.part.inputs[0], self._compiled.part.outputs[0]
        stored = np.empty(window.shape, entered.params.dtype)
        for frame, out in zip(window, stored, strict=True):
            self._store(frame, out)
        features = []
        for first in range(len(window) - self._compiled.seen_frames + 1):
            self._model.write(0, stored[first : first + self._compiled.seen_frames].reshape(entered.shape))
            self._model.invoke()
            features.append(dequantize(self._model.read(0), left.params)[0])
        return np.stack(features)
