"""Restores tensors that a model of Keras 2 passes to its layers, such as a mask that never changes.

tf_keras writes them into the file as lists of numbers, and passes the lists to the layers when it
reads the file. The layers read the `dtype` of a tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from convert.frameworks import internals

# A list with one tensor for each state.
_STATES = ("initial_state", "constants")
# One tensor, whose rank only the layer knows.
_TENSORS = ("attention_mask", "query_mask", "key_mask", "value_mask")


def restored() -> AbstractContextManager[None]:
    """Return a context in which tf_keras builds functional models with tensors where a file has lists."""
    return internals.node_data_changed(_restore)


def _restore(data: Any) -> Any:
    """Return the calls of one layer, as a file describes them, with tensors for lists of numbers."""
    if not isinstance(data, list):
        return data
    if len(data) == 4 and isinstance(data[0], str) and isinstance(data[3], Mapping):
        return [*data[:3], {key: _argument(key, value) for key, value in data[3].items()}]
    return [_restore(each) for each in data]


def _argument(key: str, value: Any) -> Any:
    if key in _TENSORS:
        return _tensor(value)
    if key == "mask":
        mask = _tensor(value)
        # A layer with several inputs takes a list of masks.
        return mask if len(getattr(mask, "shape", ())) == 2 else _each(value)
    return _each(value) if key in _STATES else value


def _each(values: Any) -> Any:
    return [_tensor(each) for each in values] if isinstance(values, list) else values


def _tensor(value: Any) -> Any:
    """Return a list of numbers as a tensor; anything else, such as a reference to a layer, as it is."""
    import tensorflow as tf

    if not isinstance(value, list):
        return value
    try:
        numbers = np.array(value)
    except ValueError:
        return value
    if numbers.dtype.kind not in "bif":
        return value
    return tf.constant(numbers, tf.float32 if numbers.dtype.kind == "f" else None)
