"""Export a part's function as a SavedModel, for the converter in its child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convert.frameworks import internals
from convert.frameworks.release_memory import give_back
from convert.frameworks.tensorflow_setup import quiet_start
from convert.splitting.split import PartFunction

INPUT, OUTPUT = "input_{}", "output_{}"


def export(function: PartFunction, path: Path) -> None:
    """Write a part as a SavedModel whose weights are constants.

    Args:
        function: The part.
        path: The folder to create.
    """
    _write(function, path)
    # Only after `_write` has returned is its module garbage.
    give_back()


def _write(function: PartFunction, path: Path) -> None:
    import tensorflow as tf

    specs = [
        tf.TensorSpec(shape, tf.float32, name=INPUT.format(index)) for index, shape in enumerate(function.input_shapes)
    ]
    with quiet_start():
        # Frozen, because from variables the converter can make a small file whose weights are never set.
        frozen = internals.frozen(tf.function(function.function, autograph=False).get_concrete_function(*specs))
    give_back()
    module = tf.Module()
    module.frozen = frozen

    @tf.function(input_signature=specs)  # type: ignore[untyped-decorator]
    def serve(*inputs: Any) -> dict[str, Any]:
        return {OUTPUT.format(index): value for index, value in enumerate(frozen(*inputs))}

    # Gradients are not needed here, and those of swish cannot be saved.
    tf.saved_model.save(
        module,
        str(path),
        signatures=serve.get_concrete_function(),
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
