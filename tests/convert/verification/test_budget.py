"""The budget of a conversion: agreement, accuracy, and the single clip that is forgiven."""

import dataclasses

import pytest

from convert.verification.budget import Budget
from convert.verification.stages import ProofStage


def stage(agreement=1.0, accuracy=None, error=0.0):
    return ProofStage(name="x", clips=100, agreement=agreement, max_abs_error=error, accuracy=accuracy)


@pytest.mark.parametrize(
    ("agreement", "before", "after", "broken"),
    [
        (1.0, None, None, ""),
        (0.98, None, None, ""),
        (0.979, None, None, "agreement"),
        (1.0, 0.80, 0.79, ""),
        (1.0, 0.80, 0.78, "accuracy drops by 2.0 points"),
        (0.99, 0.80, 0.85, ""),
        (0.90, 0.80, 0.85, "agreement"),
    ],
)
def test_the_budget_bounds_agreement_and_accuracy(agreement, before, after, broken):
    reason = Budget(max_drop=1.0, min_agreement=0.98).broken(stage(accuracy=before), stage(agreement, after))
    assert reason.startswith(broken)
    assert bool(reason) == bool(broken)


def test_a_single_clip_lost_is_forgiven_unless_nothing_may_be_lost():
    few = [dataclasses.replace(stage(agreement=0.98, accuracy=accuracy), clips=50) for accuracy in (0.80, 0.78, 0.76)]
    assert Budget(max_drop=1.0, min_agreement=0.98).broken(few[0], few[1]) == ""
    assert Budget(max_drop=1.0, min_agreement=0.98).broken(few[0], few[2]).startswith("accuracy drops by 4.0")
    assert Budget(max_drop=0.0, min_agreement=0.98).broken(few[0], few[1]).startswith("accuracy drops by 2.0")
