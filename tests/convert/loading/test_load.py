"""Loading of model files, and one-line errors for everything else."""

import json
import zipfile

import numpy as np
import pytest

from edgevid.errors import ModelError, UsageError
from tests.models.keras_models import cnn_rnn

pytestmark = pytest.mark.tf


def load(path, **options):
    from convert.loading.load import load as loader

    return loader(path, **options)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The same kind of model as each framework saves it."""
    folder = tmp_path_factory.mktemp("models")
    cnn_rnn("lstm").save(folder / "keras3.keras")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each framework warns that HDF5 is old
        cnn_rnn("lstm").save(folder / "keras3.h5")
        cnn_rnn("lstm", framework="tf_keras").save(folder / "keras2.h5")
    cnn_rnn("lstm", framework="tf_keras").save(folder / "keras2.keras")
    return folder


@pytest.mark.parametrize(
    ("name", "framework"),
    [("keras3.keras", "keras"), ("keras3.h5", "keras"), ("keras2.h5", "tf_keras"), ("keras2.keras", "tf_keras")],
)
def test_a_file_is_loaded_by_the_framework_that_wrote_it(models, name, framework):
    trained = load(models / name)
    assert trained.framework == framework
    assert trained.model.input_shape == (None, 6, 16, 16, 3)
    assert len(trained.sha256) == 64


def test_hdf5_under_a_keras_name_is_loaded_by_what_it_is(models, tmp_path):
    path = tmp_path / "misnamed.keras"
    path.write_bytes((models / "keras2.h5").read_bytes())
    assert load(path).framework == "tf_keras"
    assert [each.name for each in tmp_path.iterdir()] == ["misnamed.keras"]


def test_weights_alone_are_refused_with_what_to_do(tmp_path):
    cnn_rnn("lstm").save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(ModelError, match=r"weights only.*--weights"):
        load(tmp_path / "only.weights.h5")


def test_a_lambda_layer_is_refused_unless_code_is_allowed(tmp_path):
    import keras

    model = keras.Sequential(
        [keras.Input((4, 8)), keras.layers.Lambda(lambda x: x * 2.0), keras.layers.LSTM(3), keras.layers.Dense(2)]
    )
    model.save(tmp_path / "code.keras")
    with pytest.raises(ModelError, match="--allow-code"):
        load(tmp_path / "code.keras")
    window = np.ones((1, 4, 8), np.float32)
    np.testing.assert_allclose(load(tmp_path / "code.keras", allow_code=True).model(window), model(window), atol=1e-6)


@pytest.mark.parametrize("keep", [0, 10, 100, 4000, -50])
@pytest.mark.parametrize("name", ["keras3.keras", "keras2.h5"])
def test_a_truncated_file_is_refused(models, tmp_path, name, keep):
    path = tmp_path / name
    path.write_bytes((models / name).read_bytes()[:keep])
    with pytest.raises(ModelError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.keras").write_text("not a model")
    with pytest.raises(ModelError, match="another kind of file"):
        load(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("hello.txt", "no model")
    with pytest.raises(ModelError, match=r"config\.json"):
        load(tmp_path / "other.keras")
    with pytest.raises(UsageError, match="nothing at"):
        load(tmp_path / "absent.keras")
    with pytest.raises(UsageError, match="a directory at"):
        load(tmp_path)


def test_a_checkpoint_and_a_description_are_refused_with_what_to_do(tmp_path):
    import tf_keras

    model = tf_keras.Sequential([tf_keras.Input((4, 8)), tf_keras.layers.LSTM(3)])
    model.save_weights(tmp_path / "best" / "best.ckpt")
    with pytest.raises(ModelError, match=r"weights only: .*best is a checkpoint .*--weights"):
        load(tmp_path / "best")
    (tmp_path / "model.json").write_text(model.to_json())
    with pytest.raises(ModelError, match=r"a description without weights: .*--weights"):
        load(tmp_path / "model.json")


@pytest.mark.parametrize("used", ["keras", "tf_keras"])
def test_weights_beside_a_description_are_refused_with_the_option_that_joins_them(used, tmp_path):
    import importlib

    k = importlib.import_module(used)
    model = k.Sequential([k.Input((4, 8)), k.layers.LSTM(3)])
    (tmp_path / "a_list.json").write_text("[1]")
    (tmp_path / "model.json").write_text(model.to_json())
    model.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(ModelError, match=r"weights only.* pass .*model\.json as MODEL, with --weights .*only"):
        load(tmp_path / "only.weights.h5")


def test_a_configuration_that_is_nonsense_is_refused(models, tmp_path):
    path = tmp_path / "nonsense.keras"
    with zipfile.ZipFile(models / "keras3.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, json.dumps({"class_name": "Nothing"}) if name == "config.json" else source.read(name))
    with pytest.raises(ModelError):
        load(path)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(("framework", "suffix"), [("keras", ".keras"), ("tf_keras", ".keras"), ("tf_keras", ".h5")])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_model_of_mixed_precision_is_loaded_in_float32(tmp_path, framework, policy, suffix):
    import keras
    import tf_keras

    k = {"keras": keras, "tf_keras": tf_keras}[framework]
    k.mixed_precision.set_global_policy(policy)
    try:
        model = cnn_rnn("lstm", framework=framework)
    finally:
        k.mixed_precision.set_global_policy("float32")
    model.save(tmp_path / f"half{suffix}")
    trained = load(tmp_path / f"half{suffix}").model
    for kept, saved in zip(trained.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, saved)
    window = np.random.default_rng(0).random((1, 6, 16, 16, 3)).astype(np.float32)
    assert np.asarray(trained(window)).dtype == np.float32
    np.testing.assert_allclose(trained(window), cnn_rnn("lstm", framework=framework)(window), atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_code_in_a_file_of_keras_2_is_loaded_where_it_is_allowed(tmp_path, suffix):
    import tf_keras as keras

    model = keras.Sequential(
        [keras.Input((4, 8)), keras.layers.Lambda(lambda x: x * 2.0), keras.layers.LSTM(3), keras.layers.Dense(2)]
    )
    model.save(tmp_path / f"code{suffix}")
    with pytest.raises(ModelError, match="--allow-code"):
        load(tmp_path / f"code{suffix}")
    window = np.ones((1, 4, 8), np.float32)
    np.testing.assert_allclose(
        load(tmp_path / f"code{suffix}", allow_code=True).model(window), model(window), atol=1e-6
    )


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_code_that_is_allowed_finds_the_names_that_everybody_gives_to_modules(tmp_path, framework, suffix):
    import tensorflow as tf

    from tests.models.zoo import framework as named

    k, scope = (
        named(framework),
        {"K": tf.keras.backend if framework == "keras" else named("tf_keras").backend, "tf": tf},
    )
    mean = eval("lambda x, axis=1: tf.nn.softmax(K.mean(x, axis=axis))", scope)
    model = k.Sequential(
        [k.Input((4, 8)), k.layers.LSTM(3, return_sequences=True), k.layers.Lambda(mean, output_shape=(3,))]
    )
    model.save(tmp_path / f"code{suffix}")
    window = np.random.default_rng(0).random((2, 4, 8)).astype(np.float32)
    np.testing.assert_allclose(
        load(tmp_path / f"code{suffix}", allow_code=True).model(window), model(window), atol=1e-6
    )


def test_a_configuration_of_endless_depth_exhausts_nothing():
    from convert.loading.model_config import depth, walk

    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert sum(1 for _ in walk(deep)) == 100_001
    assert depth(deep) == 100_001
