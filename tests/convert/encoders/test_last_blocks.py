import numpy as np
import pytest

pytest.importorskip("keras")

import keras

from convert.encoders import efficientnet_lite0
from convert.encoders.frame_encoder import FrameEncoder, digest_of
from convert.encoders.last_blocks import cut_encoder
from edgevid.errors import UsageError
from edgevid.frames.preprocess import InputSpec

pytestmark = pytest.mark.tf
FRAMES = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


def encoder_of(model, name):
    model.trainable = False
    size = model.input_shape[1]
    return FrameEncoder(name, model, InputSpec(height=size, width=size, channels=3), digest_of(model))


@pytest.fixture(scope="module")
def lite0():
    keras.utils.set_random_seed(0)
    return encoder_of(efficientnet_lite0.build(64), "efficientnet-lite0@64")


def shortcut():
    """A network in which a shortcut goes around two convolutions, inside of a model of its own."""
    keras.utils.set_random_seed(1)
    inner = keras.Input((16, 16, 8))
    values = keras.layers.Conv2D(8, 3, padding="same", name="left")(inner)
    values = keras.layers.BatchNormalization(name="norm")(values)
    values = keras.layers.Conv2D(8, 3, padding="same", name="right")(values)
    block = keras.Model(inner, keras.layers.Add(name="add")([inner, values]), name="block")
    frame = keras.Input((32, 32, 3), name="frame")
    first = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="first")(frame)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(block(first))
    return keras.Model(frame, pooled, name="shortcut")


def test_a_block_of_lite0_is_an_inverted_residual_and_the_two_pieces_are_the_encoder(lite0):
    cut = cut_encoder(lite0, 2)
    assert cut.tuned[0] == "block14_expand"
    assert cut.tuned[3:] == ("block15_expand", "block15_depthwise", "block15_project", "head")
    maps = cut.front(FRAMES)
    assert maps.shape == (2, 2, 2, 192)
    np.testing.assert_allclose(cut.tail(maps), lite0.model(FRAMES), atol=1e-6)


@pytest.mark.parametrize("blocks", [0, 17])
def test_blocks_that_there_are_not_are_refused(lite0, blocks):
    with pytest.raises(UsageError, match="1 to 16 blocks"):
        cut_encoder(lite0, blocks)


@pytest.mark.parametrize(
    ("blocks", "tuned"), [(1, ("right",)), (2, ("left", "right")), (3, ("first", "left", "right"))]
)
def test_a_block_of_a_file_is_a_layer_with_weights_and_a_shortcut_is_never_cut(blocks, tuned):
    encoder = encoder_of(shortcut(), "shortcut.keras@32x32")
    cut = cut_encoder(encoder, blocks)
    assert cut.tuned == tuned
    frames = FRAMES[:, :32, :32]
    np.testing.assert_allclose(cut.tail(cut.front(frames)), encoder.model(frames), atol=1e-6)


def test_only_the_last_blocks_can_be_trained_and_the_encoder_stays_as_it_is():
    encoder = encoder_of(shortcut(), "shortcut.keras@32x32")
    cut = cut_encoder(encoder, 1)
    tail = cut.new_tail()
    assert [variable.path.partition("/")[0] for variable in tail.trainable_variables] == ["right", "right"]
    tail.get_layer("right").set_weights([each + 1 for each in tail.get_layer("right").get_weights()])
    tuned = cut.with_tail(tail)
    frames = FRAMES[:, :32, :32]
    np.testing.assert_allclose(tuned.model(frames), tail(cut.front(frames)), rtol=1e-5)
    assert tuned.digest != encoder.digest == digest_of(encoder.model)
    assert [layer.name for layer in tuned.model.layers] == [layer.name for layer in encoder.model.layers]


def test_two_layers_of_one_name_are_refused_as_nobody_could_tell_them_apart():
    frame = keras.Input((8, 8, 3))
    blocks = [keras.Sequential([keras.layers.Conv2D(3, 3, padding="same", name="conv")]) for _ in range(2)]
    values = keras.layers.GlobalAveragePooling2D()(blocks[1](blocks[0](frame)))
    with pytest.raises(UsageError, match="one name"):
        cut_encoder(encoder_of(keras.Model(frame, values), "twice.keras@8x8"), 1)
