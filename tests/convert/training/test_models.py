import numpy as np
import pytest

pytest.importorskip("keras")
import keras

from convert.training.models import ModelOptions, build
from edgevid.errors import UsageError

pytestmark = pytest.mark.tf
SHAPE = (5, 32, 32, 3)


def windows(count=3):
    return np.random.default_rng(1).random((count, *SHAPE), np.float32)


@pytest.mark.parametrize("rnn", ["lstm", "gru"])
@pytest.mark.parametrize("motion", [True, False])
def test_the_saved_wiring_answers_as_the_trained_one(rnn, motion):
    network = build(ModelOptions(rnn=rnn, motion=motion), shape=SHAPE, classes=4)
    scores = network.model(windows())
    np.testing.assert_allclose(scores, network.trainer(windows()), atol=1e-6)
    np.testing.assert_allclose(np.sum(scores, axis=1), 1, atol=1e-5)


def test_training_one_wiring_trains_the_other():
    network = build(ModelOptions(dropout=0.0), shape=SHAPE, classes=4)
    before = np.asarray(network.model(windows()))
    network.trainer.compile("adam", "categorical_crossentropy")
    network.trainer.train_on_batch(windows(4), np.eye(4, dtype=np.float32))
    after = np.asarray(network.model(windows()))
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, network.trainer(windows()), atol=1e-5)


def test_every_layer_between_motion_and_the_recurrent_one_is_applied_to_each_frame_alone():
    model = build(ModelOptions(), shape=SHAPE, classes=4).model
    names = [layer.name for layer in model.layers]
    encoder = model.layers[names.index("motion") + 1 : names.index("lstm")]
    assert len(encoder) > 10
    assert all(isinstance(layer, keras.layers.TimeDistributed) for layer in encoder)


def test_motion_looks_at_one_frame_less_than_the_window():
    model = build(ModelOptions(), shape=SHAPE, classes=4).model
    assert model.get_layer("lstm").input.shape[1] == SHAPE[0] - 1


def test_a_still_picture_is_the_same_to_motion_whatever_it_shows():
    model = build(ModelOptions(), shape=SHAPE, classes=4).model
    dark, bright = np.zeros((1, *SHAPE), np.float32), np.ones((1, *SHAPE), np.float32)
    np.testing.assert_array_equal(model(dark), model(bright))


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        (ModelOptions(), (1, 32, 32, 3), "at least 2 frames"),
        (ModelOptions(), (4, 8, 64, 3), "at least 16 pixels a side, got 64x8"),
    ],
)
def test_a_window_too_small_for_the_network_is_refused(options, shape, message):
    with pytest.raises(UsageError, match=message):
        build(options, shape=shape, classes=2)


@pytest.mark.parametrize("width", [32, 40])
def test_pooling_columns_makes_where_across_the_picture_not_matter(width):
    shape = (5, 32, width, 1)
    windows = np.zeros((2, *shape), np.float32)
    for step in range(5):
        windows[0, step, 10 + step : 14 + step, 10:14] = 1
        windows[1, step, 10 + step : 14 + step, 18:22] = 1
    for pool, same in (("columns", True), ("none", False)):
        model = build(ModelOptions(filters=(8, 16), pool=pool), shape=shape, classes=4).model
        first, second = np.asarray(model(windows))
        # Padding with zeros still shows the edge, so a first layer without bias is not enough to make
        # them equal to the last bit.
        assert np.allclose(first, second, atol=1e-6) == same


def test_no_answer_inside_the_encoder_leaves_the_grid_that_int8_can_hold():
    model = build(ModelOptions(), shape=SHAPE, classes=4).model
    bounded = [layer.name for layer in model.layers if "relu" in layer.name or layer.name == "each_features"]
    assert len(bounded) == 5
    model.set_weights([1000 * np.abs(weights) for weights in model.get_weights()])
    outputs = keras.Model(model.input, [model.get_layer(name).output for name in bounded])(np.cumsum(windows(), axis=1))
    assert [float(np.max(output)) for output in outputs] == [6.0] * 5


def test_an_unknown_pool_is_refused():
    with pytest.raises(UsageError, match="none, columns"):
        ModelOptions(pool="rows")


def test_an_unknown_recurrent_layer_is_refused():
    with pytest.raises(UsageError, match="lstm, gru"):
        ModelOptions(rnn="rnn")
