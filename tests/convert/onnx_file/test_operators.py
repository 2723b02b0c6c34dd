"""Each operator of a `.onnx` file computes what ONNX Runtime computes."""

import numpy as np
import pytest

from tests.models.onnx_models import model, node, recurrent_weights, save

pytestmark = pytest.mark.tf
I64 = np.int64


def drawn(*shape, scale=1.0, seed=3):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def answers(made, tmp_path):
    """The answers of the file by ONNX Runtime, and those of its translated calls, on two windows of noise."""
    import tensorflow as tf

    from convert.execution.runner import GraphRunner
    from convert.graph.layer_graph import LayerGraph
    from convert.loading.load import load

    trained = load(save(tmp_path / "model.onnx", made)).model
    windowed, _ = trained.with_layout(axes=None, frames=None, size=None)
    graph = windowed.as_graph()
    calls = LayerGraph(graph.calls, graph.inputs[0], graph.outputs[0], graph.input_shapes[0])
    windows = drawn(2, *graph.input_shapes[0], seed=11)
    expected = windowed(tf.constant(windows))[0].numpy()
    run = GraphRunner.of(calls)
    ours = [
        run.run_window(graph.calls, {calls.input: tf.constant(window[None])})[calls.output].numpy()
        for window in windows
    ]
    return expected, np.concatenate(ours)


PLAIN = (
    "Relu Sigmoid Tanh Exp Neg Abs Softplus Softsign Selu Floor Ceil Sin Cos Sign Erf Reciprocal HardSwish Mish".split()
)
ROWS = [1, 6, 10]
PICTURES = [1, 4, 9, 12]
CASES = {op: ([node(op, "input", "output")], {}, ROWS) for op in PLAIN}
CASES |= {op: ([node("Abs", "input", "a"), node(op, "a", "output")], {}, ROWS) for op in ("Log", "Sqrt")}
CASES |= {
    op: ([node(op, "input c", "output")], {"c": np.abs(drawn(6, 10))}, ROWS)
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")
}
CASES |= {
    "Pow": ([node("Pow", "input two", "output")], {"two": np.float32(2)}, ROWS),
    "Where": (
        [node("Greater", "input zero", "c"), node("Where", "c input zero", "output")],
        {"zero": np.float32(0)},
        ROWS,
    ),
    "Not, LessOrEqual": (
        [
            node("LessOrEqual", "input zero", "a"),
            node("Not", "a", "b"),
            node("Cast", "b", "output", to=1),
        ],
        {"zero": np.float32(0)},
        ROWS,
    ),
    "Clip": ([node("Clip", "input low high", "output")], {"low": np.float32(-0.5), "high": np.float32(0.7)}, ROWS),
    "Clip to 6": ([node("Clip", "input low high", "output")], {"low": np.float32(0), "high": np.float32(6)}, ROWS),
    "Clip below": ([node("Clip", "input low _", "output")], {"low": np.float32(0.2)}, ROWS),
    "LeakyRelu": ([node("LeakyRelu", "input", "output", alpha=0.2)], {}, ROWS),
    "Elu": ([node("Elu", "input", "output")], {}, ROWS),
    "HardSigmoid": ([node("HardSigmoid", "input", "output", alpha=0.3, beta=0.4)], {}, ROWS),
    "PRelu": ([node("PRelu", "input slope", "output")], {"slope": drawn(4, 1, 1)}, PICTURES),
    "two branches": (
        [node("Relu", "input", "a"), node("Sigmoid", "input", "b"), node("Mul", "a b", "output")],
        {},
        ROWS,
    ),
    "lower rank": (
        [node("ReduceMean", "input", "a", axes=[1], keepdims=0), node("Sub", "input a", "output")],
        {},
        [1, 6, 10],
    ),
    "Gemm": ([node("Gemm", "input w b", "output", alpha=0.5, beta=2.0)], {"w": drawn(10, 3), "b": drawn(3)}, [1, 10]),
    "Gemm turned": ([node("Gemm", "input w _", "output", transB=1)], {"w": drawn(3, 10)}, [1, 10]),
    "MatMul": ([node("MatMul", "input w", "output")], {"w": drawn(10, 3)}, ROWS),
    "MatMul of a turned input": (
        [node("Transpose", "input", "a", perm=[0, 2, 1]), node("MatMul", "a w", "output")],
        {"w": drawn(6, 3)},
        ROWS,
    ),
    "MatMul with a graph": ([node("MatMul", "g input", "output")], {"g": drawn(6, 6)}, ROWS),
    "attention": (
        [
            node("MatMul", "input wq", "q"),
            node("MatMul", "input wk", "k"),
            node("Transpose", "k", "kt", perm=[0, 2, 1]),
            node("MatMul", "q kt", "scores"),
            node("Softmax", "scores", "shares", axis=-1),
            node("MatMul", "shares input", "mixed"),
            node("LayerNormalization", "mixed scale shift", "output", axis=-1),
        ],
        {"wq": drawn(10, 4), "wk": drawn(10, 4), "scale": drawn(10), "shift": drawn(10)},
        ROWS,
    ),
    "LogSoftmax": ([node("LogSoftmax", "input", "output", axis=1)], {}, ROWS),
    "BatchNormalization": (
        [node("BatchNormalization", "input a b c d", "output")],
        {"a": drawn(4), "b": drawn(4), "c": drawn(4), "d": np.abs(drawn(4)) + 1},
        PICTURES,
    ),
    "InstanceNormalization": (
        [node("InstanceNormalization", "input a b", "output")],
        {"a": drawn(4), "b": drawn(4)},
        PICTURES,
    ),
    "ReduceMax": ([node("ReduceMax", "input", "output", axes=[2, 3], keepdims=0)], {}, PICTURES),
    "ReduceSum": ([node("ReduceSum", "input axes", "output", keepdims=1)], {"axes": np.array([-1], I64)}, ROWS),
    "ReduceMean in the order of a picture": (
        [
            node("Conv", "input w _", "a", kernel_shape=[1, 1]),
            node("ReduceMean", "a", "output", axes=[2], keepdims=0),
        ],
        {"w": drawn(5, 4, 1, 1)},
        PICTURES,
    ),
    "GlobalMaxPool": ([node("GlobalMaxPool", "input", "a"), node("Flatten", "a", "output")], {}, PICTURES),
    "Slice": (
        [node("Slice", "input starts ends axes steps", "output")],
        {
            "starts": np.array([1, -3], I64),
            "ends": np.array([2**31, -1], I64),
            "axes": np.array([1, 2], I64),
            "steps": np.array([2, 1], I64),
        },
        ROWS,
    ),
    "Slice backwards": (
        [node("Slice", "input start end axis step", "output")],
        {
            "start": np.array([-1], I64),
            "end": np.array([-(2**31)], I64),
            "axis": np.array([1], I64),
            "step": np.array([-1], I64),
        },
        ROWS,
    ),
    "Split": (
        [node("Split", "input sizes", "a b", axis=2), node("Concat", "b a", "output", axis=-1)],
        {"sizes": np.array([4, 6], I64)},
        ROWS,
    ),
    "Gather several": ([node("Gather", "input places", "output", axis=2)], {"places": np.array([3, 0, -1], I64)}, ROWS),
    "Concat with a constant": ([node("Concat", "token input", "output", axis=1)], {"token": drawn(1, 1, 10)}, ROWS),
    "Expand": (
        [node("ReduceMean", "input", "a", axes=[1]), node("Expand", "a to", "output")],
        {"to": np.array([1, 6, 10], I64)},
        ROWS,
    ),
    "Tile": ([node("Tile", "input counts", "output")], {"counts": np.array([1, 2, 1], I64)}, ROWS),
    "Pad": (
        [node("Pad", "input pads value", "output")],
        {"pads": np.array([0, 2, 0, 0, 1, 0], I64), "value": np.float32(0.5)},
        ROWS,
    ),
    "Pad by reflection": (
        [node("Pad", "input pads", "output", mode="reflect")],
        {"pads": np.array([0, 2, 1, 0, 1, 0], I64)},
        ROWS,
    ),
    "reshapes of turned axes": (
        [
            node("Transpose", "input", "a", perm=[0, 2, 1]),
            node("Reshape", "a target", "b"),
            node("Unsqueeze", "b axis", "c"),
            node("Squeeze", "c axis", "output"),
        ],
        {"target": np.array([0, 5, -1], I64), "axis": np.array([1], I64)},
        ROWS,
    ),
}
CONVOLUTIONS = {
    "odd strides": ((6, 4, 3, 3), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "pads of one side": ((6, 4, 3, 3), {"kernel_shape": [3, 3], "pads": [0, 2, 1, 0]}),
    "as much as same": ((6, 4, 3, 3), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "dilated": ((6, 4, 3, 3), {"kernel_shape": [3, 3], "dilations": [2, 2]}),
    "depthwise": ((8, 1, 3, 3), {"kernel_shape": [3, 3], "group": 4, "pads": [1, 1, 1, 1]}),
    "in groups": ((6, 2, 3, 3), {"kernel_shape": [3, 3], "group": 2}),
    "auto_pad": ((6, 4, 2, 2), {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"}),
}
CASES |= {
    f"Conv, {name}": (
        [node("Conv", "input w b", "a", **given), node("Relu", "a", "c"), node("Flatten", "c", "output")],
        {"w": drawn(*shape), "b": drawn(shape[0])},
        PICTURES,
    )
    for name, (shape, given) in CONVOLUTIONS.items()
}
CASES |= {
    "Conv along time": (
        [node("Conv", "input w b", "output", kernel_shape=[3])],
        {"w": drawn(5, 6, 3), "b": drawn(5)},
        ROWS,
    ),
    "Conv along time, depthwise": (
        [node("Conv", "input w _", "output", kernel_shape=[3], group=6, pads=[2, 0])],
        {"w": drawn(6, 1, 3)},
        ROWS,
    ),
    "Conv along time, in groups": (
        [node("Conv", "input w _", "output", kernel_shape=[3], group=2)],
        {"w": drawn(4, 3, 3)},
        ROWS,
    ),
    "Conv of volumes": (
        [node("Conv", "input w _", "output", kernel_shape=[3, 3, 3], pads=[1] * 6, strides=[1, 2, 2])],
        {"w": drawn(5, 4, 3, 3, 3)},
        [1, 4, 5, 8, 8],
    ),
}
POOLS = {
    "plain": {"kernel_shape": [2, 2], "strides": [2, 2]},
    "padded": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "with a last window": {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
}
CASES |= {
    f"MaxPool, {name}": ([node("MaxPool", "input", "output", **given)], {}, PICTURES) for name, given in POOLS.items()
}
CASES |= {
    "AveragePool": ([node("AveragePool", "input", "output", **POOLS["plain"])], {}, PICTURES),
    "AveragePool, padding counts": (
        [node("AveragePool", "input", "output", count_include_pad=1, **POOLS["padded"])],
        {},
        PICTURES,
    ),
    "MaxPool of volumes": (
        [node("MaxPool", "input", "output", kernel_shape=[2, 2, 2], strides=[2, 2, 2])],
        {},
        [1, 4, 6, 8, 8],
    ),
}


def recurrent(op, out="sequence _", *, directions=1, **given):
    attributes = {"hidden_size": 8, **given}
    if directions == 2:
        attributes["direction"] = "bidirectional"
    taken = next(name for name in out.split() if name != "_")
    return (
        [
            node("Transpose", "input", "turned", perm=[1, 0, 2]),
            node(op, "turned W R B", out, **attributes),
            node("Transpose", taken, "output", perm=[2, 0, 1, 3] if taken == "sequence" else [1, 0, 2]),
        ],
        recurrent_weights(op, 10, directions=directions),
        ROWS,
    )


CASES |= {
    "LSTM": recurrent("LSTM"),
    "LSTM, last output": recurrent("LSTM", "_ newest"),
    "LSTM, both directions": recurrent("LSTM", directions=2),
    "LSTM, last outputs of both directions": recurrent("LSTM", "_ newest", directions=2),
    "LSTM, ReLU": recurrent("LSTM", activations=["Sigmoid", "Relu", "Relu"]),
    "GRU of PyTorch": recurrent("GRU", linear_before_reset=1),
    "GRU": recurrent("GRU"),
    "GRU, both directions": recurrent("GRU", directions=2, linear_before_reset=1),
    "RNN": recurrent("RNN"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_computes_what_onnx_runtime_computes(name, tmp_path):
    nodes, weights, shape = CASES[name]
    expected, ours = answers(model(nodes, weights, shape, classes=None, opset=18 if name == "Mish" else 17), tmp_path)
    assert expected.shape == ours.shape
    np.testing.assert_allclose(ours, expected, atol=2e-5, rtol=2e-5)


def test_every_translated_operator_is_in_a_file_of_these_tests():
    from convert.onnx_file.importing import OPERATORS

    tested = {each.op_type for nodes, _, _ in CASES.values() for each in nodes}
    # The same functions under other names, and those that the tests of whole models hold.
    others = {"Identity", "Dropout", "Sum", "Equal", "Less", "GreaterOrEqual", "And", "Or", "Round", "Gelu"}
    others |= {"GlobalAveragePool", "ReduceMin", "ReduceProd"}
    assert set(OPERATORS) - tested == others
