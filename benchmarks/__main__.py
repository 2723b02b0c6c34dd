"""Run every benchmark that needs no data of its own, then write the numbers into the pages.

    python -m benchmarks [--fast] [--lrcn MODEL.h5 --clips DIR] [--weizmann DIR]

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
    parser.add_argument("--fast", action="store_true", help="start, frame and peers alone, in minutes; writes no page")
    worst = 0
    for job in jobs(parser.parse_args()):
        print(f"== {' '.join(job)}", file=sys.stderr)
        # Continue after a failure: a missed goal is a result too.
        worst = max(worst, abs(subprocess.run([sys.executable, *job], check=False, cwd=HERE.parent).returncode))
    return worst


def jobs(args: argparse.Namespace) -> list[list[str]]:
    """Return what Python gets for each benchmark to run.

    Args:
        args: With `fast`, the result files are written from fewer samples, and the pages are left alone.
    """
    peers = ["-m", "benchmarks.peers"]
    if args.fast:
        return [_script("startup.py"), _script("frame_cost.py", "--frames", "300", "--rounds", "3"), [*peers, "--fast"]]
    given = args.lrcn and args.clips
    clips = ["--clips", str(args.clips and args.clips.resolve())]
    lrcn = str(args.lrcn and args.lrcn.resolve())
    jobs = [
        *map(_script, ("startup.py", "frame_cost.py", "live_age.py", "motion_gate.py", "outputs.py", "soak.py")),
        _script("conversion.py", *(["--lrcn", lrcn, *clips] if given else [])),
        ["-m", "benchmarks.trust"],
        [*peers, "--growth", "build/peers/growth.svg", *(["--trained", lrcn, *clips] if given else [])],
    ]
    if given:
        jobs.append(_script("stream_vs_window.py", lrcn, *clips))
    if args.weizmann:
        jobs.append(_script("weizmann.py", "--data", str(args.weizmann.resolve())))
    # Last, because it reads the results of the others.
    return [*jobs, _script("pages.py")]


def _script(name: str, *arguments: str) -> list[str]:
    return [str(HERE / name), *arguments]


if __name__ == "__main__":
    sys.exit(main())
