"""A mask or an initial state that never changes is part of the model, in files of both frameworks."""

import numpy as np
import pytest

from edgevid.errors import ModelError
from tests.models.zoo import BOTH, framework

pytestmark = pytest.mark.tf
FRAMES, FEATURES = 6, 4
MASK = [[True, True, False, True, False, True]]


def tensor(k, values):
    """Return numbers as people pass them: a tensor to Keras 2, an array to Keras 3."""
    import tensorflow as tf

    return np.array(values) if k.__name__ == "keras" else tf.constant(values)


def masked_lstm(k, layers, x):
    return layers.LSTM(5)(x, mask=tensor(k, MASK))


def masked_bidirectional(k, layers, x):
    both = layers.Bidirectional(layers.GRU(5, return_sequences=True))(x, mask=tensor(k, MASK))
    return layers.SimpleRNN(5)(both, mask=tensor(k, MASK))


def mask_before_the_head(k, layers, x):
    return layers.LSTM(5)(layers.TimeDistributed(layers.Dense(4))(x, mask=tensor(k, MASK)))


def mask_in_a_nested_model(k, layers, x):
    inputs = k.Input((FRAMES, FEATURES))
    return k.Model(inputs, masked_lstm(k, layers, inputs))(x)


def masked_attention(k, layers, x):
    sequence = layers.LSTM(5, return_sequences=True)(x)
    looked = layers.Attention()([sequence, sequence], mask=[tensor(k, MASK), tensor(k, MASK)])
    return layers.GlobalAveragePooling1D()(looked, mask=tensor(k, MASK))


def causal_attention(k, layers, x):
    sequence = layers.Dense(4)(x)
    causal = tensor(k, np.tril(np.ones((1, FRAMES, FRAMES), bool)).tolist())
    return layers.GlobalMaxPooling1D()(layers.MultiHeadAttention(2, 4)(sequence, sequence, attention_mask=causal))


def lstm_from_a_state(k, layers, x):
    return layers.LSTM(3)(x, initial_state=[tensor(k, [[1.0, 2.0, 3.0]]), tensor(k, [[0.5, 0.5, -1.0]])])


def gru_from_a_state(k, layers, x):
    return layers.GRU(3)(x, initial_state=tensor(k, [[1.0, 2.0, 3.0]]))


MODELS = (
    *(masked_lstm, masked_bidirectional, mask_before_the_head, mask_in_a_nested_model),
    *(masked_attention, causal_attention, lstm_from_a_state, gru_from_a_state),
)


def saved(k, build, path):
    """Save a model of a window of features; return it."""
    k.utils.set_random_seed(3)
    inputs = k.Input((FRAMES, FEATURES))
    model = k.Model(inputs, k.layers.Dense(3, activation="softmax")(build(k, k.layers, inputs)))
    model.save(path)
    return model


def window():
    return np.random.default_rng(1).normal(size=(1, FRAMES, FEATURES)).astype(np.float32)


@pytest.mark.filterwarnings("ignore::UserWarning")  # HDF5 is a legacy format, and both frameworks say so
@pytest.mark.parametrize(
    ("build", "suffix"),
    [*((build, "keras") for build in MODELS), (masked_lstm, "h5"), (lstm_from_a_state, "h5")],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.parametrize("used", BOTH)
def test_a_fixed_mask_or_state_has_its_effect_in_the_model_and_in_its_parts(used, suffix, build, tmp_path):
    from convert.loading.load import load
    from tests.convert.parts import answer, encode, parts_of

    model = saved(framework(used), build, tmp_path / f"fixed.{suffix}")
    expected = np.asarray(model(window()))
    loaded = load(tmp_path / f"fixed.{suffix}")
    assert loaded.framework == used
    np.testing.assert_allclose(loaded.model(window()), expected, atol=1e-6)
    parts = parts_of(loaded.model)
    np.testing.assert_allclose(parts.whole.function(window())[0], expected, atol=1e-6)
    if parts.head is not None:
        np.testing.assert_allclose(answer(parts, encode(parts, window())), expected, atol=1e-6)


@pytest.mark.parametrize("used", BOTH)
def test_a_layer_with_a_fixed_mask_is_never_run_frame_by_frame(used, tmp_path):
    from tests.convert.parts import parts_of

    parts = parts_of(saved(framework(used), masked_lstm, tmp_path / "fixed.keras"))
    assert parts.step is None
    assert "has a mask or initial state for fixed places in the window" in parts.not_causal


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras 3 warns that the mask of a nested model ends there
@pytest.mark.parametrize("used", BOTH)
def test_a_mask_passed_to_a_nested_model_is_rejected(used, tmp_path):
    from convert.graph.layer_graph import read_graph

    def nested(k, layers, x):
        inputs = k.Input((FRAMES, FEATURES))
        return k.Model(inputs, layers.LSTM(5)(inputs), name="inner")(x, mask=tensor(k, MASK))

    model = saved(framework(used), nested, tmp_path / "nested.keras")
    with pytest.raises(ModelError, match="a mask passed to 'inner'"):
        read_graph(model)


def test_a_mask_for_several_windows_is_rejected(tmp_path):
    from tests.convert.parts import parts_of

    def for_two_windows(k, layers, x):
        return layers.LSTM(5)(x, mask=tensor(k, MASK * 2))

    model = saved(framework("keras"), for_two_windows, tmp_path / "two.keras")
    with pytest.raises(ModelError, match="a mask for one window, got one for a batch of 2 in layer"):
        parts_of(model).whole.function(window())
