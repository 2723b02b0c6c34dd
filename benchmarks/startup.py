"""What does a start cost? Goals: `import edgevid` under 0.3 s and 40 MB; running with the demo bundle under 80 MB.

    python benchmarks/startup.py [--starts 10] [--bundle FILE]

Every sample is a process of its own. The import is that of the package and of everything that a run needs but for the interpreter; the
start-up of Python itself is measured beside it, and taken off. A run takes 600 frames of the synthetic stream to their events.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from results_file import summary, table, write

IMPORT_GOAL_MS, IMPORT_GOAL_MB, RUN_GOAL_MB = 300, 40, 80
_MB_PER_MIB = 2**20 / 1e6
_IMPORT = """
import sys, time
began = time.perf_counter_ns()
import {modules}
took = time.perf_counter_ns() - began
from edgevid.telemetry.environment import rss_mib
import json
print(json.dumps({{"ms": took / 1e6, "mib": rss_mib(), "heavy": sorted({{"tensorflow", "cv2", "ai_edge_litert"}} & set(sys.modules))}}))
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
    """Run a script in a fresh process and read the JSON that it prints."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=10, help="processes for each line of the table (default: 10)")
    parser.add_argument(
        "--bundle",
        type=Path,
        default=Path(str(resources.files("edgevid") / "data" / "gestures.edgevid")),
        help="default: the demo's",
    )
    args = parser.parse_args()

    from edgevid.inference.startup import measure

    imports = {
        name: [child(_IMPORT.format(modules=modules)) for _ in range(args.starts)] for name, modules in _IMPORTS.items()
    }
    starts = [measure(args.bundle) for _ in range(args.starts)]
    runs = [child(_RUN, str(args.bundle)) for _ in range(args.starts)]
    samples = {
        f"{name} {unit}": [sample[unit] for sample in found]
        for name, found in imports.items()
        for unit in ("ms", "mib")
    }
    samples |= {
        f"start {name}": [getattr(start, name) for start in starts]
        for name in ("import_ms", "load_ms", "first_decision_ms", "rss_mib")
    }
    samples["run peak mib"] = [run["mib"] for run in runs]
    numbers = {name: summary(values, digits=2) for name, values in samples.items()}
    goals = check(numbers)
    path = write(
        "startup",
        question="Time and memory of `import edgevid` (goals 0.3 s, 40 MB), of a start to the first answer, and of a run with the demo bundle (goal 80 MB).",
        numbers={**numbers, "goals_met": goals},
        samples=samples,
        threads=1,
    )
    print(
        table(
            [
                ("", "count", "p50", "p95", "max"),
                *[(name, row["count"], row["p50"], row["p95"], row["max"]) for name, row in numbers.items()],
            ]
        )
    )
    print("\n" + "\n".join(f"{'met' if met else 'MISSED'}: {goal}" for goal, met in goals.items()) + f"\nWrote {path}")
    return 0 if all(goals.values()) else 1


def check(numbers: dict[str, dict[str, float]]) -> dict[str, bool]:
    """Hold the medians against the goals; megabytes are of 10^6 bytes."""
    return {
        f"import edgevid under {IMPORT_GOAL_MS} ms": numbers["import edgevid.pipeline ms"]["p50"] < IMPORT_GOAL_MS,
        f"import edgevid under {IMPORT_GOAL_MB} MB": numbers["import edgevid.pipeline mib"]["p50"] * _MB_PER_MIB
        < IMPORT_GOAL_MB,
        f"run under {RUN_GOAL_MB} MB": numbers["run peak mib"]["p50"] * _MB_PER_MIB < RUN_GOAL_MB,
    }


if __name__ == "__main__":
    raise SystemExit(main())
