"""Shared layers are one layer again, even if the framework that wrote the file cannot read it."""

import numpy as np
import pytest

from edgevid.errors import ModelError
from tests.models.zoo import BOTH, framework

pytestmark = pytest.mark.tf
FRAMES, FRAME = (4, 8, 8, 3), (8, 8, 3)


def load(path):
    from convert.loading.load import load as loader

    return loader(path)


def sequential(k):
    return k.Sequential(
        [k.Input(FRAME), k.layers.Conv2D(4, 3), k.layers.BatchNormalization(), k.layers.GlobalAveragePooling2D()]
    )


def functional(k):
    inputs = k.Input(FRAME)
    return k.Model(inputs, k.layers.GlobalAveragePooling2D()(k.layers.Conv2D(4, 3)(inputs)))


def two_streams(k, make):
    sub, layers = make(k), k.layers
    first, second = k.Input(FRAMES, name="first"), k.Input(FRAMES, name="second")
    both = layers.Concatenate()([layers.TimeDistributed(sub)(each) for each in (first, second, first)])
    return k.Model([first, second], layers.Dense(3, activation="softmax")(layers.LSTM(4)(both)))


def in_a_wrapper_and_beside_it(k, make):
    sub, layers = make(k), k.layers
    frames, frame = k.Input(FRAMES, name="frames"), k.Input(FRAME, name="frame")
    both = layers.Concatenate()([layers.LSTM(4)(layers.TimeDistributed(sub)(frames)), sub(frame)])
    return k.Model([frames, frame], layers.Dense(3, activation="softmax")(both))


@pytest.mark.parametrize(
    ("used", "make", "sub"),
    [
        *((used, two_streams, sequential) for used in BOTH),
        ("keras", two_streams, functional),
        ("keras", in_a_wrapper_and_beside_it, sequential),
    ],
)
def test_a_model_shared_by_wrappers_is_one_model_again(used, make, sub, tmp_path):
    k = framework(used)
    k.utils.set_random_seed(8)
    model = make(k, sub)
    model.save(tmp_path / "shared.keras")
    trained = load(tmp_path / "shared.keras")
    assert "shared layers read as one" in trained.notes[0]
    rng = np.random.default_rng(0)
    given = [rng.random((2, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    np.testing.assert_allclose(trained.model(given), model(given), atol=1e-6)
    assert len(trained.model.get_weights()) == len(model.get_weights())


def test_of_two_that_are_told_alike_neither_is_taken_for_the_shared_one(tmp_path):
    k = framework("keras")
    layers = k.layers
    frames = k.Input(FRAMES)
    one, other = (
        k.Sequential([k.Input(FRAME, name="i"), layers.Conv2D(4, 3, name="c"), layers.Flatten(name="f")], name="sub")
        for _ in range(2)
    )
    taken = [layers.TimeDistributed(each)(frames) for each in (one, other, other)]
    k.Model(frames, layers.Dense(3)(layers.LSTM(4)(layers.Concatenate()(taken)))).save(tmp_path / "twins.keras")
    with pytest.raises(ModelError, match="could not be loaded"):
        load(tmp_path / "twins.keras")


def test_a_configuration_without_shared_layers_is_left_as_it_is(tmp_path):
    from convert.loading.model_file import read
    from convert.loading.shared_layers import restore_shared_ids

    k = framework("keras")
    k.Sequential([k.Input(FRAME), k.layers.Conv2D(4, 3), k.layers.Flatten(), k.layers.Dense(3)]).save(
        tmp_path / "plain.keras"
    )
    config = read(tmp_path / "plain.keras").config
    assert restore_shared_ids(config) is config
