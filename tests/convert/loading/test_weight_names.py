"""Names of weights in `.keras` files of Keras 2.13 and 2.14, and of Windows: the answers stay the same."""

import io
import re
import zipfile

import numpy as np
import pytest

pytestmark = pytest.mark.tf
WEIGHTS = "model.weights.h5"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    import tf_keras as k

    k.utils.set_random_seed(3)
    layers = k.layers
    encoder = k.Sequential([layers.Input((12,)), layers.Dense(5, activation="tanh"), layers.Dense(4)])
    model = k.Sequential(
        [
            layers.Input((8, 12)),
            layers.TimeDistributed(encoder),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.Dropout(0.1),
            layers.LSTM(4, return_sequences=True),
            layers.LSTM(4),
            layers.Dense(4, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(3, activation="softmax"),
        ]
    )
    path = tmp_path_factory.mktemp("layouts") / "plain.keras"
    model.save(path)
    return path


def rewrite(path, target, rename):
    """Copy a `.keras` file with other names for its groups of weights."""
    import h5py

    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(parts[WEIGHTS]), "r") as source, h5py.File(buffer, "w") as renamed:

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                renamed.create_dataset(rename(name), data=item[()])
            elif name.endswith("vars"):
                renamed.require_group(rename(name))

        source.visititems(copy)
    parts[WEIGHTS] = buffer.getvalue()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return target


def of_keras_2_14(name):
    return re.sub(r"\blayers/", "_layer_checkpoint_dependencies/", name)


def of_keras_2_13(name):
    # Each layer with weights was counted twice; a Dropout once.
    doubled = re.sub(r"(layers/(?!dropout)[a-z_]+?)_(\d+)/", lambda m: f"{m[1]}_{2 * int(m[2])}/", name)
    return of_keras_2_14(doubled)


def of_windows(name):
    head, variables, tail = name.partition("/vars")
    return head.replace("/", "\\") + variables + tail


LAYOUTS = {
    "Keras 2.14": of_keras_2_14,
    "Keras 2.13": of_keras_2_13,
    "Windows": of_windows,
    "Keras 2.13 on Windows": lambda name: of_windows(of_keras_2_13(name)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_under_the_names_of_another_release_are_found(plain, layout, tmp_path):
    from convert.loading.load import load

    path = rewrite(plain, tmp_path / "model.keras", LAYOUTS[layout])
    before = path.read_bytes()
    window = np.random.default_rng(0).random((2, 8, 12)).astype(np.float32)
    loaded = load(path)
    assert (loaded.framework, loaded.notes) == ("tf_keras", ("repaired to load: weights renamed",))
    np.testing.assert_array_equal(loaded.model(window), load(plain).model(window))
    assert path.read_bytes() == before


def test_weights_under_their_own_names_stay(plain, tmp_path):
    from convert.loading.weight_names import with_plain_names

    assert with_plain_names(plain, tmp_path) == (plain, ())
