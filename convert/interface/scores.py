"""Identifies a model's scores as probabilities or logits, by its layers or by a trial on noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convert.execution.probe import output_on_noise
from convert.graph.layer_graph import Call, LayerGraph
from convert.graph.operators import is_opaque, is_operator, name
from edgevid.bundle.manifest import Scores
from edgevid.errors import ModelError

_ADAPTER = "OutputAdapter"
# Layers that leave probabilities probabilities: they change nothing, or compute a mean.
_TRANSPARENT = frozenset(
    (_ADAPTER, "Flatten", "Reshape", "Dropout", "Identity", "GlobalAveragePooling1D", "Average", "Activation")
)
_ACTIVATIONS = ("softmax", "sigmoid")
# The activation of operators, Lambda layers and custom layers: only a trial can show it.
_UNKNOWN = ""
_TRIALS = 4
# The scores of an int8 file are multiples of 1/256, so that their sum is off by a few of them.
_SUM_TOLERANCE = 0.02


def scores_of(graph: LayerGraph) -> tuple[Scores, int]:
    """Return the kind of a model's scores, and how many there are.

    Raises:
        ModelError: The output is not a vector of classes.
    """
    last = _maker(graph, graph.output)
    if last is None or len(last.shape) != 2 or last.shape[-1] is None:
        shape = graph.input_shape if last is None else last.shape[1:]
        raise ModelError(
            expected="a classifier with an output of (classes)",
            got=shape,
            found=f"{shape} from {'its input' if last is None else repr(last.name)}",
        )
    width, activation = int(last.shape[-1]), _score_activation(graph, last)
    if activation == "sigmoid":
        return "sigmoid", width
    if activation == "softmax" and width > 1:
        return "softmax", width
    return ("logits" if width > 1 else "sigmoid_logits"), width


def last_activation(calls: Sequence[Call], tensor: int) -> str:
    """Return the activation that computes a tensor.

    Args:
        calls: The calls of a model.
        tensor: Number of one of their tensors.

    Returns:
        Such as "softmax"; "linear" for none, "" if only a trial can show it.
    """
    graph = LayerGraph(tuple(calls), 0, tensor, ())
    last = _maker(graph, tensor)
    return "linear" if last is None else _activation(graph, last)


def _score_activation(graph: LayerGraph, last: Call) -> str:
    # A SavedModel's function and a `.tflite` file are one call without layers, and run by
    # themselves.
    width = int(last.shape[-1] or 1)
    file = next((call for call in graph.calls if hasattr(call.layer, "answers_on_noise")), None)
    if file is not None:
        if getattr(last.layer, "is_constant", False):
            return "softmax"
        source = last.inputs[0] if hasattr(last.layer, "newest_only") else graph.output
        place = file.outputs.index(source) if source in file.outputs else 0
        return activation_of(file.layer.answers_on_noise(place), width)
    activation = _activation(graph, last)
    return activation_of(_answers_on_noise(graph), width) if activation == _UNKNOWN else activation


def _answers_on_noise(graph: LayerGraph) -> Any:
    window = [int(size or 1) for size in graph.input_shape]
    trials = (output_on_noise(graph, window, seed=seed) for seed in range(_TRIALS))
    answers = [each for each in trials if each is not None]
    # A model that does not run on noise counts as linear, like any answer below 0.
    return np.concatenate(answers) if answers else np.full((1, 2), -1.0)


def activation_of(answers: Any, width: int) -> str:
    """Infer the activation from a model's answers: their range and their sum.

    Args:
        answers: Of any number of windows and frames.
        width: Scores of each answer.
    """
    rows = np.asarray(answers).reshape(-1, width)
    if rows.min() < 0 or rows.max() > 1:
        return "linear"
    sums_to_one = rows.shape[1] > 1 and np.allclose(rows.sum(axis=1), 1, atol=_SUM_TOLERANCE)
    return "softmax" if sums_to_one else "sigmoid"


def _maker(graph: LayerGraph, tensor: int) -> Call | None:
    return next((call for call in graph.calls if tensor in call.outputs), None)


def _activation(graph: LayerGraph, call: Call) -> str:
    if is_operator(call) and name(call) in _ACTIVATIONS:
        return name(call)
    stated = getattr(getattr(call.layer, "activation", None), "__name__", "")
    if is_opaque(call) and call.kind != _ADAPTER and stated not in _ACTIVATIONS:
        return _UNKNOWN
    layer = call.layer.layer if call.kind == "TimeDistributed" else call.layer
    own = "softmax" if type(layer).__name__ == "Softmax" else _named_activation(layer)
    before = _maker(graph, call.inputs[0])
    # A linear layer that only passes its input on has the activation of the layer before it.
    if own == "linear" and call.kind in _TRANSPARENT and before is not None:
        return _activation(graph, before)
    return own


def _named_activation(layer: Any) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "linear")
