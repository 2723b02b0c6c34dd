"""The highest rate at which frames are answered in time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from edgevid.bench.measuring.child import run_task
from edgevid.bench.measuring.loop import Task
from edgevid.bench.statistics import share_upper
from edgevid.frames import Array
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_S

# A rate is sustainable if the upper bound of its share of misses is below this: 1 miss in 500 frames is.
MOST_MISSES = 0.01
_TRIES, _TRY_S, _FRAMES, _WARM_UP_S = 7, 2.0, 500, 0.5
# A paced frame wakes a thread and meets a cold cache: far slower than a saturated one where the model is small.
_WIDEST = 32
# A model's interval is at least 2 ms.
_HIGHEST_FPS = 500.0


def sustainable_fps(task: Task, rows: Sequence[Array], *, say: Callable[[str], None]) -> float | None:
    """Search the highest rate with fewer than 1 % misses, by bisection around the saturated rate.

    Args:
        task: How to measure; its rate and minima are replaced.
        rows: Times of a measurement, from which the search starts.
        say: Called with a line of progress.

    Returns:
        The highest rate without too many misses; None if every rate has too many.
    """
    saturated = NS_PER_S / float(np.median(np.concatenate(rows)[:, list(STAGES).index("total")]))
    low, high, best = min(saturated, _HIGHEST_FPS) / _WIDEST, min(saturated * 2, _HIGHEST_FPS), None
    for attempt in range(_TRIES):
        fps = math.sqrt(low * high)
        say(f"rate {attempt + 1} of {_TRIES}: {fps:.1f} frames a second")
        tried = dataclasses.replace(
            task, fps=fps, deadline_s=1 / fps, min_time_s=_TRY_S, min_frames=_FRAMES, warm_up_s=_WARM_UP_S
        )
        report = run_task(tried).report
        if report.due and share_upper(report.misses, report.due) < MOST_MISSES:
            low = best = fps
        else:
            high = fps
    return best
