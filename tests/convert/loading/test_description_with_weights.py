"""A model's description in JSON and a file of its weights are one model, checked as a whole file is."""

import json

import h5py
import numpy as np
import pytest

from edgevid.errors import ModelError, UsageError
from tests.models.zoo import BOTH, framework

pytestmark = pytest.mark.tf
# Keras 3 writes weights in one layout only.
LAYOUTS = [("keras", "only.weights.h5"), ("tf_keras", "only.weights.h5"), ("tf_keras", "only.h5")]


def load(path, weights, **options):
    from convert.loading.load import load as loader

    return loader(path, weights=weights, **options)


def model_of(k, *, units=3, layer="memory"):
    inputs = k.Input((4, 8))
    return k.Model(inputs, k.layers.Dense(2)(k.layers.LSTM(units, name=layer)(inputs)))


def saved(used, folder, name, **options):
    """Save a model's description and its weights; return the model and both files."""
    model = model_of(framework(used), **options)
    (folder / "model.json").write_text(model.to_json())
    model.save_weights(str(folder / name))
    return model, folder / "model.json", folder / name


@pytest.mark.parametrize(("used", "name"), LAYOUTS)
def test_a_description_with_its_weights_answers_as_the_model(used, name, tmp_path):
    model, description, weights = saved(used, tmp_path, name)
    loaded = load(description, weights)
    window = np.random.default_rng(0).normal(size=(2, 4, 8)).astype(np.float32)
    np.testing.assert_allclose(loaded.model(window), model(window), atol=1e-6)
    assert (loaded.framework, loaded.path) == (used, description)


@pytest.mark.parametrize(("used", "name"), LAYOUTS)
def test_weights_of_another_model_are_rejected_with_layer_and_shapes(used, name, tmp_path):
    _, _, weights = saved(used, tmp_path, name, units=5)
    (tmp_path / "model.json").write_text(model_of(framework(used)).to_json())
    with pytest.raises(
        ModelError, match=r"with \(8, 12\) for memory/lstm_cell/kernel, got \(8, 20\) in .*only"
    ) as caught:
        load(tmp_path / "model.json", weights)
    assert "\n" not in str(caught.value)


def test_weights_of_layers_with_other_names_are_noted(tmp_path):
    _, _, weights = saved("tf_keras", tmp_path, "only.h5", layer="recall")
    (tmp_path / "model.json").write_text(model_of(framework("tf_keras")).to_json())
    assert any("has no layer" in note and "recall" in note for note in load(tmp_path / "model.json", weights).notes)


@pytest.mark.parametrize("used", BOTH)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"class_name": "Lambda"}, "a Lambda layer"),
        ({"class_name": "function", "module": "os", "config": "system"}, r"os\.system"),
        ({"class_name": "Popen", "module": "subprocess"}, "Popen"),
    ],
)
def test_a_hostile_description_is_rejected_by_name(used, change, says, tmp_path):
    _, description, weights = saved(used, tmp_path, "only.weights.h5")
    config = json.loads(description.read_text())
    config["config"]["layers"][1].update({"registered_name": None, **change})
    description.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=says):
        load(description, weights)


@pytest.mark.parametrize("kind", ["link", "storage"])
@pytest.mark.parametrize(("used", "name"), LAYOUTS[1:])
def test_weights_in_another_file_are_rejected(used, name, kind, tmp_path):
    _, description, weights = saved(used, tmp_path, name)
    secret = tmp_path / "secret"
    secret.write_bytes(b"0" * 4096)
    with h5py.File(weights, "r+") as file:
        if kind == "link":
            file["elsewhere"] = h5py.ExternalLink(str(secret), "/x")
        else:
            file.create_dataset("elsewhere", (8,), "f4", external=[(str(secret), 0, 32)])
    with pytest.raises(ModelError, match="secret"):
        load(description, weights)


@pytest.mark.parametrize("text", ["[1]", "{}", '{"class_name": "Sequential"}', "no JSON"])
def test_other_json_is_no_description(text, tmp_path):
    _, description, weights = saved("tf_keras", tmp_path, "only.h5")
    description.write_text(text)
    with pytest.raises(ModelError, match="Expected a model"):
        load(description, weights)


def test_weights_go_with_a_description_only(tmp_path):
    _, description, weights = saved("tf_keras", tmp_path, "only.h5")
    for path, given, says in (
        (weights, weights, r"\(\.json\) as MODEL with --weights, got another file"),
        (tmp_path / "none.json", weights, "got nothing at"),
        (description, description, "--weights to name an HDF5 file .* got another kind of file"),
        (description, tmp_path / "none.h5", "got nothing at"),
    ):
        with pytest.raises(UsageError, match=says):
            load(path, given)


def test_the_command_converts_a_description_with_its_weights(tmp_path, capsys):
    from edgevid.cli import main

    _, description, weights = saved("keras", tmp_path, "only.weights.h5")
    (tmp_path / "clips").mkdir()
    for number in range(4):
        np.save(tmp_path / "clips" / f"{number}.npy", np.random.default_rng(number).normal(size=(6, 8)))
    (tmp_path / "labels.txt").write_text("rest\nwave\n")
    out = tmp_path / "joined.edgevid"
    options = ["--labels", str(tmp_path / "labels.txt"), "--precision", "float32", "-o", str(out)]
    clips = ["--clips", str(tmp_path / "clips")]
    assert main(["convert", str(description), "--weights", str(weights), *clips, *options]) == 0
    assert out.is_file()
    assert main(["convert", str(weights), "--weights", str(weights), *clips, *options]) == 2
    assert "as MODEL with --weights" in capsys.readouterr().err
