"""Result files of the benchmarks, with the environment of the measurement, and their tables.

    from writing.results_file import summary, write
    write("frame_cost", question="...", numbers={...}, samples={"outside_us": [...]})

The files are in `benchmarks/results` and are written atomically.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevid import atomic
from edgevid.schema import to_json
from edgevid.telemetry.environment import machine, versions

RESULTS = Path(__file__).resolve().parents[1] / "results"
# The goals are stated in megabytes, while edgevid measures MiB.
MB_PER_MIB = 2**20 / 1e6


def environment(*, threads: int | None = None) -> dict[str, Any]:
    """Describe the machine, the software and the commit.

    Args:
        threads: Number of interpreter threads; None if it does not matter.

    Returns:
        A JSON object.
    """
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(),
        "machine": to_json(machine()),
        "versions": versions(),
        "threads": threads,
        "load_1min": round(os.getloadavg()[0], 2),
    }


def summary(samples: Sequence[float], *, digits: int = 4) -> dict[str, float]:
    """Summarise the samples of one quantity.

    Args:
        samples: At least one sample, in any unit.
        digits: Number of decimals.

    Returns:
        count, p50, p95, p99, min and max.
    """
    p50, p95, p99 = np.percentile(samples, [50, 95, 99])
    numbers = {"p50": p50, "p95": p95, "p99": p99, "min": min(samples), "max": max(samples)}
    return {"count": len(samples), **{name: round(float(value), digits) for name, value in numbers.items()}}


def write(
    name: str,
    *,
    question: str,
    numbers: Mapping[str, Any],
    samples: Mapping[str, Sequence[float]] | None = None,
    threads: int | None = None,
    folder: Path = RESULTS,
) -> Path:
    """Write the result of one benchmark.

    Args:
        name: File name without its suffix.
        question: The question of the benchmark in one sentence, with the goal.
        numbers: The answer. Names contain units.
        samples: The raw samples, by name.
        threads: Number of interpreter threads; None if it does not matter.
        folder: Folder of the file; created if it is missing.

    Returns:
        The path of the file.
    """
    content = {
        "benchmark": name,
        "question": question,
        "environment": environment(threads=threads),
        "numbers": to_json(numbers),
        "samples": {key: [round(float(value), 4) for value in values] for key, values in (samples or {}).items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    atomic.write(path, [f"{json.dumps(content, indent=1)}\n".encode()], durable=False)
    return path


def table(rows: Sequence[Sequence[object]]) -> str:
    """Format rows as a table of Markdown, for a page.

    Args:
        rows: Rows of equal length; the first one is the heading.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def goals_text(goals: Mapping[str, bool]) -> str:
    """List goals, one per line, with whether they are met."""
    return "\n".join(f"{'met' if is_met else 'MISSED'}: {goal}" for goal, is_met in goals.items())


def _commit() -> str:
    """Return the commit, with "+" if the code differs from it; "unknown" outside a repository."""
    try:
        git = ["git", "-C", str(RESULTS.parent)]
        commit = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no", "--", ":/edgevid", ":/convert"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")
