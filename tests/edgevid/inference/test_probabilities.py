"""Probabilities from the last part's numbers."""

import numpy as np
import pytest

from edgevid.inference.probabilities import softmax, stored_to_probabilities, to_probabilities
from edgevid.quant import QuantParams, dequantize

GRIDS = [
    *(QuantParams("int8", scale, zero_point) for scale in (0.001, 0.1, 0.3, 0.4, 5.0) for zero_point in (-128, 0, 127)),
    QuantParams("uint8", 0.1, 128),
    QuantParams("int16", 1e-3, 0),
    QuantParams("float32"),
]


def stored_for(params, count):
    if params.is_float:
        return np.linspace(-9, 9, count, dtype=np.float32)
    low, high = params.limits
    return np.linspace(low, high, count).astype(params.dtype)


@pytest.mark.parametrize("params", GRIDS, ids=lambda params: f"{params.dtype} {params.scale:g} {params.zero_point}")
@pytest.mark.parametrize("kind", ["softmax", "logits", "sigmoid", "sigmoid_logits"])
@pytest.mark.parametrize("count", [1, 2, 7, 600])
def test_answers_are_the_probabilities_of_the_real_numbers(params, kind, count):
    stored = stored_for(params, count)
    actual = stored_to_probabilities(params, kind)(stored)
    expected = to_probabilities(kind)(dequantize(stored, params))
    assert len(actual) == len(expected)
    np.testing.assert_allclose(actual, expected, rtol=3e-6, atol=1e-37)


def test_answers_are_new_lists():
    answer = stored_to_probabilities(QuantParams("int8", 0.1, 0), "logits")
    first = answer(np.array([1, 2], np.int8))
    copy = list(first)
    answer(np.array([90, -90], np.int8))
    assert first == copy


def test_all_logits_at_the_bottom_of_the_grid_are_still_probabilities():
    params = QuantParams("int8", 0.3, 0)
    actual = stored_to_probabilities(params, "logits")(np.full(5, -128, np.int8))
    np.testing.assert_allclose(actual, 0.2, rtol=1e-6)


def test_the_softmax_of_large_logits_does_not_overflow():
    assert softmax(np.array([1e4, 0.0], np.float32)).tolist() == [1.0, 0.0]
