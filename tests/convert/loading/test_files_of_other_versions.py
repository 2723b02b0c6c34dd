"""Files of other Keras versions: loaded as they are, repaired, or rejected with a hint."""

import json
import shutil

import numpy as np
import pytest

from edgevid.errors import ModelError, UsageError
from tests.models.zoo import BOTH, framework

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")]
WINDOW = (5, 16, 16, 3)
MODULE = """
import tensorflow as tf
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Layer


class Attend(Layer):
    def build(self, shape):
        self.w = self.add_weight(name="w", shape=(shape[-1], 1), initializer="ones")

    def call(self, x):
        return tf.reduce_sum(x * tf.nn.softmax(tf.tanh(tf.matmul(x, self.w)), axis=1), axis=1)


class Standardised(Layer):
    def call(self, x):
        return x / (1e-3 + tf.reduce_max(tf.abs(x), axis=-1, keepdims=True))
"""


def load(path, **options):
    from convert.loading.load import load as loader

    return loader(path, **options)


def lrcn(k):
    layers = k.layers
    k.utils.set_random_seed(4)
    body = [
        layers.TimeDistributed(layers.Conv2D(4, 3, activation="relu")),
        layers.TimeDistributed(layers.DepthwiseConv2D(3)),
        layers.TimeDistributed(layers.Flatten()),
        layers.LSTM(6),
        layers.Dense(3, activation="softmax"),
    ]
    return k.Sequential([k.Input(WINDOW), *body])


def rewritten(source, target, change, version=None):
    """A copy of an HDF5 file with every object of its configuration changed."""
    import h5py

    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        left = [config]
        while left:
            value = left.pop()
            if isinstance(value, dict):
                change(value)
            left.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
        file.attrs["model_config"] = json.dumps(config)
        if version:
            file.attrs["keras_version"] = version
    return target


@pytest.fixture(scope="module")
def keras2(tmp_path_factory):
    """A model, and its file as Keras 2 writes it."""
    path = tmp_path_factory.mktemp("keras2") / "model.h5"
    model = lrcn(framework("tf_keras"))
    model.save(path)
    return model, path


def windows(shape=WINDOW):
    return np.random.default_rng(0).random((2, *shape)).astype(np.float32)


def as_keras_2_3(value):
    for key in ("module", "registered_name", "build_config", "time_major", "groups"):
        value.pop(key, None)
        if isinstance(value.get("config"), dict):
            value["config"].pop(key, None)
    if value.get("class_name") == "Functional":
        value["class_name"] = "Model"


def with_strange_initialisers(value):
    if "kernel_initializer" in value:
        value["kernel_initializer"] = {"class_name": "Mine", "config": {"gain": 3}}
        value["kernel_constraint"] = {"class_name": "Mine", "config": {}}


def as_a_list(value):
    if value.get("class_name") == "Sequential":
        value["config"] = value["config"]["layers"]


@pytest.mark.parametrize(
    ("change", "version", "note"),
    [(as_keras_2_3, "2.3.1", ""), (with_strange_initialisers, "2.4.0", "initialisers"), (as_a_list, "2.1.6", "")],
)
def test_files_of_old_versions_give_the_original_models_answers(keras2, tmp_path, change, version, note):
    model, path = keras2
    trained = load(rewritten(path, tmp_path / "old.h5", change, version))
    np.testing.assert_allclose(trained.model(windows()), model(windows()), atol=1e-6)
    assert trained.written_by == version
    assert note in " ".join(trained.notes)


def test_archives_of_keras_2_12_name_modules_that_have_moved_since(tmp_path):
    import zipfile

    k = framework("tf_keras")
    inputs = k.Input((5, 8))
    model = k.Model(inputs, k.layers.Dense(3)(k.layers.LSTM(4)(inputs / 2.0)))
    model.save(tmp_path / "now.keras")
    with zipfile.ZipFile(tmp_path / "now.keras") as source, zipfile.ZipFile(tmp_path / "then.keras", "w") as target:
        for name in source.namelist():
            data = (
                source.read(name).replace(b"tf_keras.src.", b"keras.").replace(b"tf_keras.", b"keras.")
                if name == "config.json"
                else source.read(name)
            )
            target.writestr(name, b'{"keras_version": "2.12.0"}' if name == "metadata.json" else data)
    trained = load(tmp_path / "then.keras")
    assert trained.framework == "tf_keras"
    assert "modules renamed" in trained.notes[0]
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)


def as_keras_3_8(value):
    for key in ("input_layers", "output_layers"):
        if key in value and isinstance(value[key][0], str):
            value[key] = [value[key]]


def test_a_network_inside_of_time_distributed_gives_its_output_and_no_list_of_one(tmp_path):
    k = framework("keras")
    frame, clip = k.Input(WINDOW[1:]), k.Input(WINDOW)
    network = k.Model(frame, k.layers.GlobalAveragePooling2D()(k.layers.Conv2D(4, 3, activation="relu")(frame)))
    model = k.Model(
        clip, k.layers.Dense(3, activation="softmax")(k.layers.LSTM(4)(k.layers.TimeDistributed(network)(clip)))
    )
    model.save(tmp_path / "now.h5")
    trained = load(rewritten(tmp_path / "now.h5", tmp_path / "then.h5", as_keras_3_8))
    assert trained.framework == "keras"
    assert "an only input or output read as itself" in trained.notes[0]
    np.testing.assert_allclose(trained.model(windows()), model(windows()), atol=1e-6)


def test_a_repaired_model_is_held_against_the_framework_that_loads_the_file(keras2, tmp_path):
    model, path = keras2
    # The wrong version: Keras 3 rejects the file and loads it repaired; tf_keras loads it as it is.
    trained = load(rewritten(path, tmp_path / "mixed.h5", lambda _value: None, "3.1.0"))
    assert trained.framework == "keras"
    assert "it answers as the file does in tf_keras" in " ".join(trained.notes)
    np.testing.assert_allclose(trained.model(windows()), model(windows()), atol=1e-5)


def test_operators_in_an_hdf5_file_of_keras_3_are_found_again(tmp_path):
    k = framework("keras")
    k.utils.set_random_seed(5)
    inner = k.Input((16, 16, 3))
    small = k.Model(
        inner, k.layers.GlobalAveragePooling2D()(k.layers.Conv2D(3, 3)(k.ops.flip(inner[..., :2], axis=1) / 127.5))
    )
    inputs = k.Input(WINDOW)
    sequence = k.layers.Attention()([k.layers.TimeDistributed(small)(k.ops.maximum(inputs - 0.5, 0.0))] * 2)
    x = k.layers.Add()([k.ops.mean(sequence, axis=1), sequence[:, -1]])
    model = k.Model(inputs, k.layers.Dense(3, activation="softmax")(k.ops.reshape(x, (-1, 3))))
    model.save(tmp_path / "operators.h5")
    np.testing.assert_allclose(load(tmp_path / "operators.h5").model(windows()), model(windows()), atol=1e-6)


def test_a_layer_that_keras_3_writes_to_hdf5_and_cannot_read_is_read(tmp_path):
    k = framework("keras")
    inputs = k.Input((5, 8))
    model = k.Model(inputs, k.layers.Dense(3)(k.layers.Flatten()(k.layers.Attention()([inputs, inputs]))))
    model.save(tmp_path / "attention.h5")
    np.testing.assert_allclose(
        load(tmp_path / "attention.h5").model(windows((5, 8))), model(windows((5, 8))), atol=1e-6
    )


@pytest.mark.parametrize("used", BOTH)
def test_the_layers_of_convnext_are_its_frameworks_own(used, tmp_path):
    from convert.loading.custom_objects import application_objects

    k = framework(used)
    scale = application_objects(used)["LayerScale"]
    inputs = k.Input((5, 8))
    model = k.Model(inputs, k.layers.Dense(3)(k.layers.Flatten()(scale(0.3, 8)(inputs))))
    model.save(tmp_path / "scaled.h5")
    np.testing.assert_allclose(load(tmp_path / "scaled.h5").model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)


def with_augmentation_of_keras_3_4(value):
    if value.get("class_name") == "RandomRotation":
        value["config"]["value_range"] = [0, 255]


def test_augmentation_that_another_version_describes_otherwise_does_nothing_either(tmp_path):
    k = framework("keras")
    turned = [
        k.Input(WINDOW[1:]),
        k.layers.RandomRotation(0.1),
        k.layers.Conv2D(4, 3),
        k.layers.GlobalAveragePooling2D(),
    ]
    model = k.Sequential(
        [k.Input(WINDOW), k.layers.TimeDistributed(k.Sequential(turned)), k.layers.LSTM(4), k.layers.Dense(3)]
    )
    model.save(tmp_path / "now.h5")
    trained = load(rewritten(tmp_path / "now.h5", tmp_path / "then.h5", with_augmentation_of_keras_3_4))
    np.testing.assert_allclose(trained.model(windows(), training=False), model(windows(), training=False), atol=1e-6)


def test_a_refusal_names_no_optimizer(tmp_path):
    import zipfile

    k = framework("keras")
    model = k.Sequential([k.Input((5, 8)), k.layers.LSTM(4), k.layers.Dense(3)])
    model.compile(k.optimizers.Adam(), "mse")
    model.save(tmp_path / "now.keras")
    with zipfile.ZipFile(tmp_path / "now.keras") as source, zipfile.ZipFile(tmp_path / "odd.keras", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b'"units": 4', b'"units": "four"'))
    with pytest.raises(ModelError, match=r"that keras 3[\d.]+ can load"):
        load(tmp_path / "odd.keras")


@pytest.mark.parametrize("used", BOTH)
def test_the_sums_of_inception_resnet_are_its_frameworks_own(used, tmp_path):
    from convert.loading.custom_objects import application_objects

    k = framework(used)
    inputs = k.Input((5, 8))
    model = k.Model(
        inputs,
        k.layers.Dense(3)(
            k.layers.Flatten()(application_objects(used)["CustomScaleLayer"](0.2)([inputs, k.layers.Dense(8)(inputs)]))
        ),
    )
    model.save(tmp_path / "scaled.h5")
    np.testing.assert_allclose(load(tmp_path / "scaled.h5").model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)


def with_code_of_another_python(value):
    if value.get("class_name") == "Lambda":
        value["config"]["function"] = ["4wEAAAAAAAAAAAAAAAEAAAADAAAA\n", None, None]


def test_code_of_another_python_is_replaced_by_functions_of_the_layers_names(tmp_path):
    k = framework("tf_keras")
    inputs = k.Input((5, 8))
    halved = k.layers.Lambda(lambda x: x / 2.0, name="lambda")(inputs)
    model = k.Model(inputs, k.layers.LSTM(3)(k.layers.Lambda(lambda x: x[..., :4], name="lambda_1")(halved)))
    model.save(tmp_path / "now.h5")
    path = rewritten(tmp_path / "now.h5", tmp_path / "then.h5", with_code_of_another_python)
    with pytest.raises(ModelError, match=r"another version's .*\(lambda_, lambda_1\): --custom-objects"):
        load(path, allow_code=True)
    (tmp_path / "functions.py").write_text(
        "def lambda_(x):\n    return x / 2.0\n\n\ndef lambda_1(x):\n    return x[..., :4]\n"
    )
    trained = load(path, allow_code=True, custom_objects=tmp_path / "functions.py")
    assert "replaced by functions" in trained.notes[0]
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)


def with_sums_in_code(value):
    if value.get("class_name") == "CustomScaleLayer":
        scale = value["config"].pop("scale")
        value["class_name"] = "Lambda"
        value["config"] |= {
            "function": ["4wEAAAAAAAAAAAAAAAEAAAADAAAA\n", None, None],
            "function_type": "lambda",
            "arguments": {"scale": scale},
        }


def test_the_sums_of_inception_resnet_need_no_code_of_another_python(tmp_path):
    from convert.loading.custom_objects import application_objects

    k = framework("tf_keras")
    inputs = k.Input((5, 8))
    summed = application_objects("tf_keras")["CustomScaleLayer"](0.2, name="block35_1")(
        [inputs, k.layers.Dense(8)(inputs)]
    )
    model = k.Model(inputs, k.layers.LSTM(3)(summed))
    model.save(tmp_path / "now.h5")
    trained = load(rewritten(tmp_path / "now.h5", tmp_path / "then.h5", with_sums_in_code))
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)


def with_addons(value, name):
    if value.get("class_name") == "Dense":
        value["config"]["activation"] = f"Addons>{name}"


@pytest.mark.parametrize("name", ["gelu", "mish"])
def test_activations_of_tensorflow_addons_are_what_they_were(tmp_path, name):
    import tensorflow as tf

    k = framework("tf_keras")
    meant = {"gelu": lambda x: tf.nn.gelu(x, approximate=True), "mish": lambda x: x * tf.tanh(tf.nn.softplus(x))}[name]
    inputs = k.Input((5, 8))
    dense = k.layers.Dense(4, activation="gelu")
    model = k.Model(inputs, k.layers.LSTM(3)(dense(inputs)))
    model.save(tmp_path / "now.h5")
    trained = load(rewritten(tmp_path / "now.h5", tmp_path / "addons.h5", lambda value: with_addons(value, name)))
    dense.activation = meant
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)


SPARING = """
import keras


class Doubled(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.dense = keras.layers.Dense(units)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return 2.0 * self.dense(x)
"""


def test_layers_of_ones_own_that_take_their_own_arguments_only_load(tmp_path):
    import importlib.util

    (tmp_path / "sparing.py").write_text(SPARING)
    spec = importlib.util.spec_from_file_location("sparing_where_it_was_trained", tmp_path / "sparing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    k = framework("keras")
    inputs = k.Input((5, 8))
    model = k.Model(inputs, k.layers.LSTM(3)(module.Doubled(4)(module.Doubled(6)(inputs))))
    model.save(tmp_path / "sparing.keras")
    trained = load(tmp_path / "sparing.keras", custom_objects=tmp_path / "sparing.py")
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)


def as_efficientnet(value):
    if value.get("class_name") == "Dropout":
        value["class_name"] = "FixedDropout"


def test_the_dropout_of_the_package_efficientnet_does_nothing_either(tmp_path):
    k = framework("tf_keras")
    inputs = k.Input((5, 8))
    model = k.Model(
        inputs, k.layers.Dense(3)(k.layers.Flatten()(k.layers.Dropout(0.5, noise_shape=(None, 1, 1))(inputs)))
    )
    model.save(tmp_path / "now.h5")
    trained = load(rewritten(tmp_path / "now.h5", tmp_path / "efficientnet.h5", as_efficientnet))
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)


def test_a_repair_that_changes_answers_is_refused(keras2, tmp_path, monkeypatch):
    from convert.loading import repairs

    _, path = keras2

    def spoil(value):
        return {**value, "activation": "tanh"} if value.get("activation") == "relu" else value

    monkeypatch.setitem(repairs.REPAIRS, "spoiled", spoil)
    with pytest.raises(ModelError, match="repaired model to answer as the file does"):
        load(rewritten(path, tmp_path / "mixed.h5", lambda _value: None, "3.1.0"))


def test_cudnn_layers_run_on_a_cpu_with_the_same_answers(tmp_path):
    k = framework("tf_keras")
    model = k.Sequential([k.Input((5, 8)), k.layers.GRU(4, return_sequences=True), k.layers.LSTM(4), k.layers.Dense(3)])
    model.save(tmp_path / "model.h5")
    kept = ("name", "trainable", "dtype", "return_sequences", "return_state", "go_backwards", "stateful", "units")

    def to_cudnn(value):
        if value.get("class_name") in ("GRU", "LSTM"):
            value["class_name"] = f"CuDNN{value['class_name']}"
            value["config"] = {key: value["config"][key] for key in kept}

    trained = load(rewritten(tmp_path / "model.h5", tmp_path / "cudnn.h5", to_cudnn, "2.2.4-tf"))
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)
    assert "cuDNN" in trained.notes[0]


@pytest.mark.parametrize("use_bias", [True, False])
def test_grus_that_state_no_reset_after_reset_before_the_product(use_bias, tmp_path):
    k = framework("tf_keras")
    k.utils.set_random_seed(5)
    gru = k.layers.GRU(4, reset_after=False, use_bias=use_bias)
    model = k.Sequential([k.Input((5, 8)), gru, k.layers.Dense(3)])
    model.save(tmp_path / "model.h5")

    def change(value):
        if value.get("class_name") == "GRU":
            del value["config"]["reset_after"]

    trained = load(rewritten(tmp_path / "model.h5", tmp_path / "old.h5", change, "2.1.6"))
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)
    assert "GRUs without reset_after" in trained.notes[0]


def test_a_note_lists_each_repair_of_the_way_that_loaded_a_file(tmp_path):
    k = framework("tf_keras")
    model = k.Sequential([k.Input((5, 8)), k.layers.LSTM(4), k.layers.Dense(3)])
    model.save(tmp_path / "model.h5")

    def change(value):
        if value.get("class_name") == "LSTM":
            value["class_name"] = "CuDNNLSTM"
            value["config"] = {"name": "lstm", "units": 4}
        if value.get("class_name") == "Dense":
            value["config"]["kernel_initializer"] = {"class_name": "Unheard", "config": {}}

    (note, *_) = load(rewritten(tmp_path / "model.h5", tmp_path / "old.h5", change, "2.2.4-tf")).notes
    assert "cuDNN layers" in note and "initialisers" in note


@pytest.mark.parametrize("used", BOTH)
def test_layers_that_keep_a_state_begin_each_window_with_zeros(used, tmp_path):
    k = framework(used)
    model = (
        k.Sequential([k.layers.InputLayer(batch_shape=(2, 5, 8)), k.layers.LSTM(4, stateful=True), k.layers.Dense(3)])
        if used == "keras"
        else None
    )
    model = model or k.Sequential([k.layers.LSTM(4, stateful=True, batch_input_shape=(2, 5, 8)), k.layers.Dense(3)])
    expected = np.asarray(model(windows((5, 8))))
    model.layers[-2].reset_states()
    model.save(tmp_path / "stateful.keras")
    trained = load(tmp_path / "stateful.keras")
    for _ in range(2):
        np.testing.assert_allclose(trained.model(windows((5, 8))), expected, atol=1e-6)
    assert trained.model.inputs[0].shape[0] is None
    assert "begins with zeros" in trained.notes[0]


def test_a_sequential_that_never_saw_its_input_is_refused_with_what_to_do(keras2, tmp_path):
    def without_shapes(value):
        value.pop("build_config", None)
        value.pop("build_input_shape", None)
        value.pop("batch_input_shape", None)
        if "layers" in value:
            value["layers"] = [each for each in value["layers"] if each["class_name"] != "InputLayer"]

    with pytest.raises(ModelError, match="known input shape"):
        load(rewritten(keras2[1], tmp_path / "open.h5", without_shapes))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("used", BOTH)
def test_layers_of_the_files_own_need_their_module_and_get_the_right_keras(used, suffix, tmp_path):
    from convert.interface.window_to_scores import arrange
    from convert.loading.custom_objects import load_objects
    from convert.splitting.split import split

    (tmp_path / "mine.py").write_text(MODULE)
    k, mine = framework(used), load_objects(tmp_path / "mine.py", used)
    inputs = k.Input(WINDOW)
    sequence = k.layers.LSTM(4, return_sequences=True)(
        mine["Standardised"]()(k.layers.TimeDistributed(k.layers.Flatten())(inputs))
    )
    model = k.Model(inputs, k.layers.Dense(3, activation="softmax")(mine["Attend"]()(sequence)))
    path = tmp_path / f"custom{suffix}"
    model.save(path)
    with pytest.raises(ModelError, match=r"Attend.*--custom-objects module\.py"):
        load(path)
    trained = load(path, custom_objects=tmp_path / "mine.py")
    assert trained.framework == used
    np.testing.assert_allclose(trained.model(windows()), model(windows()), atol=1e-6)
    parts = split(arrange(trained.model).graph)
    assert len(parts.prefix_layers) == 2, "a layer that treats each frame by itself is found to by trying it"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("used", BOTH)
def test_a_layer_that_only_has_a_built_in_ones_name_is_named_as_a_stranger(used, suffix, tmp_path):
    from convert.loading.custom_objects import load_objects

    (tmp_path / "mine.py").write_text(MODULE.replace("class Attend", "class Attention"))
    k = framework(used)
    inputs = k.Input((5, 8))
    attended = load_objects(tmp_path / "mine.py", used)["Attention"]()(k.layers.LSTM(4, return_sequences=True)(inputs))
    k.Model(inputs, k.layers.Dense(3)(attended)).save(tmp_path / f"custom{suffix}")
    with pytest.raises(ModelError, match=r"got Attention in .*--custom-objects module\.py"):
        load(tmp_path / f"custom{suffix}")


@pytest.mark.parametrize(
    "line",
    [
        "from keras.engine.topology import Layer",
        "from tensorflow.keras.layers.core import Layer",
        "from keras.engine import Layer",
    ],
)
def test_a_module_of_years_ago_finds_layers_where_they_were(line, tmp_path):
    from convert.loading.custom_objects import load_objects

    (tmp_path / "mine.py").write_text(f"{line}\nfrom keras.layers.recurrent import LSTM\nclass Mine(Layer): pass\n")
    assert issubclass(load_objects(tmp_path / "mine.py", "tf_keras")["Mine"], framework("tf_keras").layers.Layer)


@pytest.mark.parametrize("used", BOTH)
def test_activations_that_were_given_as_functions_of_tensorflow_are_found(used, tmp_path):
    import tensorflow as tf

    from convert.interface.scores import scores_of
    from convert.interface.window_to_scores import arrange

    k = framework(used)
    inputs = k.Input((5, 8))
    x = k.layers.Dense(4, activation=tf.nn.leaky_relu)(k.layers.LSTM(4, activation=tf.nn.swish)(inputs))
    model = k.Model(
        inputs, k.layers.Dense(3, activation=tf.nn.softmax)(k.layers.Dense(4, activation=tf.nn.log_softmax)(x))
    )
    model.save(tmp_path / "functions.h5")
    trained = load(tmp_path / "functions.h5")
    np.testing.assert_allclose(trained.model(windows((5, 8))), model(windows((5, 8))), atol=1e-6)
    assert scores_of(arrange(trained.model).graph) == ("softmax", 3)


@pytest.mark.parametrize("used", BOTH)
def test_a_mask_is_not_taken_for_an_input_of_the_layers_that_a_file_writes_it_beside(used, tmp_path):
    from convert.interface.window_to_scores import arrange
    from convert.splitting.split import split

    k = framework(used)
    inputs = k.Input((5, 8))
    x = k.layers.BatchNormalization(axis=1)(k.layers.TimeDistributed(k.layers.Dense(4))(k.layers.Masking()(inputs)))
    model = k.Model(
        inputs,
        k.layers.Dense(3, activation="softmax")(
            k.layers.Add()([k.layers.LSTM(4)(x), k.layers.GRU(4)(k.layers.Masking()(inputs))])
        ),
    )
    model.save(tmp_path / "masked.keras")
    arranged = arrange(load(tmp_path / "masked.keras").model)
    assert not [call.name for call in arranged.graph.calls if len(call.inputs) > 1 and call.kind != "Add"]
    window = windows((5, 8))
    window[:, 1:3] = 0.0
    whole = split(arranged.graph).whole
    np.testing.assert_allclose(
        np.concatenate([whole.function(each[None])[0] for each in window]), model(window), atol=1e-6
    )


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [(None, UsageError, "Python file"), ("raise RuntimeError('not today')", ModelError, "not today")],
)
def test_a_module_that_cannot_be_run_is_one_line(text, error, says, tmp_path, keras2):
    path = tmp_path / "mine.py"
    if text:
        path.write_text(text)
    with pytest.raises(error, match=says):
        load(keras2[1], custom_objects=path)


def test_a_savedmodel_of_keras_2_holds_its_layers(keras2, tmp_path):
    model, _ = keras2
    model.save(tmp_path / "saved")
    trained = load(tmp_path / "saved")
    assert trained.framework == "tf_keras"
    assert len(trained.sha256) == 64
    np.testing.assert_allclose(trained.model(windows()), model(windows()), atol=1e-6)


def test_an_exported_function_is_the_trained_model(tmp_path):
    from convert.interface.scores import scores_of
    from convert.interface.window_to_scores import arrange
    from convert.splitting.split import split

    k = framework("keras")
    inputs = k.Input(WINDOW)
    frames = k.layers.TimeDistributed(k.layers.Flatten())(inputs)
    model = k.Model(inputs, k.layers.Dense(3, activation="softmax")(k.layers.GlobalAveragePooling1D()(frames)))
    model.export(str(tmp_path / "exported"), verbose=False)
    trained = load(tmp_path / "exported")
    arranged = arrange(trained.model)
    parts = split(arranged.graph)
    np.testing.assert_allclose(parts.whole.function(windows()[:1])[0], model(windows()[:1]), atol=1e-5)
    assert scores_of(arranged.graph) == ("softmax", 3)
    assert "no layers" in trained.notes[0]


def test_a_savedmodel_whose_layers_cannot_be_had_is_run_as_a_function(tmp_path):
    from convert.loading.custom_objects import load_objects

    (tmp_path / "mine.py").write_text(MODULE.replace("class Attend", "class Attention"))
    k = framework("tf_keras")
    inputs = k.Input((5, 8))
    model = k.Model(
        inputs,
        k.layers.Dense(3, activation="softmax")(load_objects(tmp_path / "mine.py", "tf_keras")["Attention"]()(inputs)),
    )
    model.save(tmp_path / "saved")
    trained = load(tmp_path / "saved")
    assert "no layers" in trained.notes[0]
    np.testing.assert_allclose(trained.model(windows((5, 8)))[0], model(windows((5, 8))), atol=1e-6)


def test_code_in_a_savedmodel_is_refused_unless_allowed(tmp_path):
    k = framework("tf_keras")
    model = k.Sequential([k.Input((5, 8)), k.layers.Lambda(lambda x: x * 2.0), k.layers.LSTM(3), k.layers.Dense(2)])
    model.save(tmp_path / "code")
    with pytest.raises(ModelError, match="--allow-code"):
        load(tmp_path / "code")
    np.testing.assert_allclose(
        load(tmp_path / "code", allow_code=True).model(windows((5, 8))), model(windows((5, 8))), atol=1e-6
    )


def test_a_folder_that_is_no_savedmodel_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\x00nonsense")
    with pytest.raises(ModelError, match="a SavedModel that TensorFlow can parse"):
        load(tmp_path)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("each_frame", [False, True])
def test_a_savedmodel_of_a_fixed_batch_answers_each_window_by_itself(tmp_path, batch, each_frame):
    import tensorflow as tf

    from convert.interface.scores import scores_of
    from convert.interface.window_to_scores import arrange
    from convert.splitting.split import split

    rng = np.random.default_rng(0)
    first, last = (tf.Variable(rng.normal(0, 1, shape).astype(np.float32)) for shape in ((6, 8), (8, 3)))

    def answer(window):
        hidden = tf.tanh(window @ first)
        return tf.nn.softmax((hidden if each_frame else tf.reduce_mean(hidden, 1)) @ last)

    module = tf.Module()
    module.weights = (first, last)
    module.serve = tf.function(
        lambda window: {"output": answer(window)}, input_signature=[tf.TensorSpec((batch, 4, 6))]
    )
    tf.saved_model.save(module, str(tmp_path / "fixed"), signatures={"serving_default": module.serve})
    arranged = arrange(load(tmp_path / "fixed").model)
    window = rng.random((3, 4, 6), np.float32)
    expected = np.asarray(answer(window))[:, -1] if each_frame else np.asarray(answer(window))
    np.testing.assert_allclose(arranged.ask(window), expected, atol=1e-6)
    assert scores_of(arranged.graph) == ("softmax", 3)
    parts = split(arranged.graph)
    np.testing.assert_allclose(parts.whole.function(window[:1])[0], expected[:1], atol=1e-5)
