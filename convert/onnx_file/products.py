"""Matrix products and recurrent layers, as the Keras layers that they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convert.onnx_file.builder import Builder, Node, as_float
from edgevid.frames import Array

# Longest sequence of a recurrent layer. Each step is operators of its own in the bundle.
MOST_STEPS = 1000


def built(layer: Any, shape: Sequence[int | None], weights: Sequence[Array]) -> Any:
    """Return a Keras layer with weights.

    Args:
        layer: The layer.
        shape: Shape of its input, with the batch.
        weights: In the layer's order.
    """
    import tensorflow as tf

    # The file is translated inside a traced function; weights outlive it.
    with tf.init_scope():
        layer.build(tuple(shape))
        layer.set_weights([as_float(each) for each in weights])
    return layer


def dense(build: Builder, node: Node, number: int, kernel: Array, bias: Array | None) -> int:
    """Add a Dense layer; return the number of its output.

    Args:
        build: Receives it.
        node: The operator.
        number: Its input, with the features last.
        kernel: (features, units).
        bias: (units,), or None.
    """
    import keras

    layer = keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, name=build.unique(node.name))
    weights = [kernel] if bias is None else [kernel, np.broadcast_to(np.ravel(bias), kernel.shape[1:])]
    return build.call(built(layer, (None, kernel.shape[0]), weights), number)


def _gemm(build: Builder, node: Node) -> None:
    given = node.attributes
    kernel = np.asarray(build.array(node, 1)) * given.get("alpha", 1.0)
    bias = build.array(node, 2)
    if given.get("transA", 0):
        raise node.lacks("transA 0", 1)
    number = dense(
        build,
        node,
        build.read(node.input(0)),
        kernel.T if given.get("transB", 0) else kernel,
        None if bias is None else np.asarray(bias) * given.get("beta", 1.0),
    )
    build.write(node.output(0), number)


def _matmul(build: Builder, node: Node) -> None:
    import tensorflow as tf

    first, second = node.inputs
    if build.is_constant(second) and build.constants[second].ndim == 2:
        rank = len(build.shape(first))
        order = build.order(first)
        # Only the features have a place; the other axes stay where they are.
        order = order if order[-1] == rank - 1 else tuple(range(rank))
        build.write(node.output(0), dense(build, node, build.read(first, order), build.constants[second], None), order)
        return
    inputs = [as_float(build.constants[name]) if build.is_constant(name) else build.read(name) for name in node.inputs]
    (number,) = build.apply(node, tf.matmul, inputs)
    build.write(node.output(0), number)


def _recurrent(build: Builder, node: Node) -> None:
    """Add LSTM, GRU or RNN, whose window has time first: a layer for each output that is read."""
    _check_plain(build, node)
    frames = build.shape(node.input(0))[0]
    if frames > MOST_STEPS:
        raise node.lacks(f"at most {MOST_STEPS} steps, which are unrolled", frames)
    window = build.read(node.input(0), (1, 0, 2))
    directions = build.shape(node.input(1))[0]
    if node.output(0):
        sequence = build.call(_layer(build, node, sequences=True), window)
        (made,) = build.apply(node, _parted(directions), [sequence], lookback=0)
        # Stored as (batch, time, direction, units); in the file time and direction come first.
        build.write(node.output(0), made, (2, 0, 1, 3))
    if node.output(1):
        newest = build.call(_layer(build, node, sequences=False), window)
        (made,) = build.apply(node, _parted(directions), [newest])
        build.write(node.output(1), made, (1, 0, 2))


def _parted(directions: int) -> Callable[[Any], Any]:
    """Return a function that gives the directions, side by side on the last axis, one of their own."""
    import tensorflow as tf

    def part(tensor: Any) -> Any:
        return tf.reshape(tensor, (*tensor.shape[:-1], directions, int(tensor.shape[-1]) // directions))

    return part


def _check_plain(build: Builder, node: Node) -> None:
    """Reject the forms of recurrent operators that no Keras layer has."""
    given = node.attributes
    for name in ("clip", "input_forget", "layout"):
        if given.get(name):
            raise node.lacks(f"no {name}", given[name])
    lengths = build.array(node, 4)
    if lengths is not None and np.any(np.ravel(lengths) != build.shape(node.input(0))[0]):
        raise node.lacks("sequences of the whole window", np.ravel(lengths).tolist())
    for place in (5, 6):
        start = build.array(node, place)
        if start is not None and np.any(start):
            raise node.lacks("initial states of zero", "others")
    if build.array(node, 7) is not None and np.any(build.array(node, 7)):
        raise node.lacks("no peepholes", "some")
    if node.output(2):
        raise node.lacks("the output sequence or the last output", "the last cell state as an output")


def _layer(build: Builder, node: Node, *, sequences: bool) -> Any:
    """Return the Keras layer of a recurrent operator."""
    import keras

    weights, recurrent = as_float(build.array(node, 1)), as_float(build.array(node, 2))
    bias = build.array(node, 3)
    bias = np.zeros((len(weights), 2 * weights.shape[1]), np.float32) if bias is None else as_float(bias)
    direction = bytes(node.attributes.get("direction", b"forward")).decode()
    width = weights.shape[2]
    layers = []
    for place in range(len(weights)):
        layer = _one_direction(build, node, place, sequences=sequences, units=recurrent.shape[2])
        layers.append(built(layer, (None, None, width), _arranged(node, weights[place], recurrent[place], bias[place])))
    if len(layers) == 1:
        if direction == "reverse":
            raise node.lacks("a forward or bidirectional sequence", direction)
        return layers[0]
    return _bidirectional(build, node, layers, width, keras)


def _bidirectional(build: Builder, node: Node, layers: Sequence[Any], width: int, keras: Any) -> Any:
    import tensorflow as tf

    forward, backward = layers
    with tf.init_scope():
        stored = [forward.get_weights(), backward.get_weights()]
        # Keras builds both directions of a pair anew.
        pair = keras.layers.Bidirectional(forward, merge_mode="concat", name=build.unique(node.name))
        pair.build((None, None, width))
        pair.forward_layer.set_weights(stored[0])
        pair.backward_layer.set_weights(stored[1])
    return pair


def _one_direction(build: Builder, node: Node, place: int, *, sequences: bool, units: int) -> Any:
    import keras

    name, activations = build.unique(node.name), _activations(node, place)
    if node.op == "RNN":
        return keras.layers.SimpleRNN(units, activation=activations[0], return_sequences=sequences, name=name)
    if node.op == "GRU":
        return keras.layers.GRU(
            units,
            recurrent_activation=activations[0],
            activation=activations[1],
            reset_after=bool(node.attributes.get("linear_before_reset", 0)),
            return_sequences=sequences,
            name=name,
        )
    if activations[1] != activations[2]:
        raise node.lacks("one activation for cell and output", " and ".join(activations[1:]))
    return keras.layers.LSTM(
        units, recurrent_activation=activations[0], activation=activations[1], return_sequences=sequences, name=name
    )


def _activations(node: Node, place: int) -> list[str]:
    """Return the Keras names of the activations of one direction."""
    usual = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[node.op]
    stated = [bytes(each).decode() for each in node.attributes.get("activations", [])]
    found = stated[place * len(usual) : (place + 1) * len(usual)] or usual
    known = ("relu", "tanh", "sigmoid", "softsign", "softplus", "elu")
    names = [each.lower() for each in found]
    if unknown := [each for each in names if each not in known]:
        raise node.lacks("activations of Relu, Tanh or Sigmoid", ", ".join(unknown))
    return names


def _arranged(node: Node, weights: Array, recurrent: Array, bias: Array) -> list[Array]:
    """Return weights in the order of Keras's gates.

    ONNX has input, output, forget, cell for an LSTM; Keras has input, forget, cell, output. Both have update, reset,
    new for a GRU.
    """
    gates = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}[node.op]

    def sorted_gates(matrix: Array) -> Array:
        parts = np.split(matrix, len(gates))
        return np.concatenate([parts[gate] for gate in gates])

    of_input, of_state = (sorted_gates(each) for each in np.split(bias, 2))
    keeps_both = node.op == "GRU" and node.attributes.get("linear_before_reset", 0)
    biases = np.stack([of_input, of_state]) if keeps_both else of_input + of_state
    return [sorted_gates(weights).T, sorted_gates(recurrent).T, biases]


OPERATORS: dict[str, Callable[[Builder, Node], None]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
