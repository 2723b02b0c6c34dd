"""The split model is the trained model: whole, in parts, and step by step, in both frameworks."""

import numpy as np
import pytest

from edgevid.errors import ModelError
from tests.keras_models import CAUSAL, FRAME, FRAMES, HEADS, cnn_rnn, convlstm, over_features

pytestmark = pytest.mark.tf
TOLERANCE = 1e-5


def parts_of(model):
    from convert.graph import read_graph
    from convert.split import split

    return split(read_graph(model))


def clip(frames=FRAMES, shape=FRAME, seed=0):
    return np.random.default_rng(seed).random((1, frames, *shape)).astype(np.float32)


def encode(parts, window):
    seen, shape = parts.lookback + 1, parts.encoder.input_shapes[0]
    rows = [parts.encoder.function(window[0, start : start + seen].reshape(shape))[0] for start in range(parts.frames - parts.lookback)]
    return np.concatenate([np.asarray(row) for row in rows])[None]


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
@pytest.mark.parametrize("head", HEADS)
def test_encoder_and_head_give_the_trained_models_answer(head, framework):
    model = cnn_rnn(head, framework=framework)
    parts, window = parts_of(model), clip()
    expected = np.asarray(model(window))
    assert np.ptp(expected) > 1e-3, "an answer that says nothing proves nothing"
    assert np.allclose(parts.head.function(encode(parts, window))[0], expected, atol=TOLERANCE)
    assert np.allclose(parts.whole.function(window)[0], expected, atol=TOLERANCE)


@pytest.mark.parametrize("head", CAUSAL)
def test_stepping_from_zero_gives_the_windows_answer_at_every_length(head):
    longest = parts_of(cnn_rnn(head))
    window = clip()
    features = encode(longest, window)
    states = [np.zeros(shape, np.float32) for shape in longest.step.input_shapes[1:]]
    for frame in range(FRAMES):
        scores, *states = longest.step.function(features[:, frame], *states)
        if frame + 1 < 2:
            continue
        shorter = cnn_rnn(head, frames=frame + 1)
        assert np.allclose(scores, shorter(window[:, : frame + 1]), atol=TOLERANCE), f"after frame {frame}"


@pytest.mark.parametrize("head", sorted(set(HEADS) - set(CAUSAL)))
def test_heads_that_look_at_the_whole_window_have_no_step_and_say_why(head):
    parts = parts_of(cnn_rnn(head))
    assert parts.step is None
    assert parts.not_causal


@pytest.mark.parametrize("head", ["lstm", "gru", "gru_reset_before", "bilstm", "simple_rnn"])
def test_the_input_projection_of_a_first_recurrent_layer_is_hoisted(head):
    parts = parts_of(cnn_rnn(head))
    gates = {"lstm": 4 * 5, "gru": 3 * 5, "gru_reset_before": 3 * 5, "bilstm": 2 * 4 * 4, "simple_rnn": 5}[head]
    assert len(parts.hoisted) == 1
    assert parts.head.input_shapes == ((1, FRAMES, gates),)


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_convlstm_is_unrolled_as_a_whole(framework):
    model = convlstm(framework=framework)
    parts, window = parts_of(model), clip(frames=4)
    assert parts.encoder is None
    assert np.allclose(parts.whole.function(window)[0], model(window), atol=TOLERANCE)


def test_frame_differences_are_encoded_with_one_frame_of_look_back():
    model = cnn_rnn("lstm", motion=True)
    parts, window = parts_of(model), clip()
    assert parts.lookback == 1
    assert parts.encoder.input_shapes == ((1, 2, *FRAME),)
    assert parts.head.input_shapes[0][1] == FRAMES - 1
    assert np.allclose(parts.head.function(encode(parts, window))[0], model(window), atol=TOLERANCE)


def test_a_recurrent_layer_over_features_leaves_only_its_recurrence_in_the_head():
    model = over_features("lstm")
    parts, window = parts_of(model), clip(shape=(10,))
    assert parts.hoisted
    assert np.allclose(parts.head.function(encode(parts, window))[0], model(window), atol=TOLERANCE)


def test_a_convolution_over_features_has_no_prefix_and_runs_as_a_stack():
    model = over_features("conv1d")
    parts, window = parts_of(model), clip(shape=(10,))
    assert parts.encoder is None
    assert np.allclose(parts.whole.function(window)[0], model(window), atol=TOLERANCE)


def test_a_nested_model_is_laid_flat():
    import keras

    inner = keras.Sequential([keras.Input((FRAMES, *FRAME)), keras.layers.TimeDistributed(keras.layers.Flatten()), keras.layers.Dense(6)])
    model = keras.Sequential([keras.Input((FRAMES, *FRAME)), inner, keras.layers.LSTM(4), keras.layers.Dense(3, activation="softmax")])
    parts, window = parts_of(model), clip()
    assert parts.prefix_layers == ("time_distributed", "dense") or len(parts.prefix_layers) == 2
    assert np.allclose(parts.head.function(encode(parts, window))[0], model(window), atol=TOLERANCE)


def test_two_streams_are_encoded_side_by_side():
    import keras

    inputs = keras.Input((FRAMES, *FRAME))
    flat = keras.layers.TimeDistributed(keras.layers.Flatten())(inputs)
    small, large = keras.layers.Dense(4)(flat), keras.layers.Dense(5)(flat)
    x = keras.layers.Concatenate()([keras.layers.LSTM(3)(small), keras.layers.GlobalAveragePooling1D()(large)])
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    parts, window = parts_of(model), clip()
    assert parts.head.input_shapes == ((1, FRAMES, 4 * 3 + 5),)
    assert np.allclose(parts.head.function(encode(parts, window))[0], model(window), atol=TOLERANCE)


def model_with(build):
    import keras

    return build(keras)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda k: k.Sequential([k.Input((None, 8)), k.layers.LSTM(3), k.layers.Dense(2)]), "--frames"),
        (lambda k: k.Sequential([k.Input((4, None, None, 3)), k.layers.TimeDistributed(k.layers.GlobalAveragePooling2D()), k.layers.LSTM(3)]), "dynamic"),
        (lambda k: k.Sequential([k.Input((4, 8)), k.layers.Masking(), k.layers.LSTM(3), k.layers.Dense(2)]), "mask"),
        (lambda k: k.Sequential([k.Input((8, 8, 3)), k.layers.Flatten(), k.layers.Dense(2)]), r"\(frames, height"),
        (lambda k: k.Sequential([k.layers.Dense(2)]), "unbuilt"),
    ],
)
def test_models_that_cannot_be_converted_are_refused_with_what_to_do(build, says):
    with pytest.raises(ModelError, match=says):
        parts_of(model_with(build))


def test_a_model_with_two_inputs_is_refused():
    import keras

    first, second = keras.Input((4, 8)), keras.Input((4, 8))
    model = keras.Model([first, second], keras.layers.Dense(2)(keras.layers.LSTM(3)(keras.layers.Concatenate()([first, second]))))
    with pytest.raises(ModelError, match="one input and one output, got 2 and 1"):
        parts_of(model)


def test_an_open_window_is_taken_as_stated():
    import keras

    from convert.graph import read_graph
    from convert.split import split

    model = keras.Sequential([keras.Input((None, 8)), keras.layers.LSTM(3), keras.layers.Dense(2, activation="softmax")])
    assert split(read_graph(model), frames=5).head.input_shapes[0][1] == 5
