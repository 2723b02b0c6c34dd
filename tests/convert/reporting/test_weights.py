"""Pruned and clustered models, before and after conversion."""

import numpy as np
import pytest

from convert.reporting.weights import PartWeights, TrainedWeights, part_weights, sparsity_note, trained_weights
from tests.models.keras_models import cnn_rnn

pytestmark = pytest.mark.tf


def pruned(share=0.8):
    """A model in which the smallest weights of each kernel are zero."""
    model = cnn_rnn("lstm")
    weights = []
    for weight in model.get_weights():
        limit = np.quantile(np.abs(weight), share) if weight.ndim > 1 else 0
        weights.append(np.where(np.abs(weight) >= limit, weight, 0))
    model.set_weights(weights)
    return model


def test_a_pruned_model_keeps_its_zeros_and_packs_smaller(workshop):
    trained = trained_weights(pruned())
    assert trained.zeros == pytest.approx(0.8, abs=0.02)
    dense, sparse = (
        part_weights(workshop.bundle(name, make))
        for name, make in (("lstm", lambda: cnn_rnn("lstm")), ("pruned", pruned))
    )
    assert sum(part.zeros * part.kernels for part in sparse) / sum(part.kernels for part in sparse) > 0.78
    assert sum(part.gzip_bytes for part in sparse) < sum(part.gzip_bytes for part in dense)
    assert "keeps them" in sparsity_note(trained, sparse)


def test_a_clustered_model_is_told_by_its_few_values():
    class Model:
        def get_weights(self):
            rng = np.random.default_rng(1)
            return [rng.choice([-0.5, 0.1, 0.25, 1.0], (64, 64)), rng.normal(0, 1, 64), rng.normal(0, 1, (4, 4))]

    assert trained_weights(Model()).clusters == 4
    assert trained_weights(cnn_rnn("lstm")).clusters == 0


def test_a_conversion_that_lost_the_zeros_says_so():
    parts = [PartWeights(part="head", bytes=9, gzip_bytes=9, kernels=100, zeros=0.1)]
    assert "does not keep them (10%)" in sparsity_note(TrainedWeights(kernels=100, zeros=0.8, clusters=0), parts)
    assert sparsity_note(TrainedWeights(kernels=100, zeros=0.01, clusters=0), parts) == ""
