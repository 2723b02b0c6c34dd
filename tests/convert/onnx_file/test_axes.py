"""What the axes of a `.onnx` file mean, and how the model is split."""

import numpy as np
import pytest

from tests.models.onnx_models import PICTURES, cnn3d, cnn_lstm, model, node, rows_lstm, save, unstacked_cnn_lstm

pytestmark = pytest.mark.tf
FRAME = (*PICTURES[2:], PICTURES[1])


def opened(made, tmp_path):
    """The arranged model and its parts."""
    from convert.interface.window_to_scores import arrange
    from convert.loading.load import load
    from convert.splitting.split import split

    arranged = arrange(load(save(tmp_path / "model.onnx", made)).model)
    return arranged, split(arranged.graph)


@pytest.mark.parametrize("make", [cnn_lstm, unstacked_cnn_lstm])
def test_a_cnn_over_frames_is_found_whichever_way_the_file_takes_them(make, tmp_path):
    arranged, parts = opened(make(), tmp_path)
    assert (parts.frames, parts.frame_shape) == (PICTURES[0], FRAME)
    assert parts.encoder is not None
    assert parts.step is not None, "the LSTM can be carried"
    assert len(parts.hoisted) == 1
    assert arranged.notes[0].startswith("the axes of input (6, 3, 16, 20) are read as t,c,h,w")
    assert arranged.graph.input_shape == (PICTURES[0], *FRAME), "and nothing turns them on the device"
    first = [call for call in arranged.graph.calls if arranged.graph.input in call.inputs]
    assert not any(call.kind == "InputAdapter" or call.name == "transpose" for call in first)


def test_an_lstm_over_rows_is_split_behind_its_projection(tmp_path):
    arranged, parts = opened(rows_lstm(), tmp_path)
    assert (parts.frames, parts.frame_shape, parts.hoisted) == (6, (10,), ("sequence_LSTM",))
    assert parts.step is not None
    assert not any("axes" in note for note in arranged.notes)


def test_channels_before_time_are_those_of_volumes(tmp_path):
    _, parts = opened(cnn3d(), tmp_path)
    assert (parts.frames, parts.frame_shape, parts.encoder) == (6, FRAME, None)


def pooled(shape, *before, weights=None, channels=3):
    """A convolution behind other operators, and a mean of what it finds."""
    nodes = [
        *before,
        node("Conv", "pictures kernel _", "a", kernel_shape=[3, 3]),
        node("GlobalAveragePool", "a", "b"),
        node("Flatten", "b", "output", axis=1),
    ]
    return model(nodes, {"kernel": np.ones((3, channels, 3, 3), np.float32), **(weights or {})}, shape)


def test_one_picture_is_a_window_of_one_frame(tmp_path):
    scaled = node("Mul", "input scale", "pictures")
    made = pooled(["batch", 3, 16, 20], scaled, weights={"scale": np.float32(2)})
    arranged, parts = opened(made, tmp_path)
    assert (parts.frames, parts.frame_shape) == (1, FRAME)
    assert "read as c,h,w" in arranged.notes[0]


def test_channels_that_are_last_in_the_file_stay_there(tmp_path):
    made = pooled(["batch", 16, 20, 3], node("Transpose", "input", "pictures", perm=[0, 3, 1, 2]))
    arranged, parts = opened(made, tmp_path)
    assert (parts.frames, parts.frame_shape) == (1, FRAME)
    assert not any("c,h,w" in note for note in arranged.notes)


def test_a_convolution_over_many_channels_or_short_sides_sees_no_pictures(tmp_path):
    made = pooled(["batch", 3, 16, 5], node("Relu", "input", "pictures"))
    arranged, _ = opened(made, tmp_path)
    assert arranged.graph.input_shape != (1, 16, 5, 3)
