"""What a model takes and what it gives, as far as its first and last layers say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convert.graph import Call, LayerGraph, is_nested, read_graph
from convert.operators import constants, is_operator, name
from convert.temporal import is_strange
from convert.trial import tried
from edgevid.errors import ModelError
from edgevid.manifest import Scores

# What keeps probabilities what they are: nothing is done to them, or their mean is taken.
_KEEPING = frozenset(("End", "Flatten", "Reshape", "Dropout", "Identity", "GlobalAveragePooling1D", "Average"))
_ACTIVATIONS = ("softmax", "sigmoid")
# What only a trial can tell: operators, Lambda layers, and anyone's own.
_UNKNOWN = ""
_TRIALS = 4
# A model that divides by this much at its beginning was given bytes.
_BYTES = 100.0


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
        raise ModelError(f"Expected a classifier with an output of (classes), got {shape} from {'its input' if last is None else repr(last.name)}.", got=shape)
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
    answers = [values[graph.output] for seed in range(_TRIALS) if (values := tried(graph, window, seed=seed)) is not None]
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
    if is_strange(call) and call.kind != "End":
        return _UNKNOWN
    inner = call.layer.layer if call.kind == "TimeDistributed" else call.layer
    own = "softmax" if type(inner).__name__ == "Softmax" else getattr(getattr(inner, "activation", None), "__name__", "linear")
    before = _giving(graph, call.inputs[0])
    passes = call.kind in _KEEPING or call.kind == "Activation"
    return _activation(graph, before) if own == "linear" and passes and before is not None else own


def takes_bytes(graph: LayerGraph) -> bool:
    """Tell whether a model scales pixels itself, and so was trained on 0 to 255.

    Args:
        graph: The model.

    Returns:
        Whether the first thing that it does is to divide by a hundred or more.
    """
    readers = graph.consumers(graph.input)
    while len(readers) == 1 and (readers[0].kind == "Feed" or (is_operator(readers[0]) and name(readers[0]) == "cast")):
        readers = graph.consumers(readers[0].outputs[0])
    return len(readers) == 1 and _shrinks(readers[0])


def _shrinks(call: Call) -> bool:
    if is_operator(call):
        return name(call) in ("divide", "truedivide", "truediv") and any(_is_number(each) and abs(each) >= _BYTES for each in constants(call))
    inner = call.layer.layer if call.kind == "TimeDistributed" else call.layer
    if is_nested(inner):
        return len(inner.inputs) == len(inner.outputs) == 1 and takes_bytes(read_graph(inner))
    return type(inner).__name__ == "Rescaling" and float(np.max(np.abs(inner.scale))) <= 1 / _BYTES


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
