"""Layers that stand in several places of a model: the marks by which a `.keras` file says so, where the framework that wrote it lost one.

Both frameworks write a shared layer out at each place, with one number for all of them, and its weights once. A layer is marked when it is met again, so the
first place gets its mark later; inside of a wrapper, as TimeDistributed, that place was copied before, and the mark is lost. Read, there are two layers,
and weights for one of them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

_MODELS = ("Sequential", "Functional", "Model")
_MARK = "shared_object_id"
_WHAT = ("module", "class_name", "registered_name", "config")


def restore_shared_ids(config: Any) -> Any:
    """Give the first place of each shared layer its mark again.

    Args:
        config: A model's configuration.

    Returns:
        A new one; the same object where no mark is missing, or it is not clear where.
    """
    if not any(_MARK in each for each in _layers(config)):
        return config
    changed = copy.deepcopy(config)
    known: set[int] = set()
    unmarked: dict[str, list[dict[str, Any]]] = {}
    for layer in _layers(changed):
        number = layer.get(_MARK)
        if number is None:
            unmarked.setdefault(_told(layer), []).append(layer)
        elif number not in known:
            known.add(number)
            alike = unmarked.get(_told(layer), [])
            if len(alike) == 1:
                alike.pop()[_MARK] = number
    return config if changed == config else changed


def _layers(config: Any) -> Iterator[dict[str, Any]]:
    """Layers in the order in which a file lists them, without recursion."""
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


def _told(layer: dict[str, Any]) -> str:
    """What a layer is, wherever it stands."""
    return json.dumps(_without_marks({key: layer.get(key) for key in _WHAT}), sort_keys=True)


def _without_marks(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_marks(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_marks(each) for key, each in value.items() if key != _MARK}
