"""A loaded model built again from a changed configuration, with its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from edgevid.errors import ModelError


def rebuilt(model: Any, change: Callable[[Any], Any]) -> Any:
    """Build a model again.

    Args:
        model: A Sequential or functional model of either framework.
        change: From its configuration to the one to build.

    Returns:
        The new model, with the weights of the old one but for states that recurrent layers kept.
    """
    with _code_that_was_loaded(model):
        again = type(model).from_config(change(model.get_config()), custom_objects=_own(model))
    again.set_weights(
        [
            weight
            for weight, variable in zip(model.get_weights(), model.weights, strict=True)
            if "rnn_state" not in variable.name
        ]
    )
    return again


def with_input_shapes(model: Any, shapes: Sequence[tuple[int | None, ...]]) -> Any:
    """Build a model again for inputs of stated sizes.

    Args:
        model: A model that leaves sizes of its inputs open.
        shapes: Of each input, without the batch.

    Returns:
        The new model.

    Raises:
        ModelError: Its layers do not go with these sizes.
    """
    try:
        return rebuilt(model, lambda config: _with_shapes(config, model, shapes))
    except Exception as error:  # a layer may be anyone's, and raise anything
        raise ModelError(
            expected=f"a model that takes inputs of {', '.join(map(str, shapes))}", found=f"{reason_of(error)}"
        ) from error


def _with_shapes(config: dict[str, Any], model: Any, shapes: Sequence[tuple[int | None, ...]]) -> dict[str, Any]:
    layers = [dict(layer) for layer in config["layers"]]
    sequential = type(model).__name__ == "Sequential"
    names = [tensor.name.partition(":")[0] for tensor in model.inputs]
    given = dict(zip(getattr(model, "input_names", None) or names, shapes, strict=True))
    for place, layer in enumerate(layers):
        inner = dict(layer["config"])
        shape = (shapes[0] if place == 0 else None) if sequential else given.get(inner.get("name"))
        for key in ("batch_shape", "batch_input_shape"):
            if shape is not None and inner.get(key):
                inner[key] = type(inner[key])((None, *shape))
        layer["config"] = inner
    # A Sequential remembers the shape that it was built with.
    without = {key: value for key, value in config.items() if key not in ("layers", "build_input_shape")}
    return {**without, "layers": layers}


def _own(model: Any) -> dict[str, Any]:
    """What a model uses and its framework does not have: classes of layers and cells, and functions, by name."""
    layers = internals.all_layers(model)
    things = [type(layer) for layer in layers] + [
        getattr(layer, name, None) for layer in layers for name in ("activation", "recurrent_activation")
    ]
    named = {str(getattr(thing, "__name__", "")): thing for thing in things}
    return {
        name: thing
        for name, thing in named.items()
        if name and str(thing.__module__).partition(".")[0] not in ("keras", "tf_keras")
    }


@contextmanager
def _code_that_was_loaded(model: Any) -> Iterator[None]:
    """Let Lambda layers be built again: whoever loaded them has allowed it."""
    with internals.code_allowed(model):
        yield
