"""Small `.onnx` files as PyTorch exports them, built without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CLASSES, UNITS = 3, 8
ROWS = (6, 10)
PICTURES = (6, 3, 16, 20)


def model(
    nodes: Sequence[Any],
    weights: Mapping[str, Any],
    shape: Sequence[int | str],
    *,
    classes: Sequence[int | str] | None = ("batch", CLASSES),
    opset: int = 17,
    more_inputs: Sequence[Any] = (),
) -> Any:
    """Return a model from "input" to "output"."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        list(nodes),
        "main_graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, list(shape)), *more_inputs],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, classes)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="pytorch")
    # Older than what any of the supported runtimes reads.
    made.ir_version = 8
    return made


def save(path: Path, made: Any) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """Return a node; names of tensors are words, "_" for one that is left out."""
    from onnx import helper

    names = [["" if name == "_" else name for name in words.split()] for words in (inputs, outputs)]
    return helper.make_node(op, *names, name=f"/{names[1][0] or op}/{op}", **attributes)


def recurrent_weights(op: str, features: int, units: int = UNITS, *, directions: int = 1) -> dict[str, Any]:
    gates, rng = {"LSTM": 4, "GRU": 3, "RNN": 1}[op], np.random.default_rng(5)
    shapes = {"W": (gates * units, features), "R": (gates * units, units), "B": (2 * gates * units,)}
    return {name: _drawn(rng, (directions, *shape), 0.4) for name, shape in shapes.items()}


def _drawn(rng: np.random.Generator, shape: Sequence[int], scale: float = 1.0) -> Any:
    return (scale * rng.standard_normal(tuple(shape))).astype(np.float32)


def head(features: int = UNITS) -> dict[str, Any]:
    rng = np.random.default_rng(6)
    return {"fc.weight": _drawn(rng, (CLASSES, features), 2.0), "fc.bias": _drawn(rng, (CLASSES,), 0.1)}


def rows_lstm(op: str = "LSTM", *, frames: int | str = ROWS[0]) -> Any:
    """`nn.LSTM(batch_first=True)` over key points, its last output, and a layer over classes."""
    given = {"linear_before_reset": 1} if op == "GRU" else {}
    return model(
        [
            node("Transpose", "input", "turned", perm=[1, 0, 2]),
            node(op, "turned W R B", "sequence newest", hidden_size=UNITS, **given),
            node("Squeeze", "sequence axis", "squeezed"),
            node("Transpose", "squeezed", "back", perm=[1, 0, 2]),
            node("Gather", "back last", "taken", axis=1),
            node("Gemm", "taken fc.weight fc.bias", "output", transB=1),
        ],
        {
            **recurrent_weights(op, ROWS[1]),
            **head(),
            "axis": np.array([1], np.int64),
            "last": np.array(-1, np.int64),
        },
        ("batch", frames, ROWS[1]),
    )


def cnn_weights() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    return {
        "conv1": _drawn(rng, (8, 3, 3, 3), 0.4),
        "conv1.bias": _drawn(rng, (8,), 0.1),
        "conv2": _drawn(rng, (UNITS, 8, 3, 3), 0.3),
        "conv2.bias": _drawn(rng, (UNITS,), 0.1),
        "frame": np.array([-1, *PICTURES[1:]], np.int64),
        "one": np.array([1], np.int64),
        "first": np.array(0, np.int64),
        "zero": np.array([0], np.int64),
        "time": np.array([PICTURES[0]], np.int64),
        "rest": np.array([-1], np.int64),
        "last": np.array(-1, np.int64),
    }


def cnn_lstm(op: str = "LSTM") -> Any:
    """A CNN on `x.view(B * T, C, H, W)`, features viewed as (B, T, F) again, an LSTM, a layer over classes."""
    given = {"linear_before_reset": 1} if op == "GRU" else {}
    return model(
        [
            node("Reshape", "input frame", "frames"),
            node("Conv", "frames conv1 conv1.bias", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
            node("Relu", "a", "b"),
            node("Conv", "b conv2 conv2.bias", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("Relu", "c", "d"),
            node("MaxPool", "d", "e", kernel_shape=[2, 2], strides=[2, 2]),
            node("GlobalAveragePool", "e", "f"),
            node("Flatten", "f", "flat", axis=1),
            # As PyTorch exports x.view(batch, time, -1) with a batch that is open.
            node("Shape", "input", "shape"),
            node("Gather", "shape first", "batch", axis=0),
            node("Unsqueeze", "batch zero", "batches"),
            node("Concat", "batches time rest", "target", axis=0),
            node("Reshape", "flat target", "features"),
            node("Transpose", "features", "turned", perm=[1, 0, 2]),
            node(op, "turned W R B", "sequence newest", hidden_size=UNITS, **given),
            node("Squeeze", "sequence one", "squeezed"),
            node("Transpose", "squeezed", "back", perm=[1, 0, 2]),
            node("Gather", "back last", "taken", axis=1),
            node("Gemm", "taken fc.weight fc.bias", "output", transB=1),
        ],
        {**cnn_weights(), **recurrent_weights(op, UNITS), **head()},
        ("batch", *PICTURES),
    )


def unstacked_cnn_lstm() -> Any:
    """Each frame of the window by itself through the same CNN, as `for t in range(T): cnn(x[:, t])` is exported."""
    frames, nodes = range(PICTURES[0]), []
    for t in frames:
        nodes += [
            node("Gather", f"input place{t}", f"x{t}", axis=1),
            node("Conv", f"x{t} conv1 conv1.bias", f"a{t}", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
            node("Relu", f"a{t}", f"b{t}"),
            node("GlobalAveragePool", f"b{t}", f"c{t}"),
            node("Flatten", f"c{t}", f"d{t}", axis=1),
            node("Unsqueeze", f"d{t} one", f"e{t}"),
        ]
    nodes += [
        node("Concat", " ".join(f"e{t}" for t in frames), "features", axis=1),
        node("Transpose", "features", "turned", perm=[1, 0, 2]),
        node("LSTM", "turned W R B", "_ newest", hidden_size=UNITS),
        node("Squeeze", "newest zero", "taken"),
        node("Gemm", "taken fc.weight fc.bias", "output", transB=1),
    ]
    places = {f"place{t}": np.array(t, np.int64) for t in frames}
    weights = {**cnn_weights(), **recurrent_weights("LSTM", UNITS), **head(), **places}
    return model(nodes, weights, ("batch", *PICTURES))


def cnn3d() -> Any:
    """Two convolutions over (C, T, H, W), a mean over all of it, a layer over classes."""
    rng = np.random.default_rng(8)
    return model(
        [
            node("Conv", "input conv1 _", "a", kernel_shape=[3, 3, 3], pads=[1] * 6),
            node("Relu", "a", "b"),
            node("MaxPool", "b", "c", kernel_shape=[1, 2, 2], strides=[1, 2, 2]),
            node("Conv", "c conv2 _", "d", kernel_shape=[3, 3, 3], pads=[1] * 6, strides=[2, 2, 2]),
            node("Relu", "d", "e"),
            node("GlobalAveragePool", "e", "f"),
            node("Flatten", "f", "g", axis=1),
            node("Gemm", "g fc.weight fc.bias", "output", transB=1),
        ],
        {"conv1": _drawn(rng, (4, 3, 3, 3, 3), 0.3), "conv2": _drawn(rng, (UNITS, 4, 3, 3, 3), 0.3), **head()},
        ("batch", 3, 6, 16, 20),
    )


def mlp() -> Any:
    """One row of key points a decision, normalised."""
    rng = np.random.default_rng(9)
    return model(
        [
            node("Gemm", "input w1 b1", "a", transB=1),
            node("BatchNormalization", "a scale shift mean variance", "b"),
            node("Relu", "b", "c"),
            node("Gemm", "c fc.weight fc.bias", "d", transB=1),
            node("Softmax", "d", "output", axis=-1),
        ],
        {
            "w1": _drawn(rng, (UNITS, 10)),
            "b1": _drawn(rng, (UNITS,)),
            "scale": _drawn(rng, (UNITS,)),
            "shift": _drawn(rng, (UNITS,)),
            "mean": _drawn(rng, (UNITS,)),
            "variance": np.full(UNITS, 2.0, np.float32),
            **head(),
        },
        ("batch", 10),
    )
