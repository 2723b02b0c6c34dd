"""Build a Keras model again with fewer channels, and check that it computes what is left of the trained one."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.graph.layer_graph import is_nested
from convert.pruning.channels import ChannelMap, LayerChannels
from edgevid.errors import EdgevidError, ModelError
from edgevid.frames import Array

# Sums in another order differ by about 1e-6; a wrong channel by more than a hundredth.
_TOLERANCE = 1e-3


def rebuild(model: Any, found: ChannelMap, stays: Array) -> Any:
    """Return a model of the same layers with fewer channels, and with the trained weights of those that stay.

    Args:
        model: The trained model; not modified.
        found: Its channels.
        stays: For each channel, whether it stays.

    Raises:
        ModelError: A layer cannot be built again.
    """
    builder = _Builder(found, np.append(stays, True))
    try:
        with internals.code_allowed(model):
            smaller = builder.clone(model)
        builder.copy_weights()
    except EdgevidError:
        raise
    except Exception as error:  # a layer may raise anything when it is built
        raise ModelError(
            expected="a model that can be built again with fewer channels",
            found=reason_of(error),
            hint="Convert it without --prune.",
        ) from error
    return smaller


def check_rebuilt(model: Any, smaller: Any, found: ChannelMap, stays: Array, inputs: Any) -> None:
    """Reject a smaller model that does not compute what is left of the trained one.

    The trained model without the channels is itself with zeros for the weights that read them.

    Args:
        model: The trained model; unchanged afterwards.
        smaller: The model with fewer channels.
        found: The channels of the trained model.
        stays: For each channel, whether it stays.
        inputs: A batch for both models.

    Raises:
        ModelError: Their outputs differ.
    """
    with _unread(found, np.append(stays, True)):
        expected = _outputs(model, inputs)
    got = _outputs(smaller, inputs)
    worst = max(float(np.abs(one - other).max()) for one, other in zip(expected, got, strict=True))
    # Written so that NaN fails too.
    if not worst <= _TOLERANCE * max(1.0, *(float(np.abs(each).max()) for each in expected)):
        raise ModelError(
            expected="the smaller model to equal the trained one without the removed channels",
            got=worst,
            found=f"a difference of {worst:.2g}: a layer was misread",
            hint="Convert it without --prune.",
        )


def _outputs(model: Any, inputs: Any) -> list[Array]:
    answers = model(inputs, training=False)
    return [np.asarray(each) for each in (answers if isinstance(answers, (list, tuple)) else [answers])]


@contextmanager
def _unread(found: ChannelMap, stays: Array) -> Iterator[None]:
    """Set the weights that read removed channels to zero inside the block."""
    readers = [each for each in found.layers.values() if each.reading]
    before = [each.layer.get_weights() for each in readers]
    try:
        for each, weights in zip(readers, before, strict=True):
            changed = [np.array(weight) for weight in weights]
            for place, axis in each.reading:
                np.moveaxis(changed[place], axis, 0)[~stays[each.slices[place][axis]]] = 0.0
            each.layer.set_weights(changed)
        yield
    finally:
        for each, weights in zip(readers, before, strict=True):
            each.layer.set_weights(weights)


class _Builder:
    """Builds layers again, each once.

    Args:
        found: The channels of the trained model.
        stays: For each channel, whether it stays; the last entry is that of `FIXED`.
    """

    def __init__(self, found: ChannelMap, stays: Array) -> None:
        self._found, self._stays = found, stays
        self._built: dict[int, Any] = {}
        self._pairs: list[tuple[Any, Any]] = []

    def clone(self, model: Any) -> Any:
        """Return a Sequential or functional model, built again."""
        models = importlib.import_module(f"{internals.framework_of(model)}.models")
        return models.clone_model(model, clone_function=self._layer)

    def copy_weights(self) -> None:
        """Copy the weights of what stays into the layers that were built."""
        for old, new in self._pairs:
            channels = self._found.layers.get(id(old))
            weights = [np.asarray(each) for each in old.get_weights()]
            new.set_weights(weights if channels is None else self._sliced(weights, channels))

    def _sliced(self, weights: list[Array], channels: LayerChannels) -> list[Array]:
        sliced = list(weights)
        for place, axes in enumerate(channels.slices):
            for axis, numbers in axes.items():
                sliced[place] = np.compress(self._stays[numbers], sliced[place], axis=axis)
        return sliced

    def _layer(self, layer: Any) -> Any:
        if id(layer) not in self._built:
            self._built[id(layer)] = self._new(layer)
        return self._built[id(layer)]

    def _new(self, layer: Any) -> Any:
        if is_nested(layer):
            return self.clone(layer)
        if not hasattr(layer, "weights"):
            # An operator of Keras 3 has no state, and serves both models.
            return layer
        if type(layer).__name__ == "TimeDistributed":
            return type(layer)(self._layer(layer.layer), name=layer.name)
        new = type(layer).from_config(self._config(layer))
        self._pairs.append((layer, new))
        return new

    def _config(self, layer: Any) -> dict[str, Any]:
        config: dict[str, Any] = _without_builds(layer.get_config())
        channels = self._found.layers.get(id(layer))
        if channels is None:
            return config
        count = int(self._stays[channels.output].sum())
        if channels.makes is not None:
            config["units" if "units" in config else "filters"] = count
        elif "target_shape" in config and config["target_shape"][-1] != -1:
            config["target_shape"] = (*config["target_shape"][:-1], count)
        return config


def _without_builds(config: Any) -> Any:
    """Return a configuration without the shapes that wrapped layers were built for, which Keras 3 stores in it."""
    if isinstance(config, dict):
        return {key: _without_builds(each) for key, each in config.items() if key != "build_config"}
    return [_without_builds(each) for each in config] if isinstance(config, list) else config
