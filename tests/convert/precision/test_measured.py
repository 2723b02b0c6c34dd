"""The fastest recipe within the budget, by time on the machine that will run it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgevid
from convert.precision.recipes import NAMES, candidates
from convert.progress import Silent
from convert.verification.budget import Budget
from edgevid.updates.remote import Device
from tests.convert.precision.test_search import job
from tests.servers.sshd import ssh_config

__all__ = ["job", "ssh_config"]
pytestmark = pytest.mark.tf
PACKAGE = Path(edgevid.__file__).parent
PROGRAM = f"PYTHONPATH={PACKAGE.parent} {sys.executable} -P -m edgevid.cli"


@pytest.fixture(scope="module")
def search(job):
    """A search that went on after the first recipe within the budget."""
    from convert.precision.builder import Builder
    from convert.precision.search import Search, try_recipes

    made, examples = job
    builder = Builder(made)
    budget = Budget(max_drop=100, min_agreement=0.0)
    trials = try_recipes(builder, candidates("auto", parts=2), examples, budget, Silent(), every=True)
    return Search(tuple(trials), builder)


@pytest.mark.slow
def test_every_recipe_is_tried_where_times_decide(search) -> None:
    assert [trial.recipe.name for trial in search.trials] == list(NAMES)
    assert search.failure == ""
    # Without times the order decides, as ever.
    assert search.best_trial.recipe.name == "int8"


def test_the_fastest_within_the_budget_is_taken_and_a_rejected_one_never(search) -> None:
    times = dict(zip(NAMES, (3.0, 2.0, 4.0, 5.0, 1.0, 6.0), strict=True))
    assert replace(search, measured_ms=times).best_trial.recipe.name == "float16"
    rejected = tuple(
        replace(trial, failure="too far off" if trial.recipe.name == "float16" else "") for trial in search.trials
    )
    assert replace(search, trials=rejected, measured_ms=times).best_trial.recipe.name == "int8+float"


def test_this_machine_times_each_recipe(search) -> None:
    from convert.precision.measured import measure_recipes

    ms = measure_recipes(search.trials, "host", Silent())
    assert list(ms) == list(NAMES)
    assert all(0 < value < 1000 for value in ms.values())


@pytest.mark.slow
def test_a_device_times_each_recipe_over_ssh(search, ssh_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from convert.precision import measured

    short = ("--min-time", "0.3", "--processes", "1", "--warm-up", "0.1", "--starts", "1", "--min-frames", "20")
    monkeypatch.setattr(measured, "_THERE", short)
    device = Device(host="pi", program=PROGRAM, ssh_config=ssh_config)
    ms = measured.measure_recipes(search.trials[:2], "pi", Silent(), device=device)
    assert list(ms) == ["int8", "int8+float"]
    assert np.all(np.array(list(ms.values())) > 0)
