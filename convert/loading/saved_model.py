"""SavedModel folders: those of Keras 2, which hold the layers, and any other, of which only the function can be had."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convert.frameworks.messages import reason_of
from convert.graph.function_graph import LOOPS, Unrolled
from convert.graph.layer_graph import Call, ModelGraph, is_nested
from convert.loading.subclassed import laid_out
from edgevid.errors import ModelError

_KERAS = "keras_metadata.pb"
_SIGNATURE = "serving_default"


def is_one(path: Path) -> bool:
    """Tell whether a path is a SavedModel.

    Args:
        path: Any path.

    Returns:
        Whether it is a folder with a SavedModel in it.
    """
    return path.is_dir() and any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))


def holds_code(path: Path) -> bool:
    """Tell whether Keras would run code from the folder.

    Args:
        path: A SavedModel.

    Returns:
        Whether its Keras part names a Lambda layer.
    """
    described = path / _KERAS
    return described.is_file() and b'"class_name": "Lambda"' in described.read_bytes()


def sha256(path: Path) -> str:
    """Hash a folder.

    Args:
        path: A folder.

    Returns:
        One hash over the names and hashes of all its files.
    """
    whole = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        whole.update(f"{file.relative_to(path)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def load(path: Path, custom_objects: Mapping[str, Any]) -> tuple[Any, str, str, tuple[str, ...]]:
    """Load a SavedModel.

    Args:
        path: The folder.
        custom_objects: Classes of its own layers, by name.

    Returns:
        The model, the framework it belongs to, the version that wrote it, and what was done.

    Raises:
        ModelError: TensorFlow refuses it, or it has no function from one window to scores.
    """
    refusal: ModelError | None = None
    if (path / _KERAS).is_file():
        try:
            model, note = _with_layers(_load_keras(path, custom_objects), custom_objects)
            if is_nested(model):
                return model, "tf_keras", "2", ((note,) if note else ())
        except ModelError as error:
            refusal = error
    note = "the SavedModel holds a function and no layers"
    try:
        return SignatureModel(path), "tensorflow", "unknown", (note,)
    except ModelError as error:
        # Its layers say more of what is wrong than its function does.
        raise refusal or error from error


def _with_layers(model: Any, custom_objects: Mapping[str, Any]) -> tuple[Any, str]:
    """A class of a person's own as its layers, where its code was given; TensorFlow's stand-in for it has none."""
    import tf_keras

    return laid_out(model, tf_keras) if type(model) in custom_objects.values() else (model, "")


def _load_keras(path: Path, custom_objects: Mapping[str, Any]) -> Any:
    import tf_keras

    try:
        return tf_keras.models.load_model(str(path), compile=False, custom_objects=dict(custom_objects))
    except Exception as error:  # a framework raises anything at all on a folder that it does not like
        hint = (
            ""
            if custom_objects
            else " Where it has layers of its own, give the Python file that defines them: --custom-objects module.py"
        )
        raise ModelError(
            expected=f"a SavedModel that tf_keras {tf_keras.__version__} can load",
            found=f"{path}: {reason_of(error)}{hint}",
            path=path,
        ) from error


def _operators(definition: Any) -> set[str]:
    """Names of the operators of a graph and of every function in it."""
    return {node.op for node in definition.node} | {
        node.op for function in definition.library.function for node in function.node_def
    }


class SignatureModel:
    """A SavedModel's function with the face of a model.

    Args:
        path: The folder.

    Raises:
        ModelError: TensorFlow refuses it, or it has no signature with known shapes.
    """

    trainable_weights = weights = ()
    name = _SIGNATURE

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        try:
            self._held = tf.saved_model.load(str(path))
            self._function = self._held.signatures[_SIGNATURE]
        except Exception as error:  # TensorFlow raises anything at all on a folder that it does not like
            raise ModelError(
                expected=f"a SavedModel with the signature {_SIGNATURE!r}",
                found=f"{path}: {reason_of(error)}",
                path=path,
            ) from error
        self._unrolled = Unrolled(self._function) if LOOPS & _operators(self._function.graph.as_graph_def()) else None
        self._inputs = dict(sorted(self._function.structured_input_signature[1].items()))
        self._outputs = dict(sorted(self._function.structured_outputs.items()))
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
            training: Not looked at.

        Returns:
            Its outputs.
        """
        del training
        given = _listed(inputs)
        results = self._function(**dict(zip(self._inputs, given, strict=True)))
        return [results[name] for name in self._outputs]

    def get_weights(self) -> list[Any]:
        """Give none: they belong to the function.

        Returns:
            An empty list.
        """
        return []

    def _flatten_layers(self, **_options: bool) -> list[Any]:
        return []

    def tried(self) -> Any:
        """Run the function on noise.

        Returns:
            (8, ...) of its first output.
        """
        rng = np.random.default_rng(0)
        given = [
            rng.random((8, *[size or 8 for size in spec.shape[1:]])).astype(np.float32)
            for spec in self._inputs.values()
        ]
        return np.concatenate([np.asarray(self([each[index : index + 1] for each in given])[0]) for index in range(8)])

    def traced(self, shapes: Sequence[Sequence[int]]) -> Any:
        """Lay the function's operators flat, with the functions that it calls and its loops in their places.

        Args:
            shapes: Of its inputs, with the batch.

        Returns:
            A concrete function.
        """
        import tensorflow as tf

        unrolled = self._unrolled or Unrolled(self._function)
        return tf.function(lambda *inputs: unrolled(inputs), autograph=False).get_concrete_function(
            *(tf.TensorSpec(shape) for shape in shapes)
        )

    def as_graph(self) -> ModelGraph:
        """Give the function as the one call of a graph.

        Returns:
            The graph.
        """
        shapes = [tuple(spec.shape) for spec in (*self._inputs.values(), *self._outputs.values())]
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
    """The function as the parts run it, its loops unrolled over the window.

    Args:
        model: The function as it was exported, which the parts are held against.
        unrolled: The same without loops.
    """

    trainable_weights = ()
    name = _SIGNATURE

    def __init__(self, model: SignatureModel, unrolled: Unrolled) -> None:
        self.tried, self.traced = model.tried, model.traced
        self._unrolled = unrolled

    def __call__(self, inputs: Any) -> list[Any]:
        """Run the function.

        Args:
            inputs: As for the model, with static shapes.

        Returns:
            Its outputs.
        """
        return self._unrolled(_listed(inputs))


def _listed(inputs: Any) -> list[Any]:
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
