"""`.tflite` files that were converted elsewhere, as bundles of plan `stack`.

There is no float model to compare with. The proof shows that the device's stream returns what the
file returns and, on labelled clips, how often that is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.clips import to_real
from convert.graph.arguments import positional
from convert.graph.layer_graph import Call, LayerGraph
from convert.interface.axes import PLAIN, InputLayout, axes_note, read_layout
from convert.interface.first_layers import FirstLayers
from convert.loading.load import LoadedModel
from convert.quantization.converter import ConvertedPart
from convert.quantization.layer_errors import LayerError
from convert.rows import AnyRows, sliding
from convert.splitting.split import PartFunction, Split
from edgevid.backends.litert import LiteRt
from edgevid.backends.survey import Survey
from edgevid.bundle.manifest import Scores
from edgevid.bundle.parts import Part, Precision, Tensor
from edgevid.errors import ConversionError, ModelError
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.probabilities import to_probabilities
from edgevid.quant import dequantize, quantize

FILE = "whole.tflite"
_VARIABLE = "VAR_HANDLE"
ITS_OWN_REFERENCE = (
    "the file is used as it was converted: there is no float model, so agreement is with the file itself"
)
# Layouts in which the device can write its window into the input without moving a number.
_FED_UNCHANGED = ("t,h,w,c", "h,w,c", "t,f", "f")


@dataclass(frozen=True)
class PrebuiltModel:
    """A `.tflite` file as a model.

    Attributes:
        loaded: The file, for the bundle's record.
        graph: One call, from the input to the output.
        parts: The file as the only part.
        part: The file with its entry for the manifest.
        notes: Assumptions about the file, one line each.
    """

    loaded: LoadedModel
    graph: LayerGraph
    parts: Split
    part: ConvertedPart
    notes: tuple[str, ...]


def adopt(found: Survey, path: Path, *, axes: str | None = None, frames: int | None = None) -> PrebuiltModel:
    """Wrap a `.tflite` file as a model.

    Args:
        found: The file's survey.
        path: The file.
        axes: Meaning of the input's axes, one of `convert.interface.axes.AXES`; None to infer it.
        frames: Length of the window, if the input's shape leaves it open.

    Raises:
        ModelError: The file cannot run on a device, or is not a classifier of one window.
    """
    check_runs(found, path)
    _check_plain(found, path)
    data = path.read_bytes()
    part = _describe(found, data, path)
    shape, classes = part.inputs[0].shape[1:], part.outputs[0].shape[1:]
    layout = _layout(shape, path, axes=axes, frames=frames)
    window = (layout.frames, *layout.frame)
    converted = ConvertedPart(part, data)
    model = TfliteModel(converted)
    call = Call(model, (0,), (1,), positional((0,)), (None, classes[0]))
    # A model of one frame has no axis of time in its file.
    whole = PartFunction("whole", model.as_outputs, ((1, *window) if window[0] > 1 else (1, *window[1:]),))
    notes = [ITS_OWN_REFERENCE]
    notes += [axes_note(shape, layout)] if layout.axes not in PLAIN or layout.reason else []
    return PrebuiltModel(
        LoadedModel(model, "tflite", path, hashlib.sha256(data).hexdigest(), "a .tflite file"),
        LayerGraph((call,), 0, 1, window),
        Split(window[0], window[1:], 0, None, None, None, whole, (), (), "the model runs as a whole"),
        converted,
        tuple(notes),
    )


def _describe(found: Survey, data: bytes, path: Path) -> Part:
    inputs, outputs = LiteRt().describe(data, path.name)
    part = Part(
        role="whole",
        file=FILE,
        precision=precision_of(found),
        inputs=tuple(inputs.values()),
        outputs=tuple(outputs.values()),
    )
    classes = part.outputs[0].shape[1:]
    if len(classes) != 1:
        raise ModelError(
            expected="a classifier with an output of (classes)", got=classes, found=f"{classes} in {path}", path=path
        )
    return part


def _layout(shape: tuple[int, ...], path: Path, *, axes: str | None, frames: int | None) -> InputLayout:
    # "Conv2D": a shape of three axes is read as one picture, as an image classifier's is.
    layout = read_layout(shape, FirstLayers("Conv2D"), axes=axes, frames=frames)
    if layout.axes not in _FED_UNCHANGED or (layout.frames, *layout.frame) not in (shape, (1, *shape)):
        raise ModelError(
            expected="a .tflite file that takes frames or rows as they are",
            found=f"{layout.axes} {shape} in {path}",
            hint="Convert the trained model.",
            path=path,
        )
    return layout


def check_runs(found: Survey, path: Path) -> None:
    """Reject a file that cannot run on a device.

    Args:
        found: The file's survey.
        path: The file.

    Raises:
        ModelError: The file needs an accelerator or TensorFlow, has open sizes, or does not run.
    """
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
    if _VARIABLE in found.operators:
        raise ModelError(
            expected="a stream whose states are inputs and outputs",
            found=f"states in variables ({_VARIABLE}) in {path}, which the interpreter cannot reset",
            hint="Convert the model again with its states as inputs and outputs.",
            path=path,
        )


def _check_plain(found: Survey, path: Path) -> None:
    """Reject a file of several inputs or outputs."""
    if len(found.inputs) != 1 or len(found.outputs) != 1:
        raise ModelError(
            expected="one input and one output",
            found=f"{len(found.inputs)} and {len(found.outputs)} in {path}",
            hint="Give the trained model.",
            path=path,
        )


def _shapes(found: Survey) -> str:
    return ", ".join(f"{each['name']} {tuple(each['shape'])}" for each in (*found.inputs, *found.outputs))


def precision_of(found: Survey) -> Precision:
    """Return the precision of a file, by the types of its inputs and outputs."""
    types = {each["dtype"] for each in (*found.inputs, *found.outputs)}
    return "int8" if types & {"int8", "uint8"} else "int16x8" if "int16" in types else "float32"


class TfliteModel:
    """The file as a function from windows in float to scores in float, one window at a time."""

    # Attributes that code for Keras layers reads: a file has weights of its own and no layers.
    trainable_weights = ()
    name = FILE

    def __init__(self, part: ConvertedPart) -> None:
        self._part = part.part
        self._model = LiteRt().load(part.part, part.data)

    def get_weights(self) -> list[Array]:
        """Return no weights: they stay in the file."""
        return []

    def _flatten_layers(self, **_options: bool) -> list[Any]:
        return []

    def answers_on_noise(self, place: int = 0) -> Array:
        """Return the scores (8, classes) of windows of noise, from which their kind is inferred."""
        del place
        rng, shape = np.random.default_rng(0), self._part.inputs[0].shape
        # One by one, because windows may be large.
        return np.concatenate([self(rng.random((1, *shape[1:]), np.float32)) for _ in range(8)])

    def __call__(self, windows: Any, training: bool = False) -> Array:
        """Run the file on windows (N, T, *frame), one after the other."""
        del training
        return np.stack([self._run(window) for window in np.asarray(windows)])

    def as_outputs(self, window: Any) -> list[Array]:
        """Run the file on one window (1, T, *frame), as the function of a part."""
        return [self._run(np.asarray(window))[None]]

    def _run(self, window: Array) -> Array:
        source, target = self._part.inputs[0], self._part.outputs[0]
        self._model.write(0, stored(window.reshape(source.shape).astype(np.float32), source))
        self._model.invoke()
        return dequantize(self._model.read(0), target.params)[0]


def stored(values: Array, tensor: Tensor) -> Array:
    """Return real numbers (float32) as a tensor stores them."""
    return values if tensor.params.is_float else quantize(values, tensor.params)


class FileReference:
    """The file's own answers as the reference, since there is no float model.

    Implements `convert.verification.reference_answers.ReferenceAnswers`.

    Args:
        model: The file.
        spec: The file's input frame.
        kind: Kind of the file's output.
    """

    name = "the file as it is"

    def __init__(self, model: TfliteModel, spec: InputSpec, kind: Scores) -> None:
        self._file, self._spec = model, spec
        self._probabilities = to_probabilities(kind)

    def scores(self, windows: AnyRows) -> Array:
        """Run the file on windows (N, T, *frame) and return probabilities (N, classes) float32."""
        return self._probabilities(
            np.concatenate([self._file(to_real(window[None], self._spec)) for window in windows])
        )

    def stream_scores(self, frames: Array, window: int) -> Array:
        """Return the scores of each window in a stream of frames (N, *frame)."""
        return self.scores(sliding(frames, window))

    def split_scores(self, windows: AnyRows) -> Array:
        """Return the same as `scores`: the file is the only part."""
        return self.scores(windows)

    def split_stream_scores(self, frames: Array, window: int) -> Array:
        """Return the same as `stream_scores`: the file is the only part."""
        return self.stream_scores(frames, window)

    def values(self, windows: AnyRows) -> list[Array]:
        """Return no values: the file has one output."""
        del windows
        return []

    def split_values(self, windows: AnyRows) -> list[Array]:
        """Return no values: the file has one output."""
        del windows
        return []

    def rounding(self, windows: AnyRows) -> float:
        """Return 0: the file repeats its answers exactly."""
        del windows
        return 0.0

    def value_rounding(self, windows: AnyRows) -> list[float]:
        """Return none: the file has one output."""
        del windows
        return []


class PassthroughConverter:
    """A converter that returns a file which is converted already.

    Implements `convert.quantization.converter_protocol.PartConverter`.

    Args:
        part: The file.
    """

    # The file has its own grids; clips beyond their range are a warning and not an error.
    calibrates = False

    def __init__(self, part: ConvertedPart) -> None:
        self._part = part

    def prefetch(
        self, function: PartFunction, precision: Precision, calibration: Sequence[AnyRows], *, edgetpu: bool = False
    ) -> None:
        """Start nothing: `convert` returns at once."""

    def prefetch_layer_errors(self, function: PartFunction, calibration: Sequence[AnyRows], *, made: str = "") -> None:
        """Start nothing: `part_errors` measures nothing."""

    def convert(
        self, function: PartFunction, precision: Precision, calibration: Sequence[AnyRows], *, edgetpu: bool = False
    ) -> ConvertedPart:
        """Return the file; the arguments change nothing."""
        del function, precision, calibration, edgetpu
        return self._part

    def part_errors(
        self, made: ConvertedPart, function: PartFunction, calibration: Sequence[AnyRows], *, output: str
    ) -> list[LayerError]:
        """Raise, since layers are compared with those of a float model.

        Raises:
            ConversionError: Always.
        """
        raise ConversionError(
            expected="a float model to hold the layers against", found="a file that was converted already"
        )
