import pytest

pytest.importorskip("keras")

import keras

from convert.encoders.frame_encoder import open_encoder, parse_encoder
from edgevid.errors import ModelError, UsageError
from tests.convert.transfer.encoders import save_encoder

pytestmark = pytest.mark.tf


def test_the_size_of_a_frame_follows_the_name():
    assert parse_encoder("efficientnet-lite0").size_px == 224
    assert parse_encoder("efficientnet-lite0@128").size_px == 128


@pytest.mark.parametrize("text", ["efficientnet", "efficientnet-lite0@", "efficientnet-lite0@16", "model.h5", ""])
def test_other_words_are_rejected(text):
    with pytest.raises(UsageError, match="efficientnet-lite0"):
        parse_encoder(text)


def opened(path, **options):
    return open_encoder(parse_encoder(str(path)), resize="stretch", **options)


def test_a_file_is_opened_with_its_own_size_and_a_stated_range(tmp_path):
    encoder = opened(save_encoder(tmp_path / "e.keras"), pixel_range=(-1.0, 1.0))
    assert encoder.input.shape == (32, 32, 3)
    assert encoder.input.range == (-1.0, 1.0)
    assert encoder.features == 24
    assert not encoder.model.trainable_weights


def test_a_map_of_features_is_pooled(tmp_path):
    frame = keras.Input((32, 32, 1))
    keras.Model(frame, keras.layers.Conv2D(5, 3)(frame)).save(tmp_path / "e.keras")
    encoder = opened(tmp_path / "e.keras")
    assert encoder.features == 5
    assert encoder.input.color == "gray"


def test_equal_weights_have_equal_digests_and_others_do_not(tmp_path):
    digests = [
        opened(save_encoder(tmp_path / f"{name}.keras", seed=seed)).digest
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert digests[0] == digests[1] != digests[2]


def refused(path, layers, shape=(32, 32, 3)):
    frame = values = keras.Input(shape)
    for layer in layers:
        values = layer(values)
    keras.Model(frame, values).save(path)
    with pytest.raises(ModelError) as caught:
        opened(path)
    return str(caught.value)


def test_a_model_of_videos_is_rejected_with_its_shapes(tmp_path):
    assert "(None, 4, 32, 32, 3)" in refused(tmp_path / "m.keras", [keras.layers.Flatten()], (4, 32, 32, 3))


def test_a_classifier_is_rejected_with_the_way_to_cut_it(tmp_path):
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax", name="classes")]
    message = refused(tmp_path / "m.keras", layers)
    assert "classes" in message
    assert "include_top=False" in message


def test_a_missing_file_is_a_wrong_option(tmp_path):
    with pytest.raises(UsageError, match="nothing"):
        opened(tmp_path / "none.keras")


def test_a_network_that_scales_pixels_itself_gets_bytes(tmp_path):
    frame = keras.Input((32, 32, 3))
    values = keras.layers.Conv2D(5, 3)(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(frame))
    keras.Model(frame, values).save(tmp_path / "e.keras")
    assert opened(tmp_path / "e.keras").input.range == (0.0, 255.0)
    assert opened(save_encoder(tmp_path / "plain.keras")).input.range == (0.0, 1.0)
