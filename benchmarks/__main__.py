"""Measure everything that can be measured with what is here, then write the numbers into the pages.

    python -m benchmarks [--lrcn MODEL.h5 --clips DIR] [--weizmann DIR]

Each benchmark is a program of its own and says in its first lines what it asks; this runs them one after the other and fails where one did.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run them in turn; give the worst exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--lrcn", type=Path, metavar="MODEL", help="a trained LRCN, for stream_vs_window.py and conversion.py"
    )
    parser.add_argument("--clips", type=Path, metavar="DIR", help="its clips")
    parser.add_argument(
        "--weizmann", type=Path, metavar="DIR", help="the Weizmann clips, for weizmann.py; takes tens of minutes"
    )
    args = parser.parse_args()
    own = ["--lrcn", str(args.lrcn), "--clips", str(args.clips)] if args.lrcn and args.clips else []
    jobs = [
        ["startup.py"],
        ["frame_cost.py"],
        ["live_age.py"],
        ["motion_gate.py"],
        ["outputs.py"],
        ["soak.py"],
        ["conversion.py", *own],
    ]
    if args.lrcn and args.clips:
        jobs.append(["stream_vs_window.py", str(args.lrcn), "--clips", str(args.clips)])
    if args.weizmann:
        jobs.append(["weizmann.py", "--data", str(args.weizmann)])
    worst = 0
    for job in [*jobs, ["pages.py"]]:
        print(f"== {' '.join(job)}", file=sys.stderr)
        # A goal that is missed is a result too: the others are measured all the same.
        worst = max(worst, abs(subprocess.run([sys.executable, str(HERE / job[0]), *job[1:]], check=False).returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main())
