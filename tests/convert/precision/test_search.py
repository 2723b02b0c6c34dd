"""The search takes the cheapest precision within the budget, and none if no precision keeps it."""

import dataclasses

import numpy as np
import pytest

from convert.precision.recipes import NAMES, candidates
from convert.progress import Silent
from convert.verification.budget import Budget
from edgevid.errors import UsageError
from tests.models.conversions import Workshop
from tests.models.keras_models import FRAMES, cnn_rnn


def run_search(builder, examples, budget):
    from convert.precision.search import Search, try_recipes

    trials = try_recipes(builder, candidates("auto", parts=2), examples, budget, Silent())
    return Search(tuple(trials), builder)


def test_recipes_come_cheapest_first_and_unknown_ones_are_refused():
    assert [recipe.name for recipe in candidates("auto", parts=2)] == list(NAMES)
    assert [recipe.name for recipe in candidates("auto", parts=2, light_head=True)][:2] == ["int8+float", "int8"]
    assert [recipe.name for recipe in candidates("int8", parts=2, light_head=True)] == ["int8"]
    assert [recipe.name for recipe in candidates("auto", parts=1)] == ["int8", "float16", "float32"]
    assert [recipe.name for recipe in candidates("int8+float", parts=2)] == ["int8+float"]
    assert [recipe.name for recipe in candidates("int8+16x8 head", parts=2)] == ["int8+int16x8"]
    assert {recipe.encoder for recipe in candidates("auto", parts=2, int8_first=True)} == {"int8"}
    with pytest.raises(UsageError, match="int8 encoder for the Edge TPU"):
        candidates("float32", parts=2, int8_first=True)
    for name, parts in (("int4", 2), ("int8+float", 1), ("int8+float head", 1)):
        with pytest.raises(UsageError, match="Expected a precision"):
            candidates(name, parts=parts)


@pytest.fixture(scope="module")
def job(workshop):
    """A job, and examples for it."""
    from convert.verification.examples import Examples
    from convert.verification.reference import Reference

    made = workshop.job(model := cnn_rnn("lstm"))
    windows = np.stack([Workshop.frames(made.contract.input, FRAMES, seed) for seed in range(50, 80)])
    reference = Reference(model, made.parts, made.contract.input, "softmax")
    return made, Examples(windows, reference.scores(windows), None)


@pytest.mark.tf
def test_the_first_recipe_within_the_budget_is_taken(job):
    from convert.precision.builder import Builder

    made, examples = job
    found = run_search(Builder(made), examples, Budget(max_drop=100, min_agreement=0.0))
    trials = found.trials
    assert found.failure == ""
    assert [trial.recipe.name for trial in trials] == ["int8"]
    assert trials[0].stream is not None
    assert trials[0].stream.max_abs_error < 0.1
    golden = trials[0].bundle.golden
    assert golden.engine.startswith(("ai-edge-litert", "tflite-runtime"))
    assert np.abs(golden.scores - golden.float_scores).max() <= 1.0


@pytest.mark.tf
def test_precision_rises_until_the_answers_are_near_enough(job, monkeypatch):
    from convert.precision.builder import Builder

    made, examples = job
    # A budget on the probabilities: int8 breaks it for every model, a float head behind an int8 encoder for most.
    monkeypatch.setattr(
        Budget, "broken", lambda _self, _reference, found: "" if found.max_abs_error < 1e-5 else "too far off"
    )
    found = run_search(Builder(made), examples, Budget(max_drop=1, min_agreement=0.98))
    trials = found.trials
    assert found.best_trial is trials[-1]
    assert [trial.recipe.name for trial in trials] == list(NAMES)
    errors = {trial.recipe.name: trial.stream.max_abs_error for trial in trials if trial.stream}
    assert set(NAMES) - set(errors) == {"int8+int16x8"}, "a recipe that is coarser than a rejected one is skipped"
    assert errors["float32"] < errors["float16"] < errors["int8"]


@pytest.mark.tf
def test_where_no_precision_keeps_the_budget_each_is_named_with_its_reason(job):
    from convert.precision.builder import Builder

    made, examples = job
    wrong = dataclasses.replace(examples, scores=np.roll(examples.scores, 1, axis=1))
    found = run_search(Builder(made), wrong, Budget(max_drop=1, min_agreement=0.98))
    assert all(f"{name}: agreement" in found.failure for name in NAMES if name != "int8+int16x8")
    assert "int8+int16x8: skipped: the more precise recipe int8+float already failed" in found.failure
    assert found.best_trial.stream.agreement == max(trial.stream.agreement for trial in found.trials if trial.stream)
