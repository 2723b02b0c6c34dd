"""Channels are followed through every layer that they run along, and the smaller model is what is left."""

import numpy as np
import pytest

pytest.importorskip("keras")

from convert.interface.window_to_scores import arrange
from convert.pruning.channels import FIXED, ChannelMap
from convert.pruning.follow import follow_channels
from convert.pruning.rebuild import check_rebuilt, rebuild
from convert.pruning.select import count_macs, select_channels
from convert.splitting.split import split
from edgevid.errors import ModelError, UsageError

pytestmark = pytest.mark.tf
FRAMES, SIZE = 2, 16


def framework(name):
    return pytest.importorskip(name)


def blocks(keras):
    """Normalisation, a sum, a depthwise and a separable convolution, a concatenation, and channels that are scaled."""
    layers = keras.layers

    def each(layer, x):
        return layers.TimeDistributed(layer)(x)

    def block(x, stride):
        x = each(
            layers.BatchNormalization(), each(layers.Conv2D(8, 3, strides=stride, padding="same", use_bias=False), x)
        )
        return each(layers.ReLU(6.0), x)

    inputs = keras.Input((FRAMES, SIZE, SIZE, 3))
    x = block(inputs, 2)
    y = block(x, 1)
    x = each(layers.DepthwiseConv2D(3, padding="same"), layers.Add()([x, y]))
    x = layers.Concatenate()([each(layers.SeparableConv2D(12, 3, padding="same"), x), y])
    scale = each(layers.Conv2D(8, 1, activation="relu"), each(layers.GlobalAveragePooling2D(keepdims=True), x))
    x = layers.Multiply()([x, each(layers.Conv2D(20, 1, activation="sigmoid"), scale)])
    x = each(layers.Dense(16, activation="relu"), each(layers.Flatten(), x))
    x = layers.Dense(9, activation="relu")(layers.LSTM(6)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def nested(keras):
    """A backbone as a model of its own, and both directions of time behind it."""
    layers = keras.layers
    frame = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(frame)
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x))
    x = x + layers.Conv2D(8, 1)(layers.DepthwiseConv2D(3, padding="same")(layers.ReLU(6.0)(x)))
    backbone = keras.Model(frame, layers.GlobalAveragePooling2D()(x))
    video = keras.Input((FRAMES, SIZE, SIZE, 3))
    x = layers.Bidirectional(layers.LSTM(4))(layers.TimeDistributed(backbone)(video))
    return keras.Model(video, layers.Dense(3, activation="softmax")(x))


def flattened(keras):
    """A Sequential model that flattens frames with Reshape, and convolves over time."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((FRAMES, SIZE, SIZE, 3)),
            layers.TimeDistributed(layers.Conv2D(8, 3, strides=4, activation="relu")),
            layers.Reshape((FRAMES, 4 * 4 * 8)),
            layers.Conv1D(5, 2, padding="causal"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def livened(model):
    rng = np.random.default_rng(0)
    for layer in model._flatten_layers(include_self=False):
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    return model


def followed(model):
    parts = split(arrange(model).graph)
    return follow_channels(model, encoder={*parts.prefix_layers, *parts.hoisted})


def batch(scale=1.0):
    return np.random.default_rng(1).uniform(0, scale, (2, FRAMES, SIZE, SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "make"),
    [("keras", blocks), ("keras", nested), ("keras", flattened), ("tf_keras", nested), ("tf_keras", flattened)],
)
def test_the_smaller_model_is_the_trained_one_without_the_channels(name, make):
    model = livened(make(framework(name)))
    before = [np.array(each) for each in model.get_weights()]
    found = followed(model)
    selected = select_channels(found, 0.6)
    smaller = rebuild(model, found, selected.stays)
    check_rebuilt(model, smaller, found, selected.stays, batch())
    assert smaller.count_params() < model.count_params()
    assert selected.macs_after <= 0.6 * selected.macs_before
    assert [each.shape for each in smaller.outputs] == [each.shape for each in model.outputs]
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_with_the_wrong_channels_is_rejected():
    model = flattened(framework("keras"))
    found = followed(model)
    selected = select_channels(found, 0.6)
    others = np.roll(selected.stays, 1)
    with pytest.raises(ModelError, match="a layer was misread"):
        check_rebuilt(model, rebuild(model, found, others), found, selected.stays, batch())


def test_the_weakest_filters_go_and_the_normalisation_counts():
    keras = framework("keras")
    layers = keras.layers
    inputs = keras.Input((FRAMES, SIZE, SIZE, 3))
    x = layers.TimeDistributed(layers.Conv2D(8, 3, strides=4, use_bias=False))(inputs)
    x = layers.TimeDistributed(layers.Flatten())(layers.TimeDistributed(layers.BatchNormalization())(x))
    model = keras.Model(inputs, layers.Dense(3)(layers.LSTM(4)(x)))
    convolution, normalisation = model.layers[1].layer, model.layers[2].layer
    strength = np.array([5, 1, 6, 2, 7, 3, 8, 4], float)
    kernel = np.ones((3, 3, 3, 8)) * strength
    convolution.set_weights([kernel])
    found = followed(model)
    makes = next(each.makes for each in found.layers.values() if each.makes is not None)
    assert select_channels(found, 0.5).stays[makes].tolist() == [True, False, True, False] * 2
    # The strongest filters are scaled down most: what the device runs are the others.
    normalisation.set_weights([1 / strength**2, np.zeros(8), np.zeros(8), np.ones(8)])
    assert select_channels(found, 0.5).stays[makes].tolist() == [False, True, False, True] * 2


def test_the_cost_is_that_of_every_convolution_and_product_of_a_frame():
    model = blocks(framework("keras"))
    found = followed(model)
    positions = (SIZE // 2) ** 2
    convolutions = positions * (9 * 3 * 8 + 9 * 8 * 8 + 9 * 8 + (9 * 8 + 8 * 12))
    scaled, products = 20 * 8 + 8 * 20, positions * 20 * 16
    projection = 16 * 4 * 6
    everything = convolutions + scaled + products + projection
    assert count_macs(found, np.ones(len(found.tied), bool)) == everything
    # The last layer of the encoder makes 16 channels; without four of them, a quarter of its products is left out.
    without = np.ones(len(found.tied), bool)
    without[[each.makes for each in found.layers.values() if each.makes is not None][-1][:4]] = False
    assert count_macs(found, without) == everything - (products + projection) // 4


def test_a_share_that_cannot_be_reached_names_the_least():
    with pytest.raises(UsageError, match=r"Expected --prune of at least 0\.\d\d, which leaves 4 channels"):
        select_channels(followed(flattened(framework("keras"))), 0.01)


def test_a_layer_that_is_not_known_is_named():
    keras = framework("keras")
    layers = keras.layers
    inputs = keras.Input((FRAMES, SIZE, SIZE, 3))
    x = layers.TimeDistributed(layers.Conv2D(8, 3, strides=4))(inputs)
    x = layers.TimeDistributed(layers.LayerNormalization(name="levels"))(x)
    x = layers.TimeDistributed(layers.Flatten())(x)
    model = keras.Model(inputs, layers.Dense(3)(layers.LSTM(4)(x)))
    with pytest.raises(ModelError, match=r"layer 'levels' \(LayerNormalization\)"):
        followed(model)


def test_channels_that_are_tied_to_one_that_stays_stay():
    found = ChannelMap()
    first, second = found.new(2), found.new(2)
    found.tie(first, second)
    found.tie(np.array([second[0], second[1]]), np.array([FIXED, second[1]]))
    assert found.staying.tolist() == [True, False, True, False]
    assert found.roots.tolist() == [0, 1, 0, 1]
