"""Loads SavedModel folders: the layers if Keras 2 wrote them, else the exported function."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convert.frameworks.messages import reason_of
from convert.graph.function_graph import LOOPS, Unrolled
from convert.graph.layer_graph import Call, ModelGraph, is_nested
from convert.guard.findings import Finding, unsafe_error
from convert.loading.subclassed import to_functional
from edgevid.errors import ModelError

_KERAS = "keras_metadata.pb"
_SIGNATURE = "serving_default"


def is_saved_model(path: Path) -> bool:
    """Return whether a path is a folder that holds a SavedModel."""
    return path.is_dir() and any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))


def hash_folder(path: Path) -> str:
    """Return one hash over the names and contents of all files of a folder."""
    total = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        total.update(f"{file.relative_to(path)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def load(
    path: Path, custom_objects: Mapping[str, Any], *, rejected_layers: Sequence[Finding] = ()
) -> tuple[Any, str, str, tuple[str, ...]]:
    """Load a SavedModel.

    Args:
        path: The folder.
        custom_objects: Classes of the model's own layers by name.
        rejected_layers: Why the layers may not be loaded. The exported function, which holds no
            code, is loaded instead.

    Returns:
        The model, its framework, the version that wrote it, and notes.

    Raises:
        ModelError: TensorFlow cannot load the folder, or it has no function from windows to scores.
    """
    layers_error = unsafe_error(rejected_layers, path) if rejected_layers else None
    if (path / _KERAS).is_file() and not rejected_layers:
        try:
            model, note = _with_layers(_load_keras(path, custom_objects), custom_objects)
            if is_nested(model):
                return model, "tf_keras", "2", ((note,) if note else ())
        except ModelError as error:
            layers_error = error
    note = "the SavedModel holds a function and no layers"
    try:
        return SignatureModel(path), "tensorflow", "unknown", (note,)
    except ModelError as error:
        # The error about the layers is the more specific one.
        raise layers_error or error from error


def _with_layers(model: Any, custom_objects: Mapping[str, Any]) -> tuple[Any, str]:
    import tf_keras

    # Without the user's code the class is a stand-in of TensorFlow, which has no layers to follow.
    return to_functional(model, tf_keras) if type(model) in custom_objects.values() else (model, "")


def _load_keras(path: Path, custom_objects: Mapping[str, Any]) -> Any:
    import tf_keras

    try:
        return tf_keras.models.load_model(str(path), compile=False, custom_objects=dict(custom_objects))
    except Exception as error:  # a framework can raise anything
        raise ModelError(
            expected=f"a SavedModel that tf_keras {tf_keras.__version__} can load",
            found=f"{path}: {reason_of(error)}",
            hint=""
            if custom_objects
            else "Pass the Python file that defines the model's own layers, if it has any: --custom-objects module.py",
            path=path,
        ) from error


def _operators(definition: Any) -> set[str]:
    """Return the names of the operators in a graph and in every function of it."""
    return {node.op for node in definition.node} | {
        node.op for function in definition.library.function for node in function.node_def
    }


class SignatureModel:
    """A SavedModel's function with the interface of a Keras model.

    Args:
        path: The folder.

    Raises:
        ModelError: TensorFlow cannot load the folder, or it has no signature from float windows to
            float scores.
    """

    # The function keeps its weights to itself.
    trainable_weights = weights = ()
    name = _SIGNATURE

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        try:
            # Kept alive: the signature refers to the model's variables weakly.
            self._loaded = tf.saved_model.load(str(path))
            self._function = self._loaded.signatures[_SIGNATURE]
        except Exception as error:  # TensorFlow can raise anything
            raise ModelError(
                expected=f"a SavedModel with the signature {_SIGNATURE!r}",
                found=f"{path}: {reason_of(error)}",
                path=path,
            ) from error
        self._unrolled = Unrolled(self._function) if LOOPS & _operators(self._function.graph.as_graph_def()) else None
        # Sorted, since the signature keeps no order of its own.
        self._inputs = dict(sorted(self._function.structured_input_signature[1].items()))
        self._outputs = dict(sorted(self._function.structured_outputs.items()))
        self._batch = next(iter(self._inputs.values())).shape[0] if self._inputs else None
        for name, spec in (*self._inputs.items(), *self._outputs.items()):
            if spec.shape.rank is None or spec.shape.rank < 2 or not spec.dtype.is_floating:
                raise ModelError(
                    expected="a function from float windows to float scores",
                    found=f"{name!r} of {spec.dtype.name} {spec.shape} in {path}",
                    path=path,
                )

    def __call__(self, inputs: Any, training: bool = False) -> list[Any]:
        """Run the function.

        Args:
            inputs: A tensor, or one for each input, with the batch.
            training: Ignored: the function was exported for inference.

        Returns:
            The outputs.
        """
        del training
        tensors = _listed(inputs)
        if self._batch is None or tensors[0].shape[0] == self._batch:
            return self._run(tensors)
        import tensorflow as tf

        # An export may fix its batch. Each window then runs by itself and fills a batch alone.
        windows = zip(*(tf.unstack(each) for each in tensors), strict=True)
        answers = [self._run([tf.repeat(each[None], self._batch, axis=0) for each in window]) for window in windows]
        return [tf.concat([each[:1] for each in column], axis=0) for column in zip(*answers, strict=True)]

    def _run(self, tensors: Sequence[Any]) -> list[Any]:
        results = self._function(**dict(zip(self._inputs, tensors, strict=True)))
        return [results[name] for name in self._outputs]

    def get_weights(self) -> list[Any]:
        """Return no weights: they belong to the function."""
        return []

    def _flatten_layers(self, **_options: bool) -> list[Any]:
        return []

    def answers_on_noise(self, place: int = 0) -> Any:
        """Return an output, by its place, for windows of noise, (8, ...)."""
        rng = np.random.default_rng(0)
        shapes = [(1, *[size or 8 for size in spec.shape[1:]]) for spec in self._inputs.values()]
        # One by one: an export may have a fixed batch of 1, and windows may be large.
        return np.concatenate(
            [np.asarray(self([rng.random(shape, np.float32) for shape in shapes])[place]) for _ in range(8)]
        )

    def traced(self, shapes: Sequence[Sequence[int]]) -> Any:
        """Return a concrete function whose calls are inlined and whose loops are unrolled.

        Args:
            shapes: Shapes of the inputs, with the batch.
        """
        import tensorflow as tf

        unrolled = self._unrolled or Unrolled(self._function)
        return tf.function(lambda *inputs: unrolled(inputs), autograph=False).get_concrete_function(
            *(tf.TensorSpec(shape) for shape in shapes)
        )

    def as_graph(self) -> ModelGraph:
        """Return a graph whose only call is the function."""
        shapes = [(None, *spec.shape[1:]) for spec in (*self._inputs.values(), *self._outputs.values())]
        count = len(self._inputs)
        numbers = tuple(range(1, len(shapes) + 1))
        layer = self if self._unrolled is None else WithoutLoops(self, self._unrolled)
        call = Call(
            layer,
            numbers[:count],
            numbers[count:],
            lambda values: (([values[each] for each in numbers[:count]],), {}),
            shapes[count],
        )
        inner = tuple(shape[1:] for shape in shapes)
        return ModelGraph(
            (call,),
            numbers[:count],
            numbers[count:],
            inner[:count],
            inner[count:],
            tuple(self._inputs),
            tuple(self._outputs),
        )


class WithoutLoops:
    """The function as the parts run it, with its loops unrolled over the window.

    Args:
        model: The function as it was exported, which the parts are compared with.
        unrolled: The function without loops.
    """

    trainable_weights = ()
    name = _SIGNATURE

    def __init__(self, model: SignatureModel, unrolled: Unrolled) -> None:
        self.answers_on_noise, self.traced = model.answers_on_noise, model.traced
        self._unrolled = unrolled

    def __call__(self, inputs: Any) -> list[Any]:
        """Run the function on a tensor, or one for each input, with static shapes."""
        return self._unrolled(_listed(inputs))


def _listed(inputs: Any) -> list[Any]:
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
