"""Mix-up of windows, and how it, label smoothing and balance reach the training."""

import numpy as np
import pytest

pytest.importorskip("keras")

from convert.training.options import TrainOptions
from convert.transfer.head_fitting.heads import HeadTraining, fit
from convert.transfer.head_fitting.mixed_batches import MixedBatches
from edgevid.errors import UsageError
from edgevid.inference.probabilities import softmax
from tests.convert.transfer.test_heads import FEATURES, windows

pytestmark = pytest.mark.tf
COUNT = 10


def batches(alpha=0.2, seed=0):
    numbers = np.arange(COUNT, dtype=np.float32)
    features = np.broadcast_to(numbers[:, None, None], (COUNT, 4, 2))
    return MixedBatches(features, np.eye(COUNT, dtype=np.float32), numbers + 1, alpha=alpha, batch=4, seed=seed)


def all_of(made):
    return [np.concatenate(each) for each in zip(*(made[index] for index in range(len(made))), strict=True)]


def test_features_targets_and_weights_are_mixed_with_the_same_shares():
    features, targets, weights = all_of(batches())
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(features[:, 0, 0], targets @ np.arange(COUNT), atol=1e-5)
    np.testing.assert_allclose(weights, targets @ (np.arange(COUNT) + 1), atol=1e-5)
    assert (features == features[:, :1, :1]).all()


def test_every_window_is_the_larger_share_once_an_epoch():
    _, targets, _ = all_of(batches())
    assert sorted(targets.argmax(axis=1)) == list(range(COUNT))
    assert targets.max(axis=1).min() >= 0.5
    # With a large parameter, both shares are near a half.
    _, even, _ = all_of(batches(alpha=1000.0))
    assert np.sort(even.max(axis=1))[1] < 0.6


def test_equal_seeds_give_equal_batches_and_epochs_differ():
    first, second = batches(), batches()
    one = all_of(first)
    assert all((a == b).all() for a, b in zip(one, all_of(second), strict=True))
    first.on_epoch_end()
    assert not (all_of(first)[0] == one[0]).all()
    assert not (all_of(batches(seed=1))[0] == one[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "training", [HeadTraining(mix_up=1.0, label_smoothing=0.0), HeadTraining(every_frame=False, label_smoothing=0.6)]
)
def test_a_head_still_learns_and_is_less_sure(training):
    examples, unseen = windows(30), windows(30, seed=5)

    def answers(how):
        return softmax(fit("gru", examples, streams=[FEATURES], seed=1, training=how).logits(unseen.features))

    usual = answers(HeadTraining(every_frame=training.every_frame, label_smoothing=0.0))
    found = answers(training)
    assert (found.argmax(axis=1) == unseen.classes).mean() > 0.9
    assert found.max(axis=1).mean() < usual.max(axis=1).mean() - 0.02


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label_smoothing": 1.0}, "a label smoothing of 0 to below 1"),
        ({"mix_up": -0.1, "encoder": "efficientnet-lite0", "head": "gru"}, "mix-up of 0 or more"),
        ({"mix_up": 0.2, "encoder": "efficientnet-lite0"}, "a head with epochs with --mix-up, got 'auto'"),
        ({"label_smoothing": 0.1, "encoder": "efficientnet-lite0", "head": "stats"}, "got 'stats'"),
        ({"mix_up": 0.2}, "no --mix-up with --encoder small"),
        ({"balance": "classes", "encoder": "efficientnet-lite0"}, "no --balance with --encoder efficientnet-lite0"),
    ],
)
def test_an_option_without_effect_is_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        TrainOptions(**changes).for_kind("frames")
