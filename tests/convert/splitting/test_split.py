"""The split model is the trained model: whole, in parts, and step by step, in both frameworks."""

import math

import numpy as np
import pytest

from edgevid.errors import ModelError
from tests.convert.parts import answer, clip, encode, parts_of
from tests.models.keras_models import CAUSAL, FRAME, FRAMES, HEADS, cnn_rnn, convlstm, over_features

pytestmark = pytest.mark.tf
TOLERANCE = 1e-5


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
@pytest.mark.parametrize("head", HEADS)
def test_encoder_and_head_give_the_trained_models_answer(head, framework):
    model = cnn_rnn(head, framework=framework)
    parts, window = parts_of(model), clip()
    expected = np.asarray(model(window))
    assert np.ptp(expected) > 1e-3, "an answer that says nothing proves nothing"
    assert np.allclose(answer(parts, encode(parts, window)), expected, atol=TOLERANCE)
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
    assert parts.head.input_shapes[0][-1] == gates


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_a_convlstm_over_frames_convolves_each_frame_once(framework):
    model = convlstm(framework=framework)
    parts, window = parts_of(model), clip(frames=4)
    assert parts.hoisted == (model.layers[0].name,)
    assert np.allclose(answer(parts, encode(parts, window)), model(window), atol=TOLERANCE)
    assert np.allclose(parts.whole.function(window)[0], model(window), atol=TOLERANCE)


def test_a_convlstm_whose_products_would_fill_the_memory_is_not_split(monkeypatch):
    monkeypatch.setattr(
        "convert.splitting.split.MOST_FEATURES", 4 * math.prod(convlstm().layers[0].output.shape[2:]) * 4 - 1
    )
    parts = parts_of(convlstm())
    assert parts.encoder is None
    assert parts.not_causal
    monkeypatch.undo()
    assert parts_of(convlstm()).encoder is not None


def test_frames_that_two_convlstms_read_are_left_whole():
    import keras

    inputs = keras.Input((3, *FRAME))
    both = [keras.layers.ConvLSTM2D(2, 3)(inputs) for _ in range(2)]
    assert (
        assert_all_parts_agree(
            classified(keras, inputs, keras.layers.Flatten()(keras.layers.Concatenate()(both)))
        ).encoder
        is None
    )


def test_frame_differences_are_encoded_with_one_frame_of_look_back():
    model = cnn_rnn("lstm", motion=True)
    parts, window = parts_of(model), clip()
    assert parts.lookback == 1
    assert parts.encoder.input_shapes == ((1, 2, *FRAME),)
    assert [shape[1] for shape in parts.head.input_shapes[1:]] == [FRAMES - 1] * 2
    assert np.allclose(answer(parts, encode(parts, window)), model(window), atol=TOLERANCE)


def test_a_recurrent_layer_over_features_leaves_only_its_recurrence_in_the_head():
    model = over_features("lstm")
    parts, window = parts_of(model), clip(shape=(10,))
    assert parts.hoisted
    assert np.allclose(answer(parts, encode(parts, window)), model(window), atol=TOLERANCE)


def test_a_convolution_over_features_has_no_prefix_and_runs_as_a_stack():
    model = over_features("conv1d")
    parts, window = parts_of(model), clip(shape=(10,))
    assert parts.encoder is None
    assert np.allclose(parts.whole.function(window)[0], model(window), atol=TOLERANCE)


def test_a_nested_model_is_laid_flat():
    import keras

    inner = keras.Sequential(
        [keras.Input((FRAMES, *FRAME)), keras.layers.TimeDistributed(keras.layers.Flatten()), keras.layers.Dense(6)]
    )
    model = keras.Sequential(
        [keras.Input((FRAMES, *FRAME)), inner, keras.layers.LSTM(4), keras.layers.Dense(3, activation="softmax")]
    )
    parts, window = parts_of(model), clip()
    assert parts.prefix_layers == ("time_distributed", "dense") or len(parts.prefix_layers) == 2
    assert np.allclose(answer(parts, encode(parts, window)), model(window), atol=TOLERANCE)


def test_two_streams_are_encoded_side_by_side():
    import keras

    inputs = keras.Input((FRAMES, *FRAME))
    flat = keras.layers.TimeDistributed(keras.layers.Flatten())(inputs)
    small, large = keras.layers.Dense(4)(flat), keras.layers.Dense(5)(flat)
    x = keras.layers.Concatenate()([keras.layers.LSTM(3)(small), keras.layers.GlobalAveragePooling1D()(large)])
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    parts, window = parts_of(model), clip()
    assert parts.head.input_shapes == ((1, FRAMES, 4 * 3 + 5),)
    assert np.allclose(answer(parts, encode(parts, window)), model(window), atol=TOLERANCE)


def model_with(build):
    import keras

    return build(keras)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda k: k.Sequential([k.Input((None, 8)), k.layers.LSTM(3), k.layers.Dense(2)]), "--frames"),
        (
            lambda k: k.Sequential(
                [
                    k.Input((4, None, None, 3)),
                    k.layers.TimeDistributed(k.layers.GlobalAveragePooling2D()),
                    k.layers.LSTM(3),
                ]
            ),
            "--frame-size",
        ),
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
    model = keras.Model(
        [first, second], keras.layers.Dense(2)(keras.layers.LSTM(3)(keras.layers.Concatenate()([first, second])))
    )
    with pytest.raises(ModelError, match="one input and one output, got 2 and 1"):
        parts_of(model)


def test_an_open_window_is_taken_as_stated():
    import keras

    from convert.graph.layer_graph import read_graph
    from convert.splitting.split import split

    model = keras.Sequential(
        [keras.Input((None, 8)), keras.layers.LSTM(3), keras.layers.Dense(2, activation="softmax")]
    )
    assert split(read_graph(model), frames=5).head.input_shapes[1][1] == 5


def pooled(k, inputs):
    """Four features a frame."""
    x = k.layers.TimeDistributed(k.layers.Conv2D(4, 3, strides=2, activation="relu"))(inputs)
    return k.layers.TimeDistributed(k.layers.GlobalAveragePooling2D())(x)


def classified(k, inputs, x):
    return k.Model(inputs, k.layers.Dense(3, activation="softmax")(x))


def over_frames(body, framework="keras", frames=FRAMES):
    """A classifier over what `body` makes of four features a frame."""
    import keras
    import tf_keras

    k = {"keras": keras, "tf_keras": tf_keras}[framework]
    k.utils.set_random_seed(1)
    inputs = k.Input((frames, *FRAME))
    model = classified(k, inputs, body(k, k.layers, pooled(k, inputs)))
    rng = np.random.default_rng(2)
    model.set_weights(
        [weight + rng.uniform(0.1, 0.9, weight.shape).astype(np.float32) for weight in model.get_weights()]
    )
    return model


def assert_all_parts_agree(model):
    parts, window = parts_of(model), clip(frames=model.input_shape[1], shape=tuple(model.input_shape[2:]))
    expected = np.asarray(model(window))
    np.testing.assert_allclose(parts.whole.function(window)[0], expected, atol=TOLERANCE)
    if parts.encoder is not None:
        features = encode(parts, window)
        np.testing.assert_allclose(answer(parts, features), expected, atol=TOLERANCE)
        if parts.step is not None:
            states = [np.zeros(shape, np.float32) for shape in parts.step.input_shapes[1:]]
            for frame in range(parts.frames - parts.lookback):
                scores, *states = parts.step.function(features[:, frame], *states)
            np.testing.assert_allclose(scores, expected, atol=TOLERANCE)
    return parts


def table(k, x):
    """A constant over all frames, as position encodings are."""
    import tensorflow as tf

    return x + tf.constant(np.random.default_rng(0).random((1, FRAMES, 4)).astype(np.float32))


MIXES_TIME = {
    "softmax over time": lambda k, L, x: L.Flatten()(L.Multiply()([x, L.Softmax(axis=1)(L.Dense(1)(x))])),
    "normalisation of time and features": lambda k, L, x: L.LSTM(4)(L.LayerNormalization(axis=[-1, -2])(x)),
    "batch normalisation of time, counted from behind": lambda k, L, x: L.LSTM(4)(L.BatchNormalization(axis=-2)(x)),
    "concatenation along time, counted from behind": lambda k, L, x: L.LSTM(4)(
        L.Concatenate(axis=-2)([x, L.Dense(4)(x)])
    ),
    "a reshape that merges frames": lambda k, L, x: L.LSTM(4)(L.Reshape((FRAMES // 2, 8))(x)),
    "a reshape of a vector": lambda k, L, x: L.LSTM(4)(L.Reshape((4, 3))(L.LSTM(12)(x))),
    "a permutation": lambda k, L, x: L.LSTM(4)(L.Permute((2, 1))(x)),
    "a slope for each frame": lambda k, L, x: L.LSTM(4)(L.PReLU()(x)),
    "a position encoding": lambda k, L, x: L.LSTM(4)(table(k, x)),
    "a decoder": lambda k, L, x: L.LSTM(3)(L.RepeatVector(5)(L.LSTM(4)(x))),
    "frames beside a summary": lambda k, L, x: L.LSTM(3)(L.Multiply()([x, L.RepeatVector(FRAMES)(L.LSTM(4)(x))])),
}


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
@pytest.mark.parametrize("case", MIXES_TIME)
def test_what_mixes_frames_stays_in_the_head_and_has_no_step(case, framework):
    parts = assert_all_parts_agree(over_frames(MIXES_TIME[case], framework))
    assert parts.encoder is not None
    assert parts.step is None


BY_FRAME = {
    "one layer called twice": lambda k, L, x: (lambda shared: L.Concatenate()([shared(x), shared(L.Dense(4)(x))]))(
        L.LSTM(5)
    ),
    "one tensor added to itself": lambda k, L, x: L.GRU(4)(L.Add()([x, x])),
    "operators with numbers": lambda k, L, x: L.LSTM(4)((x / 0.5 - 1.0) * 2.0 + x),
    "a constant for each feature": lambda k, L, x: L.LSTM(4)(x * np.array([1.0, 2.0, 3.0, 4.0], np.float32)),
    "a bare cell": lambda k, L, x: L.RNN(L.LSTMCell(4))(x),
    "activations of old": lambda k, L, x: L.LSTM(
        4, activation="relu", recurrent_activation="hard_sigmoid", dropout=0.2, recurrent_dropout=0.2, unroll=True
    )(x),
}


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
@pytest.mark.parametrize("case", BY_FRAME)
def test_what_treats_each_frame_by_itself_goes_into_the_encoder(case, framework):
    parts = assert_all_parts_agree(over_frames(BY_FRAME[case], framework))
    assert parts.step is not None
    assert parts.hoisted


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_a_window_of_one_frame_is_split_too(framework):
    assert_all_parts_agree(over_frames(lambda k, L, x: L.LSTM(4)(L.Reshape((1, 4))(x)), framework, frames=1))


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_pixels_scaled_by_an_operator_do_not_end_the_prefix_at_its_beginning(framework):
    import keras
    import tf_keras

    k = {"keras": keras, "tf_keras": tf_keras}[framework]
    inputs = k.Input((FRAMES, *FRAME))
    parts = assert_all_parts_agree(classified(k, inputs, k.layers.LSTM(4)(pooled(k, inputs / 127.5 - 1.0))))
    assert len(parts.hoisted) == 1


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_a_nested_model_called_several_times_is_laid_flat_each_time(framework):
    def body(k, layers, x):
        first, second = k.Input((FRAMES, 4)), k.Input((FRAMES, 4))
        inner = k.Model([first, second], [layers.Dense(4)(first), layers.Subtract()([first, second])])
        dense, difference = inner([x, layers.Dense(4)(x)])
        again, last = inner([difference, x])
        return layers.LSTM(4)(layers.Concatenate()([dense, difference, again, last]))

    assert assert_all_parts_agree(over_frames(body, framework)).step is not None


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_flat_convolutions_of_three_axes_are_encoded_frame_by_frame(framework):
    import keras
    import tf_keras

    k = {"keras": keras, "tf_keras": tf_keras}[framework]
    inputs = k.Input((FRAMES, *FRAME))
    x = k.layers.MaxPooling3D((1, 2, 2))(k.layers.Conv3D(4, (1, 3, 3), activation="relu", padding="same")(inputs))
    parts = assert_all_parts_agree(classified(k, inputs, k.layers.GlobalAveragePooling3D()(k.layers.Conv3D(3, 3)(x))))
    assert len(parts.prefix_layers) == 2


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_a_bidirectional_convlstm_is_unrolled(framework):
    import keras
    import tf_keras

    k = {"keras": keras, "tf_keras": tf_keras}[framework]
    inputs = k.Input((3, *FRAME))
    parts = assert_all_parts_agree(
        classified(k, inputs, k.layers.Flatten()(k.layers.Bidirectional(k.layers.ConvLSTM2D(2, 3))(inputs)))
    )
    assert parts.hoisted


@pytest.mark.parametrize(
    "body",
    [
        lambda k, L, x: L.Bidirectional(L.LSTM(4), backward_layer=L.GRU(5, go_backwards=True))(x),
        lambda k, L, x: L.Flatten()(L.Bidirectional(L.LSTM(4, go_backwards=True, return_sequences=True))(x)),
    ],
)
def test_a_bidirectional_of_two_kinds_or_begun_backwards_is_unrolled(body):
    assert_all_parts_agree(over_frames(body, "tf_keras"))  # Keras 3 builds neither


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_recurrent_layers_inside_of_anyones_own_layer_run_without_a_loop(framework):
    import keras
    import tensorflow as tf
    import tf_keras

    k = {"keras": keras, "tf_keras": tf_keras}[framework]

    class Recurring(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self.both, self.last = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True)), k.layers.LSTM(4)

        def call(self, x):
            return self.last(self.both(x))

    parts = assert_all_parts_agree(over_frames(lambda _k, _layers, x: Recurring()(x), framework))
    traced = tf.function(parts.head.function, autograph=False).get_concrete_function(
        tf.TensorSpec(parts.head.input_shapes[0], tf.float32)
    )
    assert not {"While", "StatelessWhile"} & {operation.type for operation in traced.graph.get_operations()}


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_what_is_true_of_a_frame_goes_to_the_head_as_a_number(framework):
    import tensorflow as tf

    def body(k, layers, x):
        seen = (
            k.ops.any(k.ops.not_equal(x, 0.0), axis=-1)
            if framework == "keras"
            else tf.reduce_any(tf.not_equal(x, 0.0), axis=-1)
        )
        return layers.LSTM(4)(layers.Dense(3)(x), mask=seen)

    assert_all_parts_agree(over_frames(body, framework))


def test_a_stateful_layer_is_refused():
    import keras

    model = keras.Sequential(
        [keras.Input(batch_shape=(1, 4, 8)), keras.layers.LSTM(3, stateful=True), keras.layers.Dense(2)]
    )
    with pytest.raises(ModelError, match="stateful=False"):
        parts_of(model)


def test_what_a_strange_layer_raises_is_one_line_that_names_it(tmp_path):
    import keras

    from convert.quantization.export import export

    class Strange(keras.layers.Layer):
        def call(self, x):
            if x.shape[0] is not None:
                raise RuntimeError("\nnot today\nnor tomorrow")
            return x

    parts = parts_of(over_frames(lambda _k, layers, x: Strange(name="odd")(layers.LSTM(4)(x))))
    with pytest.raises(ModelError, match=r"'odd' \(Strange\) to take a tensor of \(6, 4\), got .*not today") as caught:
        export(parts.head, tmp_path / "head")
    assert "\n" not in str(caught.value)


def test_a_split_left_whole_has_no_parts():
    stack = parts_of(cnn_rnn("lstm", motion=True)).as_stack()
    assert (stack.encoder, stack.head, stack.step, stack.lookback, stack.prefix_layers) == (None, None, None, 0, ())
