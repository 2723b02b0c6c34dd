"""A part's function as a SavedModel, for the converter in its child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convert.frameworks import internals
from convert.frameworks.memory import give_back
from convert.frameworks.tensorflow_setup import quiet_start
from convert.splitting.split import PartFunction

INPUT, OUTPUT = "input_{}", "output_{}"


def export(function: PartFunction, path: Path) -> None:
    """Write a part as a SavedModel that holds its weights as constants.

    Without freezing, the converter can give a small file whose weights are never set; a frozen graph has no variable to lose.

    Args:
        function: The part.
        path: A folder to make.
    """
    _write(function, path)
    # Only now is nothing of it needed any more.
    give_back()


def _write(function: PartFunction, path: Path) -> None:
    import tensorflow as tf

    specs = [
        tf.TensorSpec(shape, tf.float32, name=INPUT.format(index)) for index, shape in enumerate(function.input_shapes)
    ]
    with quiet_start():
        frozen = internals.frozen(tf.function(function.function, autograph=False).get_concrete_function(*specs))
    give_back()
    module = tf.Module()
    module.frozen = frozen

    @tf.function(input_signature=specs)  # type: ignore[untyped-decorator]
    def serve(*inputs: Any) -> dict[str, Any]:
        return {OUTPUT.format(index): value for index, value in enumerate(frozen(*inputs))}

    # Gradients are of no use here, and those of swish cannot be saved.
    tf.saved_model.save(
        module,
        str(path),
        signatures=serve.get_concrete_function(),
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )
