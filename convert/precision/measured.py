"""Time the bundles of recipes on the machine that will run them: int8 is not the fastest everywhere.

A Cortex-A53 or A72 has no int8 dot product, and a small head costs as much in float. So where the user names
the machine, the cheapest recipe within the budget is the one that was measured to be.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from convert.precision.search import RecipeTrial
from convert.progress import Progress
from edgevid import bundle as bundles
from edgevid.bench.remote import measure_remotely
from edgevid.bench.result import Result
from edgevid.bundle import Bundle
from edgevid.inference import threads
from edgevid.inference.engine import Engine
from edgevid.updates.remote import Device

HOST = "host"
# Enough to order recipes, and short enough for six of them.
_THERE = ("--min-time", "6", "--processes", "3", "--warm-up", "1", "--starts", "1")


def measure_recipes(
    trials: Sequence[RecipeTrial], where: str, progress: Progress, *, device: Device | None = None
) -> dict[str, float]:
    """Time a frame with each recipe's bundle.

    Args:
        trials: Trials with a bundle.
        where: "host" for this machine, or a host for ssh.
        progress: Told of the times.
        device: The device at `where`; None for one that edgevid set up.

    Returns:
        Milliseconds a frame by the recipe's name. Those of one machine are comparable with each
        other only.

    Raises:
        DeployError: The device cannot be reached, or cannot measure.
    """
    candidates = {trial.recipe.name: trial.bundle for trial in trials if trial.bundle is not None}
    progress.step(f"measuring {len(candidates)} recipes within the budget on {where}")
    ms = _here(candidates) if where == HOST else _there(candidates, device or Device(host=where))
    progress.step(f"  {', '.join(f'{name} {value:.4f} ms a frame' for name, value in ms.items())}")
    return ms


def _here(candidates: Mapping[str, Bundle]) -> dict[str, float]:
    names = list(candidates)
    # In turn, so that a disturbance of the machine meets all of them.
    measured = threads.measure({index: Engine(candidates[name]) for index, name in enumerate(names)})
    return {name: measured[index] for index, name in enumerate(names)}


def _there(candidates: Mapping[str, Bundle], device: Device) -> dict[str, float]:
    ms = {}
    with tempfile.TemporaryDirectory(prefix="edgevid-convert-") as folder:
        for number, (name, bundle) in enumerate(candidates.items()):
            path = Path(folder) / f"recipe{number}.edgevid"
            bundles.write(bundle, path)
            ms[name] = _least_median_ms(measure_remotely(device, path, _THERE, path.with_suffix(".json")))
    return ms


def _least_median_ms(result: Result) -> float:
    # Other programs only add time.
    return min(run.p50_ms for run in result.processes)
