"""Whether a model's numbers are scores of classes, by the loss in its file."""

import json

import numpy as np
import pytest

from convert.interface.task import class_notes, loss_of
from convert.options import Options
from edgevid.errors import ModelError
from tests.models.zoo import BOTH, framework

MSE = {"class_name": "MeanSquaredError", "config": {"name": "mean_squared_error"}}
FUNCTION = {"class_name": "function", "module": "builtins", "config": "mean_squared_error"}


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("mse", "mse"),
        (None, ""),
        (MSE, "MeanSquaredError"),
        (FUNCTION, "mean_squared_error"),
        ({"class_name": "mine>Loss", "config": {}}, "Loss"),
        ({"box": "mse", "label": "categorical_crossentropy"}, "categorical_crossentropy"),
        ({"box": "mse"}, ""),
        (["mse", "hinge"], "hinge"),
        (["mse"], ""),
        ([MSE, FUNCTION], "mean_squared_error"),
    ],
)
def test_the_loss_of_an_output_is_found_in_every_form(stated, name):
    assert loss_of(stated, "label", 1) == name


@pytest.mark.parametrize("kind", ["logits", "sigmoid", "sigmoid_logits"])
@pytest.mark.parametrize("loss", ["mse", "mean_absolute_error", "Huber", "log_cosh", "cosine_similarity", "poisson"])
def test_numbers_with_the_loss_of_a_regression_are_no_classes(kind, loss):
    with pytest.raises(ModelError, match=rf"Expected a classifier, got .* the loss {loss}\. Pass --regression"):
        class_notes(kind, 2, loss, Options(), None)


@pytest.mark.parametrize("kind", ["logits", "sigmoid", "sigmoid_logits"])
@pytest.mark.parametrize("loss", ["binary_crossentropy", "SparseCategoricalCrossentropy", "categorical_hinge"])
def test_numbers_with_the_loss_of_a_classifier_are_classes_without_a_word(kind, loss):
    assert class_notes(kind, 1, loss, Options(), None) == []


def test_one_linear_number_without_a_loss_is_no_class_and_several_are_noted():
    with pytest.raises(ModelError, match="--labels FILE"):
        class_notes("sigmoid_logits", 1, "", Options(), None)
    assert "--regression" in class_notes("logits", 3, "my_loss", Options(), None)[0]
    assert class_notes("sigmoid", 1, "", Options(), None) == []


def test_a_softmax_and_stated_labels_are_classes_whatever_the_loss(tmp_path):
    assert class_notes("softmax", 3, "mse", Options(), None) == []
    assert class_notes("sigmoid_logits", 1, "mse", Options(labels=tmp_path / "labels.txt"), None) == []


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.tf
@pytest.mark.parametrize("suffix", [".h5", ".keras", ""])
@pytest.mark.parametrize("used", BOTH)
def test_a_loaded_model_keeps_the_loss_of_its_file(used, suffix, tmp_path):
    from convert.loading.load import load

    k = framework(used)
    model = k.Sequential([k.Input((4, 6)), k.layers.LSTM(3), k.layers.Dense(1, name="speed")])
    path = tmp_path / f"model{suffix}"
    compiled = {"": None, "mse": "mse", "object": k.losses.MeanSquaredError()}
    for name, loss in compiled.items():
        if loss is not None:
            model.compile("adam", loss)
        if suffix:
            model.save(path)
        elif used == "keras":
            pytest.skip("Keras 3 exports a function without its loss")
        else:
            model.save(path, save_format="tf")
        found = loss_of(load(path).loss, "speed", 0)
        assert found in {"": ("",), "mse": ("mse",), "object": ("MeanSquaredError",)}[name], json.dumps(name)


@pytest.mark.tf
@pytest.mark.parametrize("used", BOTH)
@pytest.mark.parametrize("by_frame", [False, True])
def test_a_regression_delivers_its_numbers_and_a_constant_label(used, by_frame):
    from convert.interface.scores import scores_of
    from convert.interface.window_to_scores import arrange
    from convert.splitting.split import split

    k = framework(used)
    k.utils.set_random_seed(4)
    inputs = k.Input((5, 8))
    hidden = k.layers.LSTM(4, return_sequences=by_frame)(inputs)
    head = k.layers.TimeDistributed(k.layers.Dense(2), name="speed") if by_frame else k.layers.Dense(2, name="speed")
    model = k.Model(inputs, head(hidden))
    arranged = arrange(model, regression=True)
    window = np.random.default_rng(0).random((1, 5, 8)).astype(np.float32)
    scores, values = (np.asarray(each) for each in split(arranged.graph).whole.function(window))
    expected = np.asarray(model(window))
    np.testing.assert_array_equal(scores, [[1, 0]])
    np.testing.assert_allclose(values, expected[:, -1] if by_frame else expected, atol=1e-5)
    assert scores_of(arranged.graph) == ("softmax", 2)
    assert [(each.name, each.size) for each in arranged.graph.values] == [("speed", 2)]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.tf
def test_a_number_becomes_no_classifier_and_with_regression_a_value(tmp_path):
    import tf_keras

    from convert import convert_model

    tf_keras.utils.set_random_seed(0)
    model = tf_keras.Sequential(
        [tf_keras.layers.Input((8, 6)), tf_keras.layers.LSTM(8), tf_keras.layers.Dense(1, name="speed")]
    )
    model.compile("adam", "mse")
    model.save(tmp_path / "speed.h5")
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(4):
            np.save(tmp_path / "clips" / label / f"{number}.npy", rng.random((8, 6), np.float32))
    with pytest.raises(ModelError, match="the loss mse"):
        convert_model(tmp_path / "speed.h5", tmp_path / "clips", tmp_path / "out.edgevid")
    assert not (tmp_path / "out.edgevid").exists()
    options = Options(regression=True, interval=0.1, precision="float32")
    manifest = convert_model(
        tmp_path / "speed.h5", tmp_path / "clips", tmp_path / "out.edgevid", options=options
    ).manifest
    assert [(each.name, each.size) for each in manifest.values] == [("speed", 1)]
    assert (manifest.labels, manifest.decision.background) == (("value", "no value"),) * 2
