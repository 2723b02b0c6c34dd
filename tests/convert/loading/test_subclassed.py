"""Subclassed models, with the Python file that defines them."""

import numpy as np
import pytest

from edgevid.errors import ModelError
from tests.models.zoo import BOTH, framework

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")]
WINDOW = (5, 16, 16, 3)
MODULE = """
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers


class Watcher(keras.Model):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.convolution = layers.TimeDistributed(layers.Conv2D(4, 3, strides=4, activation="relu"))
        self.pooling = layers.TimeDistributed(layers.GlobalAveragePooling2D())
        self.dropout = layers.Dropout(0.5)
        self.memory = layers.LSTM(units)
        self.answer = layers.Dense(3, activation="softmax")

    def call(self, frames, training=None):
        return self.answer(self.dropout(self.memory(self.pooling(self.convolution(frames))), training=training))

    def get_config(self):
        return {"units": self.units}


class Forked(Watcher):
    def call(self, frames, training=None):
        return super().call(frames if isinstance(frames, tf.Tensor) else 3.0 * frames, training=training)
"""


@pytest.fixture(params=BOTH)
def saved(request, tmp_path):
    """A function that saves one of the classes, and returns model, path and the options to load it."""

    def save(name, *, suffix=".keras", seen=True):
        from convert.loading.custom_objects import load_objects

        path, module, k = tmp_path / f"model{suffix}", tmp_path / "mine.py", framework(request.param)
        module.write_text(MODULE)
        k.utils.set_random_seed(2)
        model = load_objects(module, request.param)[name]()
        if seen:
            model(windows())
        model.save(path)
        return model, path, {"custom_objects": module}

    return save


def windows():
    return np.random.default_rng(0).random((1, *WINDOW)).astype(np.float32)


def parts_of(path, options):
    from convert.interface.window_to_scores import arrange
    from convert.loading.load import load
    from convert.splitting.split import split

    trained = load(path, **options)
    return trained, split(arrange(trained.model).graph)


@pytest.mark.parametrize("suffix", [".keras", ""])
def test_a_class_is_followed_from_layer_to_layer_and_its_frames_encoded_once(saved, suffix, request):
    if not suffix and "tf_keras" not in request.node.name:
        pytest.skip("Keras 3 saves no folders")
    model, path, options = saved("Watcher", suffix=suffix)
    trained, parts = parts_of(path, options)
    assert "followed from layer to layer" in " ".join(trained.notes)
    assert len(parts.prefix_layers) == 2 and parts.step is not None
    np.testing.assert_allclose(parts.whole.function(windows())[0], model(windows()), atol=1e-5)


def test_a_class_that_does_otherwise_with_numbers_is_run_whole_and_without_a_loop(saved):
    import tensorflow as tf

    model, path, options = saved("Forked")
    trained, parts = parts_of(path, options)
    assert "run whole" in " ".join(trained.notes)
    assert parts.encoder is None
    traced = tf.function(parts.whole.function, autograph=False).get_concrete_function(tf.TensorSpec((1, *WINDOW)))
    assert not {operator.type for operator in traced.graph.get_operations()} & {"While", "StatelessWhile"}
    np.testing.assert_allclose(parts.whole.function(windows())[0], model(windows()), atol=1e-5)


def test_a_class_without_its_file_or_that_never_saw_a_window_is_refused_with_what_to_do(saved):
    from convert.loading.load import load

    _, path, _ = saved("Watcher")
    with pytest.raises(ModelError, match=r"Watcher.*--custom-objects module\.py"):
        load(path)
    _, path, options = saved("Watcher", seen=False)
    with pytest.raises(ModelError, match="Call it on an example before it is saved"):
        load(path, **options)
