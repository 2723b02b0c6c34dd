"""What a model takes and what it gives, as far as its first and last layers say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convert.execution.probe import run_on_noise
from convert.graph.layer_graph import Call, LayerGraph
from convert.graph.operators import is_opaque, is_operator, name
from edgevid.bundle.manifest import Scores
from edgevid.errors import ModelError

# What keeps probabilities what they are: nothing is done to them, or their mean is taken.
_KEEPING = frozenset(("End", "Flatten", "Reshape", "Dropout", "Identity", "GlobalAveragePooling1D", "Average"))
_ACTIVATIONS = ("softmax", "sigmoid")
# What only a trial can tell: operators, Lambda layers, and anyone's own.
_UNKNOWN = ""
_TRIALS = 4


def scores_of(graph: LayerGraph) -> tuple[Scores, int]:
    """Tell what a model's outputs are.

    Args:
        graph: The model.

    Returns:
        Their kind and how many there are.

    Raises:
        ModelError: The output is no list of classes.
    """
    last = _giving(graph, graph.output)
    if last is None or len(last.shape) != 2 or last.shape[-1] is None:
        shape = graph.input_shape if last is None else last.shape[1:]
        raise ModelError(
            expected="a classifier with an output of (classes)",
            got=shape,
            found=f"{shape} from {('its input' if last is None else repr(last.name))}",
        )
    width, activation = int(last.shape[-1]), _activation(graph, last)
    from_file = next((call.layer.tried for call in graph.calls if hasattr(call.layer, "tried")), None)
    if from_file is not None:
        activation = _by_trial(from_file())
    elif activation == _UNKNOWN:
        activation = _by_trial(_answers(graph))
    if activation == "sigmoid":
        return "sigmoid", width
    if activation == "softmax" and width > 1:
        return "softmax", width
    return ("logits" if width > 1 else "sigmoid_logits"), width


def _answers(graph: LayerGraph) -> Any:
    """What a model gives for a few windows of noise."""
    window = [int(size or 1) for size in graph.input_shape]
    answers = [
        values[graph.output]
        for seed in range(_TRIALS)
        if (values := run_on_noise(graph, window, seed=seed)) is not None
    ]
    return np.concatenate(answers) if answers else np.full((1, 2), -1.0)


def _by_trial(answers: Any) -> str:
    """Tell what a function's scores are from what it gives for noise, where no layer says it."""
    rows = np.asarray(answers).reshape(len(answers), -1)
    if rows.min() < 0 or rows.max() > 1:
        return "linear"
    return "softmax" if rows.shape[1] > 1 and np.allclose(rows.sum(axis=1), 1, atol=0.02) else "sigmoid"


def ending(calls: Sequence[Call], tensor: int) -> str:
    """Name the activation that a tensor comes out of.

    Args:
        calls: Of a model.
        tensor: One of its tensors.

    Returns:
        Such as "softmax"; "linear" where there is none.
    """
    graph = LayerGraph(tuple(calls), 0, tensor, ())
    last = _giving(graph, tensor)
    return "linear" if last is None else _activation(graph, last)


def _giving(graph: LayerGraph, tensor: int) -> Call | None:
    return next((call for call in graph.calls if tensor in call.outputs), None)


def _activation(graph: LayerGraph, call: Call) -> str:
    if is_operator(call) and name(call) in _ACTIVATIONS:
        return name(call)
    said = getattr(getattr(call.layer, "activation", None), "__name__", "")
    if is_opaque(call) and call.kind != "End" and said not in _ACTIVATIONS:
        return _UNKNOWN
    inner = call.layer.layer if call.kind == "TimeDistributed" else call.layer
    own = (
        "softmax"
        if type(inner).__name__ == "Softmax"
        else getattr(getattr(inner, "activation", None), "__name__", "linear")
    )
    before = _giving(graph, call.inputs[0])
    passes = call.kind in _KEEPING or call.kind == "Activation"
    return _activation(graph, before) if own == "linear" and passes and before is not None else own
