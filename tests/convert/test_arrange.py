"""Models whose input is no plain window: what their axes are taken for, what they are fed, and which output is taken."""

import numpy as np
import pytest

from edgevid.errors import ModelError, UsageError
from tests.zoo import BOTH, framework

pytestmark = pytest.mark.tf


def classes(k, x, name=None):
    return k.layers.Dense(3, activation="softmax", name=name)(x)


def flat_lstm(k, x):
    return k.layers.LSTM(4)(k.layers.TimeDistributed(k.layers.Flatten())(x))


LAYOUTS = {
    "frames stacked on channels": ((16, 16, 15), lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(x)), {"frames": 5}, (5, 16, 16, 3), "stack"),
    "grey frames stacked": ((16, 16, 4), lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(x)), {"frames": 4}, (4, 16, 16, 1), "stack"),
    "one picture": ((16, 16, 3), lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(k.layers.Rescaling(1 / 255.0)(x))), {}, (1, 16, 16, 3), "stack"),
    "grey frames without channels": ((5, 16, 16), flat_lstm, {}, (5, 16, 16, 1), "window"),
    "rows of joints": ((5, 17, 2), flat_lstm, {}, (5, 34), "window"),
    "channels first": ((5, 3, 16, 16), lambda k, x: flat_lstm(k, k.layers.Permute((1, 3, 4, 2))(x)), {}, (5, 16, 16, 3), "window"),
    "channels before time": ((3, 5, 16, 16), lambda k, x: flat_lstm(k, k.layers.Permute((2, 3, 4, 1))(x)), {"axes": "c,t,h,w"}, (5, 16, 16, 3), "stack"),
    "clips of a clip": ((2, 3, 8, 8, 3), lambda k, x: flat_lstm(k, k.layers.TimeDistributed(k.layers.ConvLSTM2D(2, 3))(x)), {}, (6, 8, 8, 3), "stack"),
    "clips of rows": ((3, 4, 6), lambda k, x: flat_lstm(k, k.layers.TimeDistributed(k.layers.Conv1D(2, 3))(x)), {"axes": "n,t,f"}, (12, 6), "stack"),
    "one flat row of frames": ((32,), lambda k, x: k.layers.Dense(8, activation="relu")(x), {"frames": 16}, (16, 2), "stack"),
    "one row": ((32,), lambda k, x: k.layers.Dense(8, activation="relu")(x), {}, (1, 32), "stack"),
    "an open window": ((None, 6), lambda k, x: k.layers.LSTM(4)(x), {"frames": 5}, (5, 6), "window"),
}


def arranged(model, **options):
    from convert.arrange import arrange
    from convert.split import split

    given = arrange(model, **options)
    return given, split(given.graph)


def check(model, **options):
    """The parts give what the trained model gives for the same window; returns both views."""
    from convert.stepping import last_answer

    given, parts = arranged(model, **options)
    window = np.random.default_rng(0).random((2, parts.frames, *parts.frame_shape)).astype(np.float32)
    expected = np.asarray(given.ask(window))
    assert np.ptp(expected) > 1e-3
    assert expected.shape == (2, 3)
    for index in range(2):
        np.testing.assert_allclose(parts.whole.function(window[index].reshape(parts.whole.input_shapes[0]))[0][0], expected[index], atol=1e-5)
        if parts.encoder is not None:
            rows = [np.asarray(parts.encoder.function(frame[None])[0]) for frame in window[index]]
            np.testing.assert_allclose(last_answer(parts.head, parts.head.function, np.concatenate(rows))[0], expected[index], atol=1e-5)
    return given, parts


@pytest.mark.parametrize("used", BOTH)
@pytest.mark.parametrize("case", LAYOUTS)
def test_a_layout_is_read_and_fed_as_it_was_trained(case, used):
    shape, body, options, window, plan = LAYOUTS[case]
    k = framework(used)
    k.utils.set_random_seed(1)
    inputs = k.Input(shape)
    given, parts = check(k.Model(inputs, classes(k, body(k, inputs))), **options)
    assert (parts.frames, *parts.frame_shape) == window
    assert ("stack" if parts.encoder is None else "window") == plan
    assert len(given.notes) == (given.graph.input == 0 and "axes" not in options and case != "rows of joints"), "what was assumed is said"


def test_frames_stacked_on_channels_lie_frame_after_frame():
    import keras

    inputs = keras.Input((8, 8, 6))
    given, _ = arranged(keras.Model(inputs, classes(keras, keras.layers.Flatten()(inputs))), axes="h,w,tc", frames=2)
    window = np.random.default_rng(0).random((1, 2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(given.ask.feeds[0](window), np.concatenate([window[:, 0], window[:, 1]], axis=-1))


@pytest.mark.parametrize("used", BOTH)
def test_two_streams_get_the_same_frames_and_feature_inputs_their_columns(used):
    k = framework(used)
    first, second = k.Input((5, 16, 16, 3)), k.Input((5, 16, 16, 3))
    given, parts = check(k.Model([first, second], classes(k, k.layers.Concatenate()([flat_lstm(k, first), flat_lstm(k, second)]))))
    assert parts.step is not None
    assert any("the same frames" in note for note in given.notes)
    first, second = k.Input((5, 6)), k.Input((5, 4))
    given, parts = check(k.Model([first, second], classes(k, k.layers.Concatenate()([k.layers.LSTM(3)(first), k.layers.GRU(3)(second)]))))
    assert parts.frame_shape == (10,)
    assert any("side by side" in note for note in given.notes)


@pytest.mark.parametrize("used", BOTH)
def test_of_several_outputs_the_one_with_probabilities_is_taken_or_the_one_asked_for(used):
    k = framework(used)
    inputs = k.Input((5, 8))
    hidden = k.layers.LSTM(4)(inputs)
    model = k.Model(inputs, [k.layers.Dense(3, name="box")(hidden), classes(k, hidden, "label")])
    given, _ = check(model)
    assert given.ask.index == 1
    assert "box left out" in given.notes[0]
    assert check(model, output="box")[0].ask.index == 0
    with pytest.raises(UsageError, match="box, label"):
        arranged(model, output="nobody")


@pytest.mark.parametrize("used", BOTH)
def test_of_answers_for_every_frame_the_newest_is_taken(used):
    k = framework(used)
    inputs = k.Input((5, 8))
    sequence = k.layers.LSTM(4, return_sequences=True)(inputs)
    _, parts = check(k.Model(inputs, k.layers.TimeDistributed(k.layers.Dense(3, activation="softmax"))(sequence)))
    assert parts.step is not None


@pytest.mark.parametrize(
    ("shape", "body", "options", "error", "says"),
    [
        ((16, 16, 15), lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(x)), {}, ModelError, r"--frames 15 \(grey\) or --frames 5 \(colour\)"),
        ((16, 16, 15), lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(x)), {"frames": 4}, ModelError, "got 4"),
        ((None, 8), lambda k, x: k.layers.LSTM(3)(x), {}, ModelError, "--frames N"),
        ((5, 8), lambda k, x: k.layers.LSTM(3)(x), {"frames": 6}, ModelError, "--frames 5"),
        ((5, 8), lambda k, x: k.layers.LSTM(3)(x), {"axes": "t,x"}, UsageError, "--axes, one of"),
        ((5, 8), lambda k, x: k.layers.LSTM(3)(x), {"axes": "t,h,w,c"}, UsageError, "4 axes"),
        ((5, None, None, 3), lambda k, x: k.layers.LSTM(3)(k.layers.TimeDistributed(k.layers.GlobalAveragePooling2D())(x)), {}, ModelError, "dynamic"),
        ((1, 2, 3, 4, 5, 6), lambda k, x: k.layers.Flatten()(x), {}, ModelError, r"\(frames, height"),
        ((32,), lambda k, x: k.layers.Dense(4)(x), {"frames": 5}, ModelError, "divides"),
    ],
)
def test_what_cannot_be_settled_is_refused_with_what_to_say(shape, body, options, error, says):
    import keras

    inputs = keras.Input(shape)
    with pytest.raises(error, match=says):
        arranged(keras.Model(inputs, classes(keras, body(keras, inputs))), **options)


def test_inputs_that_no_one_source_can_feed_are_refused():
    import keras

    frames, rows = keras.Input((5, 16, 16, 3)), keras.Input((5, 4))
    model = keras.Model([frames, rows], classes(keras, keras.layers.Concatenate()([flat_lstm(keras, frames), keras.layers.GRU(3)(rows)])))
    with pytest.raises(ModelError, match="one source of frames"):
        arranged(model)


def test_a_sequence_made_up_again_gives_no_scores():
    import keras

    inputs = keras.Input((5, 8))
    model = keras.Model(inputs, keras.layers.TimeDistributed(keras.layers.Dense(8))(keras.layers.LSTM(4, return_sequences=True)(inputs)))
    with pytest.raises(ModelError, match="no scores to decide by"):
        arranged(model)
