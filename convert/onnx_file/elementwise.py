"""Operators that work number by number: they keep whatever order their inputs have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convert.onnx_file.builder import Builder, Node, Order, as_float
from edgevid.frames import Array


def by_element(build: Builder, node: Node, function: Callable[..., Any], names: Sequence[str]) -> None:
    """Add an operator that works number by number, with broadcasting.

    Args:
        build: Receives it.
        node: The operator.
        function: From one argument for each name to the result.
        names: Its inputs; at least one is a tensor.
    """
    rank = max(len(build.shape(name)) for name in names)
    tensors = [name for name in names if not build.is_constant(name)]
    largest = max(tensors, key=lambda name: (len(build.shape(name)), np.prod(build.shape(name))))
    same_rank = all(len(build.shape(name)) == rank for name in tensors)
    order: Order = build.order(largest) if same_rank else tuple(range(rank))
    inputs = [_stored(build, name, order) for name in names]
    (number,) = build.apply(node, function, inputs, lookback=0 if same_rank and _is_same_in_time(inputs) else None)
    build.write(node.output(0), number, order)


def _stored(build: Builder, name: str, order: Order) -> int | Array:
    if not build.is_constant(name):
        return build.read(name, order if len(build.shape(name)) == len(order) else None)
    array = as_float(build.constants[name])
    if array.size == 1:
        return array.reshape(())
    return array.reshape((1,) * (len(order) - array.ndim) + array.shape).transpose(order)


def _is_same_in_time(inputs: Sequence[int | Array]) -> bool:
    """Return whether every constant is the same for each frame, with time on axis 1."""
    arrays = [each for each in inputs if not isinstance(each, int)]
    return all(each.ndim < 2 or each.shape[1] == 1 for each in arrays)


def unary(make: Callable[[Any], Any]) -> Callable[[Builder, Node], None]:
    """Return a translation of an operator of one input.

    Args:
        make: The function, from a tensor.
    """
    return lambda build, node: by_element(build, node, make, node.inputs[:1])


def nary(make: Callable[[Any, Any], Any]) -> Callable[[Builder, Node], None]:
    """Return a translation of an operator of two or more inputs.

    Args:
        make: The function, from two tensors.
    """

    def translate(build: Builder, node: Node) -> None:
        def function(first: Any, *others: Any) -> Any:
            for each in others:
                first = make(first, each)
            return first

        by_element(build, node, function, node.inputs)

    return translate


def _clip(build: Builder, node: Node) -> None:
    import tensorflow as tf

    least = build.array(node, 1, node.attributes.get("min"))
    most = build.array(node, 2, node.attributes.get("max"))

    def clip(tensor: Any) -> Any:
        # Each pair of limits that the device has an activation for is written as that activation.
        if least is not None and most is not None and (float(least), float(most)) == (0.0, 6.0):
            return tf.nn.relu6(tensor)
        tensor = tensor if least is None else tf.maximum(tensor, np.float32(least))
        return tensor if most is None else tf.minimum(tensor, np.float32(most))

    by_element(build, node, clip, node.inputs[:1])


def _leaky(build: Builder, node: Node) -> None:
    import tensorflow as tf

    slope = float(node.attributes.get("alpha", 0.01))
    by_element(build, node, lambda tensor: tf.nn.leaky_relu(tensor, slope), node.inputs)


def _elu(build: Builder, node: Node) -> None:
    import tensorflow as tf

    alpha = float(node.attributes.get("alpha", 1.0))
    if alpha != 1.0:
        raise node.lacks("alpha 1", alpha)
    by_element(build, node, tf.nn.elu, node.inputs)


def _hard_sigmoid(build: Builder, node: Node) -> None:
    import tensorflow as tf

    alpha, beta = float(node.attributes.get("alpha", 0.2)), float(node.attributes.get("beta", 0.5))
    by_element(build, node, lambda tensor: tf.minimum(tf.nn.relu(alpha * tensor + beta), 1.0), node.inputs)


def _prelu(build: Builder, node: Node) -> None:
    import tensorflow as tf

    by_element(build, node, lambda x, slope: tf.nn.relu(x) - slope * tf.nn.relu(-x), node.inputs)


def _gelu(build: Builder, node: Node) -> None:
    import tensorflow as tf

    approximate = node.attributes.get("approximate", b"none") == b"tanh"
    if approximate:
        by_element(build, node, lambda x: tf.nn.gelu(x, approximate=True), node.inputs)
    else:
        by_element(build, node, lambda x: 0.5 * x * (1.0 + erf(x * np.float32(0.5**0.5))), node.inputs)


def erf(tensor: Any) -> Any:
    """Compute the error function by operators that the device has; off by 2e-7 at most.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
    """
    import tensorflow as tf

    size = tf.abs(tensor)
    t = 1.0 / (1.0 + 0.3275911 * size)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return tf.sign(tensor) * (1.0 - series * tf.exp(-size * size))


def _cast(build: Builder, node: Node) -> None:
    import tensorflow as tf

    # ONNX numbers its types: 1 and 10 and 11 are floats, 9 is a boolean, 6 and 7 are integers.
    kinds = {1: tf.float32, 10: tf.float32, 11: tf.float32, 6: tf.int32, 7: tf.int32, 9: tf.bool}
    target = kinds.get(int(node.attributes["to"]))
    if target is None:
        raise node.lacks("a cast to floats, integers or booleans", node.attributes["to"])
    by_element(build, node, lambda tensor: tf.cast(tensor, target), node.inputs)


def _power(base: Any, exponent: Any) -> Any:
    import tensorflow as tf

    if isinstance(exponent, np.ndarray) and exponent.size == 1 and float(exponent) == 2.0:
        return base * base
    return tf.pow(base, exponent)


def _named(name: str) -> Callable[..., Any]:
    def function(*tensors: Any) -> Any:
        import tensorflow as tf

        target: Any = tf
        for part in name.split("."):
            target = getattr(target, part)
        return target(*tensors)

    return function


_UNARY = {
    "Relu": "nn.relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Exp": "exp",
    "Log": "math.log",
    "Sqrt": "sqrt",
    "Neg": "negative",
    "Abs": "abs",
    "Softplus": "nn.softplus",
    "Softsign": "nn.softsign",
    "Selu": "nn.selu",
    "Floor": "floor",
    "Ceil": "math.ceil",
    "Not": "logical_not",
    "Sin": "sin",
    "Cos": "cos",
    "Sign": "sign",
    "Round": "round",
}
_BINARY = {
    "Max": "maximum",
    "Min": "minimum",
    "Equal": "equal",
    "Less": "less",
    "Greater": "greater",
    "LessOrEqual": "less_equal",
    "GreaterOrEqual": "greater_equal",
    "And": "logical_and",
    "Or": "logical_or",
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "Add": lambda a, b: a + b,
    "Sum": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
    "Pow": _power,
}
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Reciprocal": lambda x: 1.0 / x,
    "Erf": erf,
    "HardSwish": lambda x: x * _named("nn.relu6")(x + 3.0) / 6.0,
    "Mish": lambda x: x * _named("tanh")(_named("nn.softplus")(x)),
}
OPERATORS: dict[str, Callable[[Builder, Node], None]] = {
    **{op: unary(_named(name)) for op, name in _UNARY.items()},
    **{op: unary(function) for op, function in _ACTIVATIONS.items()},
    **{op: nary(_named(name)) for op, name in _BINARY.items()},
    **{op: nary(function) for op, function in _ARITHMETIC.items()},
    "Where": lambda build, node: by_element(build, node, _named("where"), node.inputs),
    "Clip": _clip,
    "LeakyRelu": _leaky,
    "Elu": _elu,
    "HardSigmoid": _hard_sigmoid,
    "PRelu": _prelu,
    "Gelu": _gelu,
    "Cast": _cast,
}
