"""Rebuilds a loaded model from a changed configuration, with its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from convert.frameworks import fixed_arguments, internals
from convert.frameworks.messages import reason_of
from edgevid.errors import ModelError


def rebuild(model: Any, change: Callable[[Any], Any]) -> Any:
    """Build a model again from a changed configuration.

    Args:
        model: A Sequential or functional model of either framework.
        change: From the model's configuration to the new one.

    Returns:
        The new model, with all weights of the old one except the states of recurrent layers.
    """
    # Its Lambda layers were loaded before, so the user has allowed code.
    with internals.code_allowed(model), fixed_arguments.restored():
        again = type(model).from_config(change(model.get_config()), custom_objects=_custom_objects(model))
    weights = zip(model.get_weights(), model.weights, strict=True)
    again.set_weights([values for values, variable in weights if "rnn_state" not in variable.name])
    return again


def with_input_shapes(model: Any, shapes: Sequence[tuple[int | None, ...]]) -> Any:
    """Build a model again with inputs of fixed sizes.

    Args:
        model: A model that leaves sizes of its inputs open.
        shapes: Shape of each input, without the batch.

    Raises:
        ModelError: A layer rejects these sizes.
    """
    try:
        return rebuild(model, lambda config: _with_shapes(config, model, shapes))
    except Exception as error:  # a custom layer can raise anything
        raise ModelError(
            expected=f"a model that takes inputs of {', '.join(map(str, shapes))}", found=reason_of(error)
        ) from error


def _with_shapes(config: dict[str, Any], model: Any, shapes: Sequence[tuple[int | None, ...]]) -> dict[str, Any]:
    layers = [dict(layer) for layer in config["layers"]]
    is_sequential = type(model).__name__ == "Sequential"
    names = [tensor.name.partition(":")[0] for tensor in model.inputs]
    by_name = dict(zip(getattr(model, "input_names", None) or names, shapes, strict=True))
    for place, layer in enumerate(layers):
        inner = dict(layer["config"])
        shape = (shapes[0] if place == 0 else None) if is_sequential else by_name.get(inner.get("name"))
        for key in ("batch_shape", "batch_input_shape"):
            if shape is not None and inner.get(key):
                inner[key] = type(inner[key])((None, *shape))
        layer["config"] = inner
    # A Sequential stores the shape that it was built with, which would win over its layers'.
    without = {key: value for key, value in config.items() if key not in ("layers", "build_input_shape")}
    return {**without, "layers": layers}


def _custom_objects(model: Any) -> dict[str, Any]:
    """Return the layer classes and activations that the framework does not define, by name."""
    layers = internals.all_layers(model)
    objects = [type(layer) for layer in layers] + [
        getattr(layer, name, None) for layer in layers for name in ("activation", "recurrent_activation")
    ]
    by_name = {str(getattr(each, "__name__", "")): each for each in objects}
    return {
        name: each
        for name, each in by_name.items()
        if name and str(each.__module__).partition(".")[0] not in ("keras", "tf_keras")
    }
