"""What does a start cost? Goals: import under 0.3 s and 40 MB, a run of the demo bundle under 80 MB.

    python benchmarks/startup.py [--starts 10] [--bundle FILE]

Every sample is a process of its own. The benchmark imports the package, and then everything that a
run needs except the interpreter; the start-up of Python itself does not count. A run takes 600
frames of the synthetic stream and reports their events.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from writing.results_file import MB_PER_MIB, goals_text, summary, table, write

from edgevid import DEMO
from edgevid.inference import startup_cost

IMPORT_GOAL_MS, IMPORT_GOAL_MB, RUN_GOAL_MB = 300, 40, 80
_IMPORT = """
import time
began = time.perf_counter_ns()
import {modules}
took = time.perf_counter_ns() - began
from edgevid.telemetry.environment import rss_mib
import json
print(json.dumps({{"ms": took / 1e6, "mib": rss_mib()}}))
"""
_RUN = """
import json, sys
from edgevid.cli import main
sys.stdout = open("/dev/null", "w")
code = main(["run", sys.argv[1], "--source", "synthetic", "--max-frames", "600", "--json"])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"code": code, "mib": int(peak.split()[1]) / 1024}), file=sys.__stdout__)
"""
_IMPORTS = {"import edgevid": "edgevid", "import edgevid.pipeline": "edgevid.pipeline"}


def child(script: str, *arguments: str) -> dict[str, Any]:
    """Run a script in a new process, and return the JSON object that it prints."""
    process = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return json.loads(process.stdout)


def measure(path: Path, count: int) -> dict[str, list[float]]:
    """Return the samples of imports, starts and runs.

    Args:
        path: The bundle.
        count: Number of samples of each kind.
    """
    samples: dict[str, list[float]] = {}
    for name, modules in _IMPORTS.items():
        imports = [child(_IMPORT.format(modules=modules)) for _ in range(count)]
        samples |= {f"{name} {unit}": [sample[unit] for sample in imports] for unit in ("ms", "mib")}
    starts = [startup_cost.measure(path) for _ in range(count)]
    for name in ("import_ms", "load_ms", "first_decision_ms", "rss_mib"):
        samples[f"start {name}"] = [getattr(start, name) for start in starts]
    samples["run peak mib"] = [child(_RUN, str(path))["mib"] for _ in range(count)]
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=10, help="number of processes of each kind (default: 10)")
    parser.add_argument("--bundle", type=Path, default=DEMO, help="the bundle to run (default: that of the demo)")
    args = parser.parse_args()
    samples = measure(args.bundle, args.starts)
    numbers = {name: summary(values, digits=2) for name, values in samples.items()}
    goals = check(numbers)
    path = write(
        "startup",
        question="Time and memory of `import edgevid` (goals 0.3 s, 40 MB), of a start to the first answer, and of a "
        "run with the demo bundle (goal 80 MB).",
        numbers={**numbers, "goals_met": goals},
        samples=samples,
        threads=1,
    )
    rows = [(name, row["count"], row["p50"], row["p95"], row["max"]) for name, row in numbers.items()]
    print(table([("", "count", "p50", "p95", "max"), *rows]))
    print(f"\n{goals_text(goals)}\nWrote {path}")
    return 0 if all(goals.values()) else 1


def check(numbers: dict[str, dict[str, float]]) -> dict[str, bool]:
    """Compare the medians with the goals."""
    import_mb = numbers["import edgevid.pipeline mib"]["p50"] * MB_PER_MIB
    return {
        f"import edgevid under {IMPORT_GOAL_MS} ms": numbers["import edgevid.pipeline ms"]["p50"] < IMPORT_GOAL_MS,
        f"import edgevid under {IMPORT_GOAL_MB} MB": import_mb < IMPORT_GOAL_MB,
        f"run under {RUN_GOAL_MB} MB": numbers["run peak mib"]["p50"] * MB_PER_MIB < RUN_GOAL_MB,
    }


if __name__ == "__main__":
    raise SystemExit(main())
