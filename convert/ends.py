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
# A model that divides by this much at its beginning was given bytes, and so was one that takes this much off (ImageNet's means are 104 to 124).
_BYTES, _MEAN = 100.0, 50.0
_DIVIDING, _MULTIPLYING = ("divide", "truedivide", "truediv"), ("multiply", "mul")
_SHIFTING = ("subtract", "sub", "add", "bias_add")
# Operators that leave values as they are, and layers that do so outside of training, or but for where they are.
_REARRANGING = ("cast", "getitem", "stack", "flip", "reverse")
_LEAVING = frozenset("Resizing CenterCrop Cropping2D ZeroPadding2D Permute Reshape GaussianNoise GaussianDropout Dropout SpatialDropout2D Identity".split())


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
    said = getattr(getattr(call.layer, "activation", None), "__name__", "")
    if is_strange(call) and call.kind != "End" and said not in _ACTIVATIONS:
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
        Whether the first thing that it does with their values is to divide by a hundred or more, or to take off the mean of bytes.
    """
    tensors = {graph.input}
    while True:
        readers = [call for call in graph.calls if tensors & set(call.inputs)]
        if not readers or not all(_leaves_values(call) for call in readers):
            return len(readers) == 1 and _is_of_bytes(readers[0])
        tensors = {number for call in readers for number in call.outputs}


def _leaves_values(call: Call) -> bool:
    if is_operator(call):
        return call.kind == "Feed" or name(call) in _REARRANGING
    inner = call.layer.layer if call.kind == "TimeDistributed" else call.layer
    if is_nested(inner):
        return len(inner.inputs) == len(inner.outputs) == 1 and all(_leaves_values(each) for each in read_graph(inner).calls)
    return type(inner).__name__ in _LEAVING or type(inner).__name__.startswith("Random")


def _is_of_bytes(call: Call) -> bool:
    if is_operator(call):
        least, most = _magnitude(constants(call))
        return any(
            (name(call) in _DIVIDING and most >= _BYTES, name(call) in _MULTIPLYING and 0 < least <= 1 / _BYTES, name(call) in _SHIFTING and most >= _MEAN)
        )
    inner = call.layer.layer if call.kind == "TimeDistributed" else call.layer
    if is_nested(inner):
        return len(inner.inputs) == len(inner.outputs) == 1 and takes_bytes(read_graph(inner))
    if type(inner).__name__ == "Normalization":
        return float(np.max(np.abs(inner.mean))) >= _MEAN
    return type(inner).__name__ == "Rescaling" and float(np.max(np.abs(inner.scale))) <= 1 / _BYTES


def _magnitude(given: list[Any]) -> tuple[float, float]:
    """Least and greatest magnitude of the numbers that a call is given besides tensors; zeros where there are none."""
    found = [np.abs(np.asarray(each, np.float64)) for each in given if _is_numeric(each)]
    return (min(float(each.min()) for each in found), max(float(each.max()) for each in found)) if found else (0.0, 0.0)


def _is_numeric(value: Any) -> bool:
    if value is None or isinstance(value, (bool, str, dict)):
        return False
    return np.asarray(value).dtype.kind in "fiu" and np.size(value) > 0
