"""Restores the ids of shared layers, of which the frameworks lose some.

Both frameworks describe a shared layer at each place, with one id for all places, and write its
weights once. They assign the id at the second place and add it to the first one afterwards. Inside
a wrapper such as TimeDistributed the first description has been copied by then, and the copy lacks
the id. Read back, there are two layers, and weights for one of them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

_MODELS = ("Sequential", "Functional", "Model")
_ID = "shared_object_id"
_IDENTITY = ("module", "class_name", "registered_name", "config")


def restore_shared_ids(config: Any) -> Any:
    """Add the id to the first place of each shared layer.

    Args:
        config: A model's configuration.

    Returns:
        A new configuration; the same object if no id is missing, or several places could be the
        first one.
    """
    if not any(_ID in each for each in _layers(config)):
        return config
    changed = copy.deepcopy(config)
    known: set[int] = set()
    without_id: dict[str, list[dict[str, Any]]] = {}
    for layer in _layers(changed):
        number = layer.get(_ID)
        if number is None:
            without_id.setdefault(_fingerprint(layer), []).append(layer)
        elif number not in known:
            known.add(number)
            alike = without_id.get(_fingerprint(layer), [])
            # Of two equal descriptions either may be the shared layer. The wrong one would leave a
            # layer without weights, which the framework rejects.
            if len(alike) == 1:
                alike.pop()[_ID] = number
    return config if changed == config else changed


def _layers(config: Any) -> Iterator[dict[str, Any]]:
    """Yield layers in the order in which the file lists them."""
    # Without recursion, whose depth a file could exceed.
    left = [config]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if _is_layer(value):
                yield value
            left.extend(reversed(value.values()))
        elif isinstance(value, list):
            left.extend(reversed(value))


def _is_layer(value: dict[str, Any]) -> bool:
    return isinstance(value.get("config"), dict) and (
        "trainable" in value["config"] or value.get("class_name") in _MODELS
    )


def _fingerprint(layer: dict[str, Any]) -> str:
    """Return the description of a layer without what depends on its place."""
    return json.dumps(_without_ids({key: layer.get(key) for key in _IDENTITY}), sort_keys=True)


def _without_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_ids(each) for key, each in value.items() if key != _ID}
