"""Do a task of a benchmark in a fresh process."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevid.bench.files import RAW_STEP_NS
from edgevid.bench.fresh_process import run_module
from edgevid.bench.measuring.loop import Task
from edgevid.bench.measuring.worker import Report
from edgevid.frames import Array

# A process that says nothing for so much longer than it should measure has hung.
_PATIENCE_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """The report of one process, and the stored times of its answers, (N, stages) int64 in ns."""

    report: Report
    rows: Array


def run_task(task: Task) -> Run:
    """Do a task in a fresh process.

    Args:
        task: Its `samples` is replaced.

    Raises:
        EdgevidError: The process failed, with its own message.
    """
    with tempfile.TemporaryDirectory(prefix="edgevid-bench-") as folder:
        samples = Path(folder) / "samples.npz"
        text = json.dumps(dataclasses.asdict(dataclasses.replace(task, samples=str(samples))))
        limit_s = task.warm_up_s + task.min_time_s + _patience_s(task)
        data = run_module("edgevid.bench.measuring.worker", text, limit_s=limit_s)
        rows = np.load(samples)["rows"]
        # In the steps of a result's file, so that its figures can be computed again from it.
        return Run(report=Report(**data), rows=np.where(rows < 0, rows, rows // RAW_STEP_NS * RAW_STEP_NS))


def _patience_s(task: Task) -> float:
    return _PATIENCE_S + 2 * task.min_frames * (1 / task.fps if task.fps else task.deadline_s or 0)
