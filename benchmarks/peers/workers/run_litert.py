"""The TFLite interpreter without edgevid: the whole window, the feature cache of an expert, and the floor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from frame_windows import Array, Push, feature_cache, pixels_to_input, whole_window


class Model:
    """A `.tflite` file on one thread.

    Args:
        path: The file.

    Attributes:
        dtype: Type of the input.
        scale: Scale of the input, 0.0 if it is not quantised.
        zero_point: Zero point of the input.
    """

    def __init__(self, path: str) -> None:
        self.interpreter = Interpreter(model_content=Path(path).read_bytes(), num_threads=1)
        self.interpreter.allocate_tensors()
        self._given, self._result = self.interpreter.get_input_details()[0], self.interpreter.get_output_details()[0]
        self.dtype, (self.scale, self.zero_point) = self._given["dtype"], self._given["quantization"]
        names = {str(each["op_name"]) for each in self.interpreter._get_ops_details()}
        self._keeps_state = "UNIDIRECTIONAL_SEQUENCE_LSTM" in names

    def run(self, values: Array) -> Array:
        """Return the output of the model as it is stored."""
        if self._keeps_state:
            # A fused LSTM goes on from where the last window ended, unless it is told to begin again.
            self.interpreter.reset_all_variables()
        self.interpreter.set_tensor(self._given["index"], values)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self._result["index"])[0]

    def real(self, stored: Array) -> Array:
        """Return the real numbers of an output."""
        scale, zero_point = self._result["quantization"]
        return (stored.astype(np.float32) - zero_point) * np.float32(scale) if scale else stored

    def stored(self, real: Array) -> Array:
        """Return real numbers as the input stores them."""
        if self.dtype == np.float32:
            return real
        return np.clip(np.rint(real / self.scale) + self.zero_point, -128, 127).astype(np.int8)


def peer(job: dict[str, Any]) -> Push:
    """Return the peer that the job names."""
    kinds: dict[str, Callable[[dict[str, Any]], Push]] = {"window": _window, "cache": _cache, "floor": _floor}
    return kinds[job["kind"]](job)


def _window(job: dict[str, Any]) -> Push:
    model = Model(job["files"]["whole"])
    prepare = pixels_to_input(model.dtype, model.scale, model.zero_point)
    return whole_window(lambda window: model.real(model.run(window)), prepare, length=job["window"])


def _cache(job: dict[str, Any]) -> Push:
    encoder, head = Model(job["files"]["encoder"]), Model(job["files"]["head"])
    prepare = pixels_to_input(encoder.dtype, encoder.scale, encoder.zero_point)

    def encode(frame: Array) -> Array:
        return head.stored(encoder.real(encoder.run(prepare(frame)[None])))

    return feature_cache(encode, lambda features: head.real(head.run(features)), length=job["window"])


def _floor(job: dict[str, Any]) -> Push:
    """Invoke each part of a bundle: no frame goes in and no answer comes out."""
    invokes = [_loaded(path) for path in job["files"].values()]

    def push(_frame: Array) -> Array | None:
        for invoke in invokes:
            invoke()
        return None

    return push


def _loaded(path: str) -> Callable[[], None]:
    model = Model(path)
    # Without numbers in the inputs, a kernel may take a short cut, or a slow path for denormals.
    for detail in model.interpreter.get_input_details():
        values = np.random.default_rng(0).uniform(-1.0, 1.0, detail["shape"])
        whole = np.dtype(detail["dtype"]) != np.float32
        model.interpreter.set_tensor(detail["index"], (values * (100 if whole else 1)).astype(detail["dtype"]))
    return model.interpreter.invoke
