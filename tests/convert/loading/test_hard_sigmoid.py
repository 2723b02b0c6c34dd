"""`hard_sigmoid` keeps the meaning of the framework that wrote the file, whichever loads it."""

import json
import shutil

import numpy as np
import pytest

from edgevid.errors import ModelError
from tests.models.zoo import framework

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")]
FRAMES = (4, 8, 8, 2)


def load(path, **options):
    from convert.loading.load import load as loader

    return loader(path, **options)


def gated(k, **options):
    """A Sequential with `hard_sigmoid` in a layer, in TimeDistributed, in gates, in a cell, and as a layer."""
    layers = k.layers
    k.utils.set_random_seed(6)
    body = [
        layers.TimeDistributed(layers.Conv2D(3, 3, activation="hard_sigmoid")),
        layers.TimeDistributed(layers.Flatten()),
        layers.LSTM(6, recurrent_activation="hard_sigmoid", return_sequences=True, **options),
        layers.RNN(layers.GRUCell(5, recurrent_activation="hard_sigmoid")),
        layers.Activation("hard_sigmoid"),
        layers.ReLU(),
    ]
    model = k.Sequential([k.Input(FRAMES), *body])
    model.set_weights([3 * weight for weight in model.get_weights()])
    return model


def windows(shape=FRAMES):
    return np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)


def rewritten(source, target, change):
    """A copy of an HDF5 file with every layer of its configuration changed."""
    import h5py

    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            change(layer)
        file.attrs["model_config"] = json.dumps(config)
    return target


def beyond_keras_2(layer):
    """Add an argument of the LSTM of Keras 3, which tf_keras rejects."""
    if layer["class_name"] == "LSTM":
        layer["config"]["use_cudnn"] = "auto"


def beyond_keras_3(layer):
    """Use a layer that Keras 3 no longer has."""
    if layer["class_name"] == "ReLU":
        layer["class_name"], layer["config"] = "ThresholdedReLU", {"name": layer["config"]["name"], "theta": 0.0}


@pytest.mark.parametrize(
    ("writer", "change", "reader"), [("tf_keras", beyond_keras_2, "keras"), ("keras", beyond_keras_3, "tf_keras")]
)
def test_a_file_that_the_other_framework_loads_answers_as_in_its_own(writer, change, reader, tmp_path):
    from convert.interface.window_to_scores import arrange
    from convert.splitting.split import split

    model = gated(framework(writer))
    model.save(tmp_path / "own.h5")
    trained = load(rewritten(tmp_path / "own.h5", tmp_path / "other.h5", change))
    assert trained.framework == reader
    assert f"hard_sigmoid keeps its meaning of Keras {3 if writer == 'keras' else 2}" in trained.notes
    expected = np.asarray(model(windows()))
    np.testing.assert_allclose(trained.model(windows()), expected, atol=1e-5)
    whole = split(arrange(trained.model).graph).whole
    np.testing.assert_allclose(
        np.concatenate([whole.function(each[None])[0] for each in windows()]), expected, atol=1e-5
    )


def test_a_model_that_is_built_again_keeps_the_meaning(tmp_path):
    from convert.loading.model_config import without_state
    from convert.loading.rebuild import rebuild

    for writer, change in (("tf_keras", beyond_keras_2), ("keras", beyond_keras_3)):
        model = gated(framework(writer))
        model.save(tmp_path / f"{writer}.h5")
        trained = load(rewritten(tmp_path / f"{writer}.h5", tmp_path / f"{writer}2.h5", change)).model
        np.testing.assert_allclose(rebuild(trained, without_state)(windows()), model(windows()), atol=1e-5)


def test_a_convlstm_of_keras_2_keeps_its_default_gates(tmp_path):
    k = framework("tf_keras")
    k.utils.set_random_seed(6)
    model = k.Sequential(
        [k.Input(FRAMES), k.layers.ConvLSTM2D(4, 3), k.layers.Flatten(), k.layers.Dropout(0.2), k.layers.Dense(3)]
    )
    model.save(tmp_path / "own.h5")

    def seeded(layer):
        if layer["class_name"] == "ConvLSTM2D":
            layer["config"]["seed"] = None

    trained = load(rewritten(tmp_path / "own.h5", tmp_path / "other.h5", seeded))
    assert trained.framework == "keras"
    np.testing.assert_allclose(trained.model(windows()), model(windows()), atol=1e-5)


def test_a_file_of_its_own_framework_is_left_as_it_is(tmp_path):
    for writer in ("keras", "tf_keras"):
        model = gated(framework(writer))
        model.save(tmp_path / f"{writer}.h5")
        trained = load(tmp_path / f"{writer}.h5")
        assert (trained.framework, trained.notes) == (writer, ())
        np.testing.assert_allclose(trained.model(windows()), model(windows()), atol=1e-6)


MODULE = """
from tensorflow.keras import activations
from tensorflow.keras.layers import Layer

class Gate(Layer):
    def call(self, x):
        return activations.hard_sigmoid(x)
"""


def test_code_that_would_mean_something_else_is_not_run_by_the_other_framework(tmp_path):
    from convert.loading.custom_objects import load_objects

    (tmp_path / "mine.py").write_text(MODULE)
    k = framework("tf_keras")
    gate = load_objects(tmp_path / "mine.py", "tf_keras")["Gate"]
    model = k.Sequential([k.Input((5, 8)), k.layers.LSTM(4), gate(), k.layers.Dense(3)])
    model.save(tmp_path / "own.h5")
    with pytest.raises(ModelError, match=r"tf_keras .* can load") as caught:
        load(rewritten(tmp_path / "own.h5", tmp_path / "other.h5", beyond_keras_2), custom_objects=tmp_path / "mine.py")
    assert "keras was skipped: the code names hard_sigmoid or ConvLSTM" in str(caught.value)
    (tmp_path / "mine.py").write_text(MODULE.replace("hard_sigmoid", "tanh"))
    assert load(tmp_path / "other.h5", custom_objects=tmp_path / "mine.py").framework == "keras"


def test_functions_that_lie_in_a_file_are_looked_through_too(tmp_path):
    from convert.loading.hard_sigmoid import changes_in_code
    from convert.loading.model_file import read

    for name, changes in (("hard_sigmoid", True), ("tanh", False)):
        for writer, suffix in (("tf_keras", ".h5"), ("tf_keras", ".keras"), ("keras", ".keras")):
            k = framework(writer)
            code = k.layers.Lambda(eval(f"lambda x: K.activations.{name}(x)", {"K": k}))
            k.Sequential([k.Input((8,)), code, k.layers.Dense(2)]).save(tmp_path / f"code{suffix}")
            assert changes_in_code(read(tmp_path / f"code{suffix}").config, None) is changes


def test_every_other_activation_that_both_have_is_one_function():
    keras, tf_keras = framework("keras"), framework("tf_keras")
    import tensorflow as tf

    x = tf.reshape(tf.linspace(-9.0, 9.0, 721), (1, -1))
    differ = set()
    for name in dir(tf_keras.activations):
        both = (
            callable(getattr(tf_keras.activations, name))
            and hasattr(keras.activations, name)
            and name not in ("get", "serialize", "deserialize")
        )
        if both and not np.allclose(
            getattr(tf_keras.activations, name)(x), getattr(keras.activations, name)(x), atol=1e-6
        ):
            differ.add(name)
    assert differ == {"hard_sigmoid"}


def test_every_other_default_that_both_have_is_one_value():
    import inspect

    keras, tf_keras = framework("keras").layers, framework("tf_keras").layers
    differ = set()
    for name in set(dir(keras)) & set(dir(tf_keras)):
        ours, theirs = getattr(keras, name), getattr(tf_keras, name)
        if not inspect.isclass(ours):
            continue
        given = [
            {
                key: each.default
                for key, each in inspect.signature(kind).parameters.items()
                if each.default is not each.empty
            }
            for kind in (ours, theirs)
        ]
        for key in set(given[0]) & set(given[1]):
            differ |= {(name, key)} if _plainly(given[0][key]) != _plainly(given[1][key]) else set()
    assert differ == {(f"ConvLSTM{rank}D", "recurrent_activation") for rank in (1, 2, 3)}


def _plainly(value):
    """Normalise a default: 1 equals (1, 1), None is the global setting, and case does not matter."""
    value = value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
    value = value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
    return "channels_last" if value is None else str(value).lower()
