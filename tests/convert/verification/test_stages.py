"""The measurements of a stage, and the check that the split is the trained model."""

import numpy as np
import pytest

from convert.verification.stages import ProofStage, check_split, measure
from edgevid.errors import VerificationFailed


def stage(agreement=1.0, accuracy=None, error=0.0):
    return ProofStage(name="x", clips=100, agreement=agreement, max_abs_error=error, accuracy=accuracy)


def test_a_stage_counts_agreement_error_and_accuracy():
    reference = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
    scores = np.array([[0.7, 0.3], [0.6, 0.4], [0.55, 0.45]], np.float32)
    found = measure("x", scores, reference, np.array([0, 0, 1]))
    assert (found.clips, found.agreement, found.accuracy) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found.max_abs_error == pytest.approx(0.4)
    assert measure("x", scores, reference, None).accuracy is None


def test_a_split_that_is_another_model_is_refused_even_when_it_is_nan():
    check_split(stage(error=1e-6))
    for error in (1e-3, float("nan")):
        with pytest.raises(VerificationFailed) as caught:
            check_split(stage(error=error))
        assert caught.value.exit_code == 3


def test_a_model_that_differs_from_itself_by_rounding_lets_its_split_differ_as_much():
    check_split(stage(error=3e-3), rounding=2e-3)
    for error, rounding in ((3e-3, 1e-3), (0.5, 2e-3), (3e-3, float("nan")), (float("nan"), 1.0)):
        with pytest.raises(VerificationFailed, match="a layer was misread"):
            check_split(stage(error=error), rounding=rounding)


def test_a_split_of_an_unstable_model_is_rejected_for_the_model_with_numbers():
    for error, rounding in ((2e-2, 1.0), (0.9, 0.2)):
        with pytest.raises(VerificationFailed, match=f"move its own probabilities by {rounding:.2g} .*by {error:.2g}"):
            check_split(stage(error=error), rounding=rounding)
