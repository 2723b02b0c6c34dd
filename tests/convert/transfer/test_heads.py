from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("keras")

import keras

from convert.interface.window_to_scores import arrange
from convert.splitting.split import split
from convert.splitting.stepping import last_answer
from convert.training.options import HEADS
from convert.transfer.head_fitting.heads import Examples, balanced_weights, fit, log_loss, temperature_of
from convert.transfer.head_fitting.linear_head import fit_linear, statistics
from edgevid.inference.probabilities import softmax

pytestmark = pytest.mark.tf
FRAMES, FEATURES, CLASSES = 6, 8, 3
rng = np.random.default_rng(0)


def windows(count, *, seed=0):
    """Windows of which the class decides the mean of one feature and the change of another."""
    draw = np.random.default_rng(seed)
    classes = np.arange(count) % CLASSES
    features = draw.normal(0, 0.3, (count, FRAMES, FEATURES))
    features[np.arange(count), :, classes] += 1.0
    features[:, ::2, 5] += classes[:, None] * 0.5
    return Examples(features.astype(np.float32), classes, np.ones(count))


@pytest.fixture(scope="module", params=HEADS)
def head(request):
    return request.param, fit(request.param, windows(30), streams=[FEATURES], seed=1)


def model_of(head):
    """The head behind an encoder that passes the features of a frame on."""
    inputs = keras.Input((FRAMES, FEATURES, 1, 1))
    rows = keras.layers.TimeDistributed(keras.layers.Flatten())(inputs)
    return keras.Model(inputs, head.connect(keras.layers.TimeDistributed(keras.layers.Activation("linear"))(rows)))


def test_every_head_learns_and_answers_as_the_model_that_is_written(head):
    _, fitted = head
    examples = windows(30, seed=5)
    logits = fitted.logits(examples.features)
    assert (logits.argmax(axis=1) == examples.classes).mean() > 0.9
    written = np.asarray(model_of(fitted)(examples.features[..., None, None]))
    np.testing.assert_allclose(written, softmax(logits.astype(np.float64)), atol=2e-5)


def test_every_head_runs_on_a_stream_as_on_its_window(head):
    name, fitted = head
    model = model_of(fitted)
    parts = split(arrange(model, axes="t,h,w,c").graph)
    assert (parts.step is not None) == (name in ("lstm", "gru", "tcn"))
    window = windows(1, seed=7).features[0]
    import tensorflow as tf

    assert parts.encoder is not None
    features = np.concatenate([np.asarray(parts.encoder.function(frame[None, :, None, None])[0]) for frame in window])
    got = last_answer(parts.head, tf.function(parts.head.function), features)
    np.testing.assert_allclose(got, np.asarray(model(window[None, ..., None, None])), atol=1e-5)


def test_a_temperature_divides_the_logits_before_and_after_assembly(head):
    _, fitted = head
    features = windows(9, seed=2).features
    cooler = fitted.scaled(2.0)
    np.testing.assert_allclose(cooler.logits(features), fitted.logits(features) / 2, atol=1e-5)
    written = np.asarray(model_of(cooler)(features[..., None, None]))
    np.testing.assert_allclose(written, softmax(fitted.logits(features).astype(np.float64) / 2), atol=2e-5)


def test_equal_seeds_give_equal_heads_to_the_last_bit(head):
    name, fitted = head
    again = fit(name, windows(30), streams=[FEATURES], seed=1)
    features = windows(9, seed=2).features
    np.testing.assert_array_equal(again.logits(features), fitted.logits(features))


def test_statistics_in_numpy_are_those_of_the_layer():
    from convert.frameworks.temporal_statistics import TemporalStatistics

    features = rng.normal(size=(4, 7, 5)).astype(np.float32)
    for spread in (True, False):
        layer = TemporalStatistics(spread=spread)
        np.testing.assert_allclose(np.asarray(layer(features)), statistics(features, spread=spread), atol=1e-6)
        assert tuple(layer.compute_output_shape((4, 7, 5))) == statistics(features, spread=spread).shape
        assert TemporalStatistics.from_config(layer.get_config()).spread == spread


@pytest.mark.parametrize("spread", [True, False])
def test_a_head_of_two_streams_is_the_mean_of_the_heads_of_each(spread):
    examples = windows(30)
    parts = [Examples(each, examples.classes, examples.weights) for each in np.split(examples.features, [3], axis=-1)]
    singles = [fit_linear(part, streams=[part.features.shape[-1]], spread=spread) for part in parts]
    both = fit_linear(examples, streams=[3, 5], spread=spread)
    expected = np.mean([head.logits(part.features) for head, part in zip(singles, parts, strict=True)], axis=0)
    np.testing.assert_allclose(both.logits(examples.features), expected, atol=1e-5)


def test_two_classes_have_two_logits():
    examples = windows(30)
    pair = Examples(examples.features, examples.classes % 2, examples.weights)
    logits = fit_linear(pair, streams=[FEATURES], spread=True).logits(pair.features)
    assert logits.shape == (30, 2)
    assert (logits.argmax(axis=1) == pair.classes).mean() > 0.9


def test_a_feature_that_never_moved_in_training_does_not_count():
    examples = windows(30)
    examples.features[..., 6] = 0.0
    head = fit_linear(examples, streams=[FEATURES], spread=False)
    other = examples.features.copy()
    other[..., 6] = 100.0
    np.testing.assert_allclose(head.logits(other), head.logits(examples.features), atol=1e-2)


def test_a_feature_that_moves_in_a_mined_clip_alone_does_not_count():
    """Its spread would be tiny, and its numbers so large that int8 loses all others."""
    examples = windows(30)
    examples.features[..., 6] = 0.0
    examples.features[-1, :, 6] = 1e-3
    mined = np.arange(30) == 29
    head = fit_linear(replace(examples, mined=mined), streams=[FEATURES], spread=False)
    other = examples.features.copy()
    other[..., 6] = 1.0
    np.testing.assert_allclose(head.logits(other), head.logits(examples.features), atol=1e-2)


def test_every_class_and_every_clip_of_it_has_the_same_weight():
    classes = np.array([0, 0, 0, 0, 1, 1])
    clips = np.array([1, 1, 1, 2, 3, 3])
    weights = balanced_weights(classes, clips)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[:4].sum() == pytest.approx(weights[4:].sum())
    assert weights[:3].sum() == pytest.approx(weights[3])


def test_the_temperature_is_what_the_logits_are_too_large_by():
    truth = rng.integers(0, 3, 4000)
    logits = rng.normal(size=(4000, 3))
    chances = softmax(logits)
    truth = np.array([rng.choice(3, p=row) for row in chances])
    found = temperature_of(logits * 3, truth)
    assert found == pytest.approx(3.0, rel=0.15)
    assert log_loss(logits, truth) < log_loss(logits * 3, truth)
