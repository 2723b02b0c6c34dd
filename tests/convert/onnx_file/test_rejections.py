"""A `.onnx` file is checked before anything of it is used; each rejection is one line."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from convert.onnx_file import read
from convert.onnx_file.read import read_onnx
from edgevid.errors import ModelError, UsageError
from tests.models.onnx_models import PICTURES, cnn_lstm, mlp, model, node, recurrent_weights, rows_lstm, save


def load(made, tmp_path, **layout):
    """Load a file as a conversion does."""
    from convert.interface.inputs import adapt_inputs
    from convert.loading.load import load as load_file

    options = {"axes": None, "frames": None, "frame_size": None, **layout}
    return adapt_inputs(load_file(save(tmp_path / "model.onnx", made)).model, **options)


def external(tmp_path, location, **entry):
    """A file whose first weight is external data at a location."""
    made = rows_lstm()
    tensor = made.graph.initializer[0]
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entry}.items():
        tensor.external_data.add(key=key, value=str(value))
    folder = tmp_path / "model"
    folder.mkdir()
    return save(folder / "model.onnx", made), data


def test_external_data_next_to_the_file_is_read(tmp_path):
    path, data = external(tmp_path, "model.onnx.data", offset=16)
    (path.parent / "model.onnx.data").write_bytes(b"." * 16 + data)
    file = read_onnx(path)
    assert file.model.graph.initializer[0].raw_data == data
    hashed = file.sha256
    (path.parent / "model.onnx.data").write_bytes(b"." * 16 + bytes(4) + data[4:])
    assert read_onnx(path).sha256 != hashed, "the weights belong to the model"


def test_missing_external_data_is_named(tmp_path):
    path, _ = external(tmp_path, "weights.bin")
    with pytest.raises(ModelError, match=r"numbers in .*weights\.bin, got no such file\. Copy it next to model\.onnx"):
        read_onnx(path)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "", "link"])
def test_external_data_elsewhere_is_rejected(location, tmp_path):
    path, data = external(tmp_path, location)
    (tmp_path / "secret").write_bytes(data)
    (path.parent / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="Expected external data in the folder of the model"):
        read_onnx(path)


@pytest.mark.parametrize("entry", [{"offset": -8}, {"offset": 10**9}, {"length": 10**9}, {"offset": "x"}])
def test_external_data_beyond_its_file_is_rejected(entry, tmp_path):
    path, data = external(tmp_path, "model.onnx.data", **entry)
    (path.parent / "model.onnx.data").write_bytes(data)
    with pytest.raises(ModelError, match="too few bytes in"):
        read_onnx(path)


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08\x08" * 40])
def test_a_damaged_file_is_rejected(data, tmp_path):
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(ModelError, match=r"Expected a \.onnx file, got .* damaged or of another kind"):
        read_onnx(tmp_path / "model.onnx")


def test_a_file_too_large_for_any_board_is_not_read(tmp_path, monkeypatch):
    path = save(tmp_path / "model.onnx", mlp())
    monkeypatch.setattr(read, "MOST_BYTES", 100)
    with pytest.raises(ModelError, match="Expected a model of at most"):
        read_onnx(path)


def test_operators_of_its_own_are_named(tmp_path):
    made = mlp()
    made.graph.node[2].domain = "com.example"
    with pytest.raises(ModelError, match=r"operators of ONNX's own set, got com\.example\.Relu in"):
        read_onnx(save(tmp_path / "model.onnx", made))
    made = mlp()
    made.functions.append(helper.make_function("own", "Twice", ["x"], ["y"], [], []))
    with pytest.raises(ModelError, match="functions of its own"):
        read_onnx(save(tmp_path / "model.onnx", made))


def test_several_inputs_are_named(tmp_path):
    more = [helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 8])]
    made = model([node("Relu", "input", "output")], {}, ["batch", 6, 10], more_inputs=more)
    with pytest.raises(ModelError, match=r"one input, the window, got 2 \(input, state\)"):
        read_onnx(save(tmp_path / "model.onnx", made))


@pytest.mark.parametrize(
    ("kind", "shape", "says"),
    [
        (TensorProto.INT64, [1, 6], "'input' of another type or shape"),
        (TensorProto.FLOAT, [6], "'input' of another type or shape"),
        (TensorProto.FLOAT, [8, 6, 10], "a batch of 1 or an open one on the first axis, got 8"),
    ],
)
def test_an_input_that_is_no_window_is_rejected(kind, shape, says, tmp_path):
    made = mlp()
    made.graph.input[0].CopyFrom(helper.make_tensor_value_info("input", kind, shape))
    with pytest.raises(ModelError, match=says):
        read_onnx(save(tmp_path / "model.onnx", made))


@pytest.mark.tf
def test_weights_that_are_no_numbers_are_rejected(tmp_path):
    made = mlp()
    weights = np.frombuffer(made.graph.initializer[0].raw_data, np.float32).copy()
    weights[3] = np.nan
    made.graph.initializer[0].raw_data = weights.tobytes()
    with pytest.raises(ModelError, match="Expected weights that are numbers, got NaN in 'w1'"):
        load(made, tmp_path)


@pytest.mark.tf
def test_an_operator_without_a_counterpart_is_named(tmp_path):
    made = model([node("TopK", "input k", "values output")], {"k": np.array([2], np.int64)}, ["batch", 10])
    with pytest.raises(ModelError, match="Expected operators with a counterpart on the device, got TopK in"):
        load(made, tmp_path)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"direction": "reverse"}, "a forward or bidirectional sequence in LSTM"),
        ({"activations": ["Sigmoid", "Tanh", "Relu"]}, "one activation for cell and output"),
        ({"activations": ["Sigmoid", "Affine", "Affine"]}, "Relu, Tanh or Sigmoid"),
        ({"clip": 2.0}, "no clip in LSTM"),
    ],
)
def test_a_form_of_lstm_that_keras_lacks_is_named(changes, says, tmp_path):
    made = rows_lstm()
    made.graph.node[1].attribute.extend(helper.make_attribute(key, value) for key, value in changes.items())
    with pytest.raises(ModelError, match=says):
        load(made, tmp_path)


@pytest.mark.tf
def test_a_variance_below_zero_is_named(tmp_path):
    made = mlp()
    weights = next(each for each in made.graph.initializer if each.name == "variance")
    weights.raw_data = np.full(8, -1.0, np.float32).tobytes()
    with pytest.raises(ModelError, match="variances of 0 or more in BatchNormalization"):
        load(made, tmp_path)


@pytest.mark.tf
def test_states_that_do_not_start_at_zero_are_named(tmp_path):
    made = model(
        [
            node("Transpose", "input", "turned", perm=[1, 0, 2]),
            node("LSTM", "turned W R B _ start start", "sequence newest", hidden_size=8),
            node("Squeeze", "newest axis", "output"),
        ],
        {**recurrent_weights("LSTM", 10), "start": np.ones((1, 1, 8), np.float32), "axis": np.array([0], np.int64)},
        ["batch", 6, 10],
    )
    with pytest.raises(ModelError, match="initial states of zero in LSTM"):
        load(made, tmp_path)


@pytest.mark.tf
def test_a_constant_larger_than_any_model_needs_is_not_computed(tmp_path):
    made = model(
        [
            node("ConstantOfShape", "sizes", "huge"),
            node("ReduceSum", "huge", "sum"),
            node("Add", "input sum", "output"),
        ],
        {"sizes": np.array([2**20, 2**20], np.int64)},
        ["batch", 10],
    )
    with pytest.raises(ModelError, match="tensors of at most"):
        load(made, tmp_path)
    made = model(
        [node("Expand", "input sizes", "output")], {"sizes": np.array([2**20, 2**10, 10], np.int64)}, ["batch", 10]
    )
    with pytest.raises(ModelError, match="tensors of at most"):
        load(made, tmp_path)


@pytest.mark.tf
def test_constants_that_grow_step_by_step_are_not_computed(tmp_path, monkeypatch):
    from convert.onnx_file import builder

    monkeypatch.setattr(builder, "MOST_NUMBERS", 2**12)
    nodes = [node("Concat", f"c{step} c{step}", f"c{step + 1}", axis=0) for step in range(12)]
    made = model([*nodes, node("Add", "input c12", "output")], {"c0": np.ones(1, np.float32)}, ["batch", 10])
    with pytest.raises(ModelError, match="tensors of at most"):
        load(made, tmp_path)


@pytest.mark.tf
def test_a_window_larger_than_any_model_needs_is_not_made(tmp_path):
    made = model([node("Relu", "input", "output")], {}, ["batch", 2**20, 2**20])
    with pytest.raises(ModelError, match=r"tensors of at most .* 'input'"):
        load(made, tmp_path)


@pytest.mark.tf
def test_nodes_in_a_ring_end(tmp_path):
    made = model([node("Relu", "input", "a"), node("Relu", "a", "b"), node("Relu", "b", "output")], {}, [1, 3, 32, 32])
    made.graph.node[1].output[0] = "a"
    with pytest.raises(ModelError, match="to fit its inputs"):
        load(made, tmp_path)


def test_a_weight_of_another_size_than_it_states_is_damage(tmp_path):
    made = mlp()
    made.graph.initializer[0].dims[0] += 1
    with pytest.raises(ModelError, match="damaged or of another kind"):
        read_onnx(save(tmp_path / "model.onnx", made))


@pytest.mark.tf
@pytest.mark.parametrize("make", [rows_lstm, cnn_lstm])
def test_whatever_is_damaged_ends_in_one_line(make, tmp_path):
    """Bytes of the file's structure, changed, left out and put in."""
    rng, data, path = np.random.default_rng(4), make().SerializeToString(), tmp_path / "model.onnx"
    from convert.onnx_file.model import OnnxModel

    for _ in range(40):
        damaged, at = bytearray(data), int(rng.integers(min(len(data), 2500)))
        damaged[at : at + int(rng.integers(3))] = rng.bytes(int(rng.integers(3)))
        path.write_bytes(damaged)
        try:
            OnnxModel(read_onnx(path)).with_layout(axes=None, frames=None, size=None)
        except ModelError as error:
            assert "\n" not in str(error)


def test_a_name_that_is_no_text_is_damage(tmp_path):
    data = mlp().SerializeToString()
    (tmp_path / "model.onnx").write_bytes(data.replace(b"Softmax", b"Soft\xffax"))
    with pytest.raises(ModelError, match="damaged or of another kind"):
        read_onnx(tmp_path / "model.onnx")


@pytest.mark.tf
def test_an_output_that_no_operator_computes_is_named(tmp_path):
    made = mlp()
    made.graph.node[-1].output[0] = "elsewhere"
    with pytest.raises(ModelError, match="outputs that the input changes, got 'output'"):
        load(made, tmp_path)


@pytest.mark.tf
def test_a_file_that_contradicts_itself_is_one_line(tmp_path):
    made = model([node("Reshape", "input target", "output")], {"target": np.array([1, 7], np.int64)}, ["batch", 10])
    with pytest.raises(ModelError, match=r"ONNX Runtime can run|to fit its inputs") as caught:
        load(made, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.tf
def test_an_open_window_is_stated_by_frames(tmp_path):
    with pytest.raises(ModelError, match=r"axis 1 \(time\) of 'input' open in .*--frames N"):
        load(rows_lstm(frames="time"), tmp_path)
    assert load(rows_lstm(frames="time"), tmp_path, frames=9).window == (9, 10)


@pytest.mark.tf
def test_an_open_frame_size_is_stated_by_frame_size(tmp_path):
    made = model(
        [
            node("Conv", "input w _", "a", kernel_shape=[3, 3]),
            node("GlobalAveragePool", "a", "b"),
            node("Flatten", "b", "output"),
        ],
        {"w": np.ones((3, 3, 3, 3), np.float32)},
        ["batch", 3, "height", "width"],
    )
    with pytest.raises(ModelError, match=r"axis 2 \(height\) .*--frame-size HEIGHT,WIDTH"):
        load(made, tmp_path)
    assert load(made, tmp_path, frame_size=(24, 32)).window == (1, 24, 32, 3)


@pytest.mark.tf
def test_an_open_number_of_features_is_no_options_matter(tmp_path):
    made = rows_lstm()
    made.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "features"
    with pytest.raises(ModelError, match=r"axis 2 \(features\).*Export the model with this size fixed"):
        load(made, tmp_path)


@pytest.mark.tf
def test_axes_are_stated_in_the_order_of_the_file(tmp_path):
    assert load(cnn_lstm(), tmp_path, axes="t,c,h,w").window == (PICTURES[0], *PICTURES[2:], PICTURES[1])
    with pytest.raises(UsageError, match="an input of 3 axes for --axes h,w,c"):
        load(cnn_lstm(), tmp_path, axes="h,w,c")


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_the_command_that_installs_it_is_named(missing, tmp_path, monkeypatch):
    import sys

    from edgevid.errors import MissingDependency

    path = save(tmp_path / "model.onnx", mlp())
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependency, match=r"pip install 'edgevid\[onnx\]'"):
        read_onnx(path)
