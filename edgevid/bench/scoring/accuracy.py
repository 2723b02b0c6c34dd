"""Accuracy of a bundle on labelled clips, by the engine that is benchmarked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from edgevid.bench.figures import Accuracy
from edgevid.bench.fresh_process import run_module
from edgevid.bench.scoring.clips_worker import ClipsReport, ClipsTask
from edgevid.bench.scoring.labelled_clips import LabelledClip
from edgevid.bench.statistics import share_interval

# A clip of a minute on the slowest board.
_LIMIT_S_PER_CLIP = 120.0


def measure_accuracy(path: Path, clips: Sequence[LabelledClip], *, threads: int, delegate: str) -> Accuracy:
    """Classify clips in a fresh process.

    Args:
        path: The bundle.
        clips: At least one.
        threads: Interpreter threads.
        delegate: As for `--delegate`.

    Raises:
        EdgevidError: A clip cannot be read, or the process failed.
    """
    task = ClipsTask(
        bundle=str(path),
        threads=threads,
        delegate=delegate,
        clips=tuple((clip.path, clip.label) for clip in clips),
    )
    text = json.dumps(dataclasses.asdict(task))
    found = run_module("edgevid.bench.scoring.clips_worker", text, limit_s=_LIMIT_S_PER_CLIP * len(clips))
    return accuracy(ClipsReport(**found), count=len(clips))


def accuracy(report: ClipsReport, *, count: int) -> Accuracy:
    """Return the figures of a report."""
    low, high = share_interval(report.correct, count)
    return Accuracy(
        clips=count,
        correct=report.correct,
        top1=round(report.correct / count, 6),
        low=round(low, 6),
        high=round(high, 6),
        bundle_sha256=report.sha256,
        interpreter=report.interpreter,
        threads=report.threads,
    )
