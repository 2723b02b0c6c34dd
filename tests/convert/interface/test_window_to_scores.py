"""Layouts of inputs, models of several inputs or outputs, and the choice of the scores."""

import math

import numpy as np
import pytest

from edgevid.errors import ModelError, UsageError
from tests.models.zoo import BOTH, framework

pytestmark = pytest.mark.tf


def classes(k, x, name=None):
    return k.layers.Dense(3, activation="softmax", name=name)(x)


def flat_lstm(k, x):
    return k.layers.LSTM(4)(k.layers.TimeDistributed(k.layers.Flatten())(x))


def c3d_first(k, x):
    first = {"data_format": "channels_first"}
    x = k.layers.MaxPooling3D((1, 2, 2), **first)(
        k.layers.Conv3D(4, 3, strides=(1, 2, 2), padding="same", activation="relu", **first)(x)
    )
    return k.layers.Flatten()(k.layers.AveragePooling3D(2, padding="same", **first)(x))


LAYOUTS = {
    "frames stacked on channels": (
        (16, 16, 15),
        lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(x)),
        {"frames": 5},
        (5, 16, 16, 3),
        "stack",
    ),
    "grey frames stacked": (
        (16, 16, 4),
        lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(x)),
        {"frames": 4},
        (4, 16, 16, 1),
        "stack",
    ),
    "one picture": (
        (16, 16, 3),
        lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(k.layers.Rescaling(1 / 255.0)(x))),
        {},
        (1, 16, 16, 3),
        "stack",
    ),
    "grey frames without channels": ((5, 16, 16), flat_lstm, {}, (5, 16, 16, 1), "window"),
    "rows of joints": ((5, 17, 2), flat_lstm, {}, (5, 34), "window"),
    "channels first": (
        (5, 3, 16, 16),
        lambda k, x: flat_lstm(k, k.layers.Permute((1, 3, 4, 2))(x)),
        {},
        (5, 16, 16, 3),
        "window",
    ),
    "channels before time, as a layer says": (
        (3, 5, 16, 16),
        lambda k, x: c3d_first(k, x),
        {},
        (5, 16, 16, 3),
        "stack",
    ),
    "channels first, as a layer says": (
        (5, 3, 16, 16),
        lambda k, x: k.layers.Flatten()(k.layers.ConvLSTM2D(2, 3, strides=4, data_format="channels_first")(x)),
        {},
        (5, 16, 16, 3),
        "window",
    ),
    "channels before time": (
        (3, 5, 16, 16),
        lambda k, x: flat_lstm(k, k.layers.Permute((2, 3, 4, 1))(x)),
        {"axes": "c,t,h,w"},
        (5, 16, 16, 3),
        "stack",
    ),
    "time as the third axis": (
        (16, 16, 5, 1),
        lambda k, x: k.layers.Flatten()(k.layers.Conv3D(2, (3, 3, 2), activation="relu")(x)),
        {},
        (5, 16, 16, 1),
        "stack",
    ),
    "time as the last axis of channels first": (
        (3, 16, 16, 5),
        lambda k, x: k.layers.Flatten()(k.layers.Conv3D(2, 3, strides=2, data_format="channels_first")(x)),
        {},
        (5, 16, 16, 3),
        "stack",
    ),
    "pixels of the window in one row": (
        (5 * 16 * 16 * 3,),
        lambda k, x: k.layers.Dense(4, activation="tanh")(x),
        {"axes": "t*h*w*c", "frames": 5, "frame_size": (16, 16)},
        (5, 16, 16, 3),
        "stack",
    ),
    "pixels of the window in one row, as a layer says": (
        (5 * 16 * 16,),
        lambda k, x: k.layers.Flatten()(k.layers.Conv3D(2, 3)(k.layers.Reshape((5, 16, 16, 1))(x))),
        {},
        (5, 16, 16, 1),
        "stack",
    ),
    "pixels of each frame in one row": (
        (5, 16 * 16 * 3),
        lambda k, x: flat_lstm(k, k.layers.TimeDistributed(k.layers.Reshape((16, 16, 3)))(x)),
        {},
        (5, 16, 16, 3),
        "window",
    ),
    "clips of a clip": (
        (2, 3, 8, 8, 3),
        lambda k, x: flat_lstm(k, k.layers.TimeDistributed(k.layers.ConvLSTM2D(2, 3))(x)),
        {},
        (6, 8, 8, 3),
        "stack",
    ),
    "clips of rows": (
        (3, 4, 6),
        lambda k, x: flat_lstm(k, k.layers.TimeDistributed(k.layers.Conv1D(2, 3))(x)),
        {"axes": "n,t,f"},
        (12, 6),
        "stack",
    ),
    "one flat row of frames": (
        (32,),
        lambda k, x: k.layers.Dense(8, activation="relu")(x),
        {"frames": 16},
        (16, 2),
        "stack",
    ),
    "one row": ((32,), lambda k, x: k.layers.Dense(8, activation="relu")(x), {}, (1, 32), "stack"),
    "an open window": ((None, 6), lambda k, x: k.layers.LSTM(4)(x), {"frames": 5}, (5, 6), "window"),
}


def arranged(model, **options):
    from convert.interface.window_to_scores import arrange
    from convert.splitting.split import split

    given = arrange(model, **options)
    return given, split(given.graph)


def check(model, **options):
    """Check that the parts answer as the trained model does; return the arranged model and the parts."""
    from convert.splitting.stepping import last_answer

    given, parts = arranged(model, **options)
    window = np.random.default_rng(0).random((2, parts.frames, *parts.frame_shape)).astype(np.float32)
    expected = np.asarray(given.ask(window))
    assert np.ptp(expected) > 1e-3
    assert expected.shape == (2, 3)
    for index in range(2):
        np.testing.assert_allclose(
            parts.whole.function(window[index].reshape(parts.whole.input_shapes[0]))[0][0], expected[index], atol=1e-5
        )
        if parts.encoder is not None:
            rows = [np.asarray(parts.encoder.function(frame[None])[0]) for frame in window[index]]
            np.testing.assert_allclose(
                last_answer(parts.head, parts.head.function, np.concatenate(rows))[0], expected[index], atol=1e-5
            )
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
    assert len(given.notes) == (given.graph.input == 0 and "axes" not in options and case != "rows of joints"), (
        "what was assumed is said"
    )


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
    given, parts = check(
        k.Model([first, second], classes(k, k.layers.Concatenate()([flat_lstm(k, first), flat_lstm(k, second)])))
    )
    assert parts.step is not None
    assert any("receive the same frames, of one camera; views" in note for note in given.notes)
    first, second = k.Input((5, 6)), k.Input((5, 4))
    given, parts = check(
        k.Model([first, second], classes(k, k.layers.Concatenate()([k.layers.LSTM(3)(first), k.layers.GRU(3)(second)])))
    )
    assert parts.frame_shape == (10,)
    assert any("side by side" in note for note in given.notes)


@pytest.mark.parametrize("used", BOTH)
def test_of_several_outputs_the_one_with_probabilities_is_taken_or_the_one_asked_for(used):
    k = framework(used)
    inputs = k.Input((5, 8))
    hidden = k.layers.LSTM(4)(inputs)
    model = k.Model(inputs, [k.layers.Dense(3, name="box")(hidden), classes(k, hidden, "label")])
    given, _ = check(model)
    assert given.ask.outputs.index == 1
    assert [(each.name, each.size) for each in given.graph.values] == [("box", 3)]
    assert "'label' gives the scores" in given.notes[0] and "box is delivered with the scores" in given.notes[1]
    assert check(model, output="box")[0].ask.outputs.index == 0
    assert arranged(model, scores_only=True)[0].graph.values == ()
    with pytest.raises(UsageError, match="box, label"):
        arranged(model, output="nobody")


@pytest.mark.parametrize("used", BOTH)
def test_what_comes_beside_the_scores_is_the_trained_models_in_every_part(used):
    from convert.splitting.stepping import last_answers

    k = framework(used)
    k.utils.set_random_seed(2)
    inputs = k.Input((5, 8), name="rows")
    sequence = k.layers.LSTM(4, return_sequences=True)(inputs)
    hidden = k.layers.GRU(3)(sequence)
    outputs = {
        "speed": k.layers.Dense(1, name="speed")(hidden),
        "label": k.layers.Softmax(name="label")(k.layers.Dense(3)(hidden)),
        "joints": k.layers.Reshape((3, 2), name="joints")(k.layers.Dense(6)(hidden)),
        "box": k.layers.TimeDistributed(k.layers.Dense(4), name="box")(sequence),
    }
    given, parts = check(k.Model(inputs, outputs))
    window = np.random.default_rng(1).random((1, 5, 8)).astype(np.float32)
    rows = np.concatenate([np.asarray(parts.encoder.function(frame[None])[0]) for frame in window[0]])
    expected = {
        each.name: np.asarray(value) for each, value in zip(given.graph.values, given.ask.values(window), strict=True)
    }
    by_hand = k.Model(inputs, [outputs["speed"], outputs["joints"], outputs["box"]])(window)
    assert {name: value.shape for name, value in expected.items()} == {"speed": (1, 1), "joints": (1, 6), "box": (1, 4)}
    for name, value in zip(
        ("speed", "joints", "box"), (by_hand[0], np.reshape(by_hand[1], (1, 6)), by_hand[2][:, -1]), strict=True
    ):
        np.testing.assert_allclose(expected[name], value, atol=1e-6)
    assert parts.in_flight
    for answers in (parts.whole.function(window), last_answers(parts.head, parts.head.function, rows)):
        for value, each in zip(answers[1:], given.graph.values, strict=True):
            np.testing.assert_allclose(value, expected[each.name], atol=1e-5)


@pytest.mark.parametrize("used", BOTH)
def test_frames_of_any_size_are_taken_in_the_size_that_is_stated(used):
    k = framework(used)
    k.utils.set_random_seed(3)
    inputs = k.Input((None, None, None, 3))
    x = k.layers.TimeDistributed(k.layers.Conv2D(4, 3, strides=2, activation="relu"))(inputs)
    model = k.Model(inputs, classes(k, k.layers.LSTM(4)(k.layers.TimeDistributed(k.layers.GlobalMaxPooling2D())(x))))
    _, parts = check(model, frames=4, frame_size=(12, 20))
    assert (parts.frames, *parts.frame_shape) == (4, 12, 20, 3)
    inputs = k.Input((None, None, 3))
    picture = k.Sequential(
        [
            k.Input((None, None, 3)),
            k.layers.Conv2D(4, 3),
            k.layers.GlobalMaxPooling2D(),
            k.layers.Dense(3, activation="softmax"),
        ]
    )
    assert check(picture, frame_size=(12, 20))[1].frame_shape == (12, 20, 3)
    with pytest.raises(ModelError, match="--frame-size HEIGHT,WIDTH"):
        arranged(model, frames=4)
    with pytest.raises(ModelError, match=r"subtracting 3 from 1|takes inputs of"):
        arranged(model, frames=4, frame_size=(1, 1))
    fixed = k.Model(first := k.Input((4, 16, 16, 3)), classes(k, flat_lstm(k, first)))
    with pytest.raises(UsageError, match="which the model fixes"):
        arranged(fixed, frame_size=(12, 20))


@pytest.mark.parametrize("used", BOTH)
def test_a_mask_beside_the_frames_is_given_for_full_windows(used):
    k = framework(used)
    rows, mask = k.Input((5, 8)), k.Input((5,), dtype="bool", name="seen")
    sequence = k.layers.GRU(6, return_sequences=True)(rows, mask=mask)
    given, parts = check(k.Model([rows, mask], classes(k, k.layers.GRU(4)(sequence))))
    assert parts.frame_shape == (8,)
    assert "the mask seen is all True" in given.notes[0]


@pytest.mark.parametrize("used", BOTH)
def test_inputs_that_are_named_in_a_dictionary_are_given_by_name(used):
    k = framework(used)
    rows, mask = k.Input((5, 8), name="rows"), k.Input((5,), dtype="bool", name="mask")
    check(k.Model({"rows": rows, "mask": mask}, classes(k, k.layers.GRU(4)(rows, mask=mask))))
    first, second = k.Input((5, 6), name="left"), k.Input((5, 4), name="right")
    check(
        k.Model(
            {"right": second, "left": first},
            classes(k, k.layers.Concatenate()([k.layers.LSTM(3)(first), k.layers.GRU(3)(second)])),
        )
    )


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
        (
            (16, 16, 15),
            lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(x)),
            {},
            ModelError,
            r"--frames 15 \(grey\) or --frames 5 \(colour\)",
        ),
        ((16, 16, 15), lambda k, x: k.layers.Flatten()(k.layers.Conv2D(2, 3)(x)), {"frames": 4}, ModelError, "got 4"),
        ((None, 8), lambda k, x: k.layers.LSTM(3)(x), {}, ModelError, "--frames N"),
        ((5, 8), lambda k, x: k.layers.LSTM(3)(x), {"frames": 6}, ModelError, "--frames 5"),
        ((5, 8), lambda k, x: k.layers.LSTM(3)(x), {"axes": "t,x"}, UsageError, "--axes, one of"),
        ((5, 8), lambda k, x: k.layers.LSTM(3)(x), {"axes": "t,h,w,c"}, UsageError, "4 axes"),
        (
            (5, None, None, 3),
            lambda k, x: k.layers.LSTM(3)(k.layers.TimeDistributed(k.layers.GlobalAveragePooling2D())(x)),
            {},
            ModelError,
            "--frame-size",
        ),
        ((1, 2, 3, 4, 5, 6), lambda k, x: k.layers.Flatten()(x), {}, ModelError, r"\(frames, height"),
        ((32,), lambda k, x: k.layers.Dense(4)(x), {"frames": 5}, ModelError, "divides"),
    ],
)
def test_what_cannot_be_settled_is_refused_with_what_to_say(shape, body, options, error, says):
    import keras

    inputs = keras.Input(shape)
    with pytest.raises(error, match=says):
        arranged(keras.Model(inputs, classes(keras, body(keras, inputs))), **options)


@pytest.mark.parametrize("other", [(5, 4), (5, 16, 16, 2)])
@pytest.mark.parametrize("used", BOTH)
def test_inputs_that_no_one_camera_can_feed_come_as_rows_of_features(used, other):
    k = framework(used)
    frames, rows = k.Input((5, 16, 16, 3), name="rgb"), k.Input(other, name="more")
    flat = k.layers.TimeDistributed(k.layers.Flatten())(rows)
    model = k.Model([frames, rows], classes(k, k.layers.Concatenate()([flat_lstm(k, frames), k.layers.GRU(3)(flat)])))
    width = math.prod(other[1:])
    with pytest.raises(
        ModelError, match=rf"rgb in columns 0 to 767 and more in columns 768 to {767 + width} in one row .*--axes t,f"
    ):
        arranged(model)
    given, parts = check(model, axes="t,f")
    assert parts.frame_shape == (768 + width,)
    assert parts.encoder is not None
    assert any(f"more in columns 768 to {767 + width}" in note for note in given.notes)
    rng = np.random.default_rng(0)
    pictures, numbers = rng.random((2, 5, 16, 16, 3)).astype(np.float32), rng.random((2, *other)).astype(np.float32)
    window = np.concatenate([pictures.reshape(2, 5, -1), numbers.reshape(2, 5, -1)], axis=-1)
    np.testing.assert_allclose(given.ask(window), model([pictures, numbers]), atol=1e-6)


def test_inputs_of_unlike_lengths_are_refused():
    import keras

    frames, rows = keras.Input((5, 16, 16, 3)), keras.Input((4, 4))
    model = keras.Model(
        [frames, rows],
        classes(keras, keras.layers.Concatenate()([flat_lstm(keras, frames), keras.layers.GRU(3)(rows)])),
    )
    with pytest.raises(ModelError, match="all of one length"):
        arranged(model)


def test_a_sequence_made_up_again_gives_no_scores():
    import keras

    inputs = keras.Input((5, 8))
    model = keras.Model(
        inputs, keras.layers.TimeDistributed(keras.layers.Dense(8))(keras.layers.LSTM(4, return_sequences=True)(inputs))
    )
    with pytest.raises(ModelError, match="no scores to decide by"):
        arranged(model)


@pytest.mark.parametrize("used", BOTH)
def test_states_as_inputs_are_rejected_by_name_with_what_carries_them(used):
    k = framework(used)
    window, *states = k.Input((6, 5)), k.Input((4,), name="hidden"), k.Input((4,), name="memory")
    last, *after = k.layers.LSTM(4, return_state=True)(window, initial_state=states)
    model = k.Model([window, *states], [k.layers.Dense(3, activation="softmax")(last), *after])
    with pytest.raises(ModelError, match=r"its states as inputs \(hidden, memory\)\. .*--plan stateful"):
        arranged(model)


@pytest.mark.parametrize("number", [-3.0, 0.0, 3.0])
def test_the_constant_scores_of_a_regression_are_never_negative_zero(number):
    from convert.interface.outputs import NoScores

    scores = np.asarray(NoScores(frames_behind=None, classes=1)(np.full((2, 1), number, np.float32)))
    assert scores.tolist() == [[1.0, 0.0]] * 2
    assert not np.signbit(scores).any()
