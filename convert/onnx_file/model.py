"""A `.onnx` file with the interface of a Keras model: ONNX Runtime answers, layers are split."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.frameworks.messages import reason_of
from convert.graph.layer_graph import ModelGraph
from convert.onnx_file.axes import InputReading, read_input
from convert.onnx_file.importing import ImportedGraph, check_operators, import_graph
from convert.onnx_file.read import OnnxFile
from edgevid.errors import ModelError
from edgevid.frames import Array


class OnnxModel:
    """A file that is not translated yet, since options may state the axes and open sizes of its input.

    Args:
        file: The checked file.

    Raises:
        ModelError: An operator has no counterpart.
    """

    trainable_weights = weights = ()
    name = "onnx"

    def __init__(self, file: OnnxFile) -> None:
        check_operators(file)
        self._file = file
        self._layers: tuple[Any, ...] = ()

    def with_layout(
        self, *, axes: str | None, frames: int | None, size: tuple[int, int] | None
    ) -> tuple[WindowedOnnx, InputReading]:
        """Translate the file for a layout of its input.

        Args:
            axes: Meaning of its axes, in the file's order; None to infer it.
            frames: Length of the window, if the file leaves it open.
            size: (height, width) of a frame, if the file leaves it open.

        Returns:
            The model, and how its input was read.

        Raises:
            UsageError: `axes` does not fit the input.
            ModelError: A size is open, an operator has no counterpart, or ONNX Runtime rejects the file.
        """
        reading = read_input(self._file, axes=axes, frames=frames, size=size)
        imported = import_graph(self._file, reading.shape, reading.order)
        self._layers = imported.layers
        # Not before the translation, which knows the sizes of all tensors: the runtime computes constants of any.
        return WindowedOnnx(_session(self._file), imported, reading), reading

    def get_weights(self) -> list[Array]:
        """Return the weights of the Keras layers, once the file is translated."""
        return [each for layer in self._layers for each in layer.get_weights()]

    def _flatten_layers(self, **_options: bool) -> list[Any]:
        return list(self._layers)


class WindowedOnnx:
    """A translated file, whose answers are ONNX Runtime's.

    Args:
        session: Runs the file.
        imported: The file's calls.
        reading: How the file's input was read.
    """

    trainable_weights = weights = ()
    name = "onnx"

    def __init__(self, session: Any, imported: ImportedGraph, reading: InputReading) -> None:
        self._session, self._imported = session, imported
        self._shape, self._turn = reading.shape, tuple(np.argsort(reading.order).tolist())
        self._input = session.get_inputs()[0]

    def as_graph(self) -> ModelGraph:
        """Return the file's calls."""
        return self._imported.graph

    def __call__(self, inputs: Any, training: bool = False) -> list[Any]:
        """Run the file by ONNX Runtime.

        Args:
            inputs: Windows (N, ...), with their axes in the device's order.
            training: Ignored: a file is for inference.

        Returns:
            Its outputs, float32.
        """
        del training
        import tensorflow as tf

        windows = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        shapes = self._imported.graph.output_shapes
        answers = tf.numpy_function(self._run, [windows], [tf.float32] * len(shapes))
        # TensorFlow returns a list of one tensor as that tensor.
        answers = list(answers) if isinstance(answers, (list, tuple)) else [answers]
        for answer, shape in zip(answers, shapes, strict=True):
            answer.set_shape((windows.shape[0], *shape))
        return answers

    def _run(self, windows: Array) -> list[Array]:
        # One by one: an export may fix its batch at 1, or its shapes for it.
        dtype = np.float16 if self._input.type == "tensor(float16)" else np.float32
        rows = [self._answers(window.transpose(self._turn).astype(dtype)) for window in windows[:, None]]
        return [np.concatenate(column).astype(np.float32) for column in zip(*rows, strict=True)]

    def _answers(self, window: Array) -> list[Array]:
        answers = self._session.run(None, {self._input.name: window.reshape(self._shape)})
        return [
            np.asarray(answer).reshape((1, *(int(size or 1) for size in shape)))
            for answer, shape in zip(answers, self._imported.graph.output_shapes, strict=True)
        ]


def _session(file: OnnxFile) -> Any:
    """Return a session of ONNX Runtime for a file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Calls already run in threads of our own. 3: errors only.
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    try:
        return onnxruntime.InferenceSession(
            file.model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:  # the runtime can raise anything
        raise ModelError(
            expected="a .onnx file that ONNX Runtime can run",
            found=f"{file.path}: {reason_of(error)}",
            hint="Export it again.",
            path=file.path,
        ) from error
