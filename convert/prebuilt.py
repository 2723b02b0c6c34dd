"""Take a `.tflite` file that someone else converted as a bundle of plan `stack`: nothing is converted, everything else is as for any model.

There is no float model to hold it against. The proof says that the device's stream gives what the file gives, and, on labelled clips, how often that is right.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.clips import to_real
from convert.graph.arguments import positional
from convert.graph.layer_graph import Call, LayerGraph
from convert.interface.axes import read_layout
from convert.loading.load import LoadedModel
from convert.quantization.converter import ConvertedPart, Converter
from convert.quantization.layer_errors import LayerError
from convert.splitting.split import PartFunction, Split
from convert.verification.reference import Reference
from edgevid.backends.litert import LiteRt
from edgevid.backends.survey import Survey, survey
from edgevid.bundle.manifest import Part, Precision, Scores, Tensor
from edgevid.errors import ModelError
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.probabilities import to_probabilities
from edgevid.quant import dequantize, quantize

FILE = "whole.tflite"
_FED_AS_IT_IS = ("t,h,w,c", "h,w,c", "t,f", "f")


@dataclass(frozen=True)
class Adopted:
    """A `.tflite` file as a model.

    Attributes:
        loaded: For the record.
        graph: Its input, its output and nothing between.
        parts: It whole.
        part: The file as a part.
        notes: What was assumed.
    """

    loaded: LoadedModel
    graph: LayerGraph
    parts: Split
    part: ConvertedPart
    notes: tuple[str, ...]


def adopt(path: Path, *, axes: str | None = None, frames: int | None = None) -> Adopted:
    """Look at a `.tflite` file and take it.

    Args:
        path: The file.
        axes: What the axes of its input are, as for any model.
        frames: Its window, where its shape does not say.

    Returns:
        The file as a model.

    Raises:
        ModelError: It cannot run on a device, or is no classifier of one window.
    """
    found, data = survey(path), path.read_bytes()
    _refuse_unless_it_runs(found, path)
    inputs, outputs = LiteRt().describe(data, path.name)
    part = Part(
        role="whole",
        file=FILE,
        precision=_precision(found),
        inputs=tuple(inputs.values()),
        outputs=tuple(outputs.values()),
    )
    shape, classes = part.inputs[0].shape[1:], part.outputs[0].shape[1:]
    if len(classes) != 1:
        raise ModelError(
            expected="a classifier with an output of (classes)", got=classes, found=f"{classes} in {path}", path=path
        )
    layout = read_layout(shape, "Conv2D", axes=axes, frames=frames)
    if layout.axes not in _FED_AS_IT_IS or (layout.frames, *layout.frame) not in (shape, (1, *shape)):
        raise ModelError(
            expected="a .tflite file that takes frames or rows as they are",
            found=f"{layout.axes} {shape} in {path}",
            hint="Convert the trained model.",
            path=path,
        )
    window = (layout.frames, *layout.frame)
    model = TfliteModel(ConvertedPart(part, data))
    call = Call(model, (0,), (1,), positional((0,)), (None, classes[0]))
    whole = PartFunction("whole", model.as_outputs, ((1, *window) if window[0] > 1 else (1, *window[1:]),))
    loaded = LoadedModel(model, "tflite", path, hashlib.sha256(data).hexdigest(), "a .tflite file")
    notes = (
        "the file is taken as it was converted: there is no float model to hold it against, so agreement is with itself",
    )
    return Adopted(
        loaded,
        LayerGraph((call,), 0, 1, window),
        Split(window[0], window[1:], 0, None, None, None, whole, (), (), "the model is run as a whole"),
        ConvertedPart(part, data),
        notes
        if layout.axes in ("t,h,w,c", "t,f")
        else (*notes, f"the axes of input {shape} are taken as {layout.axes}; give --axes if they are others"),
    )


def _refuse_unless_it_runs(found: Survey, path: Path) -> None:
    if found.edgetpu:
        raise ModelError(
            expected="a .tflite file for the CPU",
            found=f"one compiled for the Edge TPU (edgetpu-custom-op): {path}",
            hint="Give its uncompiled twin.",
            path=path,
        )
    if found.flex:
        wanted = ", ".join(found.flex)
        raise ModelError(
            expected="builtin operators",
            found=f"{wanted} in {path}: no device runtime has TensorFlow's own (Flex)",
            hint="Give the trained model.",
            path=path,
        )
    if found.dynamic:
        raise ModelError(
            expected="static sizes",
            found=f"{_shapes(found)} in {path}",
            hint="Give the trained model, or convert it again with fixed sizes.",
            path=path,
        )
    if not found.runs:
        raise ModelError(expected="a .tflite file that runs", found=f"{path}: {found.reason}", path=path)
    if len(found.inputs) != 1 or len(found.outputs) != 1:
        raise ModelError(
            expected="one input and one output",
            found=f"{len(found.inputs)} and {len(found.outputs)} in {path}",
            hint="Give the trained model.",
            path=path,
        )


def _shapes(found: Survey) -> str:
    return ", ".join(f"{each['name']} {tuple(each['shape'])}" for each in (*found.inputs, *found.outputs))


def _precision(found: Survey) -> Precision:
    types = {each["dtype"] for each in (*found.inputs, *found.outputs)}
    return "int8" if types & {"int8", "uint8"} else "int16x8" if "int16" in types else "float32"


class TfliteModel:
    """The file as a function from windows of real numbers to real numbers, one at a time."""

    trainable_weights = ()
    name = FILE

    def get_weights(self) -> list[Array]:
        """Give none: they are the file's."""
        return []

    def _flatten_layers(self, **_options: bool) -> list[Any]:
        return []

    def __init__(self, part: ConvertedPart) -> None:
        self._part = part.part
        self._model = LiteRt().load(part.part, part.data)

    def tried(self) -> Array:
        """What it gives for noise, which says what its scores are."""
        return self(np.random.default_rng(0).random((8, *self._part.inputs[0].shape[1:]), np.float32))

    def __call__(self, windows: Any, training: bool = False) -> Array:
        """Run the file on windows (N, T, *frame), one after the other."""
        del training
        return np.stack([self._one(window) for window in np.asarray(windows)])

    def as_outputs(self, window: Any) -> list[Array]:
        """As a part's function: one window with its batch of 1."""
        return [self._one(np.asarray(window))[None]]

    def _one(self, window: Array) -> Array:
        given, answer = self._part.inputs[0], self._part.outputs[0]
        self._model.write(0, _stored(window.reshape(given.shape).astype(np.float32), given))
        self._model.invoke()
        return dequantize(self._model.read(0), answer.params)[0]


def _stored(values: Array, tensor: Tensor) -> Array:
    return values if tensor.params.is_float else quantize(values, tensor.params)


class FileReference(Reference):
    """The file's own answers, in the place of a float model's.

    Args:
        model: The file.
        spec: Its frames.
        kind: What its output is.
    """

    def __init__(self, model: TfliteModel, spec: InputSpec, kind: Scores) -> None:
        self._file, self._spec = model, spec
        self._probabilities = to_probabilities(kind)

    def scores(self, windows: Array) -> Array:
        """Ask the file.

        Args:
            windows: (N, T, *frame) prepared frames.

        Returns:
            (N, classes) float32 probabilities.
        """
        return self._probabilities(
            np.concatenate([self._file(to_real(window[None], self._spec)) for window in windows])
        )


class PassthroughConverter(Converter):
    """Stands where TensorFlow's converter stands, and gives a file that is converted already.

    Attributes:
        part: The file; set once it was looked at.
    """

    part: ConvertedPart
    calibrates = False

    def start(self) -> None:
        """Start nothing: there is no child."""

    def convert(
        self, function: PartFunction, precision: Precision, calibration: list[Array], *, edgetpu: bool = False
    ) -> ConvertedPart:
        """Give the file.

        Args:
            function: Not looked at.
            precision: Not looked at.
            calibration: Not looked at.
            edgetpu: Not looked at.

        Returns:
            The file as a part.
        """
        del function, precision, calibration, edgetpu
        return self.part

    def layer_errors(self, function: PartFunction, calibration: list[Array], *, output: str) -> list[LayerError]:
        """Give nothing: without the float model there is nothing to compare with.

        Args:
            function: Not looked at.
            calibration: Not looked at.
            output: Not looked at.

        Returns:
            An empty list.
        """
        del function, calibration, output
        return []
