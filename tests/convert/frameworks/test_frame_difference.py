import numpy as np
import pytest

pytest.importorskip("keras")
import keras

from convert.frameworks.frame_difference import FrameDifference
from convert.loading.load import load
from convert.training_info import read_info, write_info
from tests.convert.test_training_info import INFO

pytestmark = pytest.mark.tf


def frames(count, channels=3):
    return np.random.default_rng(3).random((2, count, 6, 5, channels), np.float32)


def test_each_output_is_a_frame_less_the_one_before_it():
    clip = frames(7)
    np.testing.assert_allclose(FrameDifference()(clip), np.diff(clip, axis=1), atol=1e-7)


def test_keeping_puts_the_newer_frame_after_the_difference():
    clip = frames(4)
    given = np.asarray(FrameDifference(keep=True)(clip))
    np.testing.assert_allclose(given[..., :3], np.diff(clip, axis=1), atol=1e-7)
    np.testing.assert_array_equal(given[..., 3:], clip[:, 1:])


@pytest.mark.parametrize("keep", [False, True])
def test_the_frame_difference_of_two_frames_equals_that_of_the_whole_clip(keep):
    clip, layer = frames(6), FrameDifference(keep=keep)
    whole = np.asarray(layer(clip))
    for step in range(5):
        np.testing.assert_array_equal(
            np.asarray(layer(clip[:, step : step + layer.lookback + 1]))[:, 0], whole[:, step]
        )


def test_a_saved_model_loads_with_the_layer_and_with_information_beside_it(tmp_path):
    path = tmp_path / "m.keras"
    inputs = keras.Input((4, 6, 5, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(FrameDifference(keep=True)(inputs)))
    model.save(path)
    write_info(path, INFO)
    loaded = load(path).model
    np.testing.assert_allclose(loaded(frames(4)), model(frames(4)), atol=1e-6)
    assert loaded.layers[1].keep
    assert read_info(path) == INFO
