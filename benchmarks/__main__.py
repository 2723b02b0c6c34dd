"""Run every benchmark that needs no data of its own, then write the numbers into the pages.

    python -m benchmarks [--lrcn MODEL.h5 --clips DIR] [--weizmann DIR]

Each benchmark is a script whose docstring states its question. The exit code is the worst of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the benchmarks one after the other, and return the worst exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--lrcn", type=Path, metavar="MODEL", help="a trained LRCN, for stream_vs_window.py and conversion.py"
    )
    parser.add_argument("--clips", type=Path, metavar="DIR", help="clips of the LRCN")
    parser.add_argument(
        "--weizmann", type=Path, metavar="DIR", help="the Weizmann clips, for weizmann.py; takes tens of minutes"
    )
    worst = 0
    for job in jobs(parser.parse_args()):
        print(f"== {' '.join(job)}", file=sys.stderr)
        # Continue after a failure: a missed goal is a result too.
        worst = max(worst, abs(subprocess.run([sys.executable, str(HERE / job[0]), *job[1:]], check=False).returncode))
    return worst


def jobs(args: argparse.Namespace) -> list[list[str]]:
    """Return the script and the arguments of each benchmark to run."""
    clips = ["--clips", str(args.clips)]
    has_lrcn = args.lrcn and args.clips
    scripts = [
        ["startup.py"],
        ["frame_cost.py"],
        ["live_age.py"],
        ["motion_gate.py"],
        ["outputs.py"],
        ["soak.py"],
        ["conversion.py", *(["--lrcn", str(args.lrcn), *clips] if has_lrcn else [])],
    ]
    if has_lrcn:
        scripts.append(["stream_vs_window.py", str(args.lrcn), *clips])
    if args.weizmann:
        scripts.append(["weizmann.py", "--data", str(args.weizmann)])
    # Last, because it reads the results of the others.
    return [*scripts, ["pages.py"]]


if __name__ == "__main__":
    sys.exit(main())
