"""How do boards compare on the reference suite?

    python -m benchmarks.boards [FILE.zip ...]

Checks files of `edgevid bench reference`, by default those in `benchmarks/boards`, and writes their table for the page.
A file that does not agree with itself stops the program. Boards that are emulated, virtual or measured too little are
marked, and so are invalid results: they are listed below the others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.writing.results_file import RESULTS, write
from edgevid.bench.reference import archive
from edgevid.bench.reference.archive import Contents
from edgevid.bench.reference.report import suite_verdict
from edgevid.bench.reference.workloads import WORKLOADS
from edgevid.bench.verdict import milliseconds, percentile_text
from edgevid.errors import EdgevidError

HERE = Path(__file__).resolve().parent
_NONE = "No board has been measured with the suite yet."


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the files and write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.boards", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.zip", help=f"default: {HERE.name}/*.zip")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="folder of the results file")
    args = parser.parse_args(arguments)
    try:
        boards = {path.name: archive.read(path) for path in args.files or sorted(HERE.glob("*.zip"))}
    except EdgevidError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    numbers = {"page": page(boards), "files": sorted(boards)}
    question = (__doc__ or "").splitlines()[0]
    path = write("boards", question=question, numbers=numbers, samples={}, folder=args.results)
    print(f"{numbers['page']}\n\nWrote {path}")
    return 0


def page(boards: dict[str, Contents]) -> str:
    """Return the table of boards in Markdown, the valid ones first, the fastest first.

    Args:
        boards: The checked files by name.
    """
    if not boards:
        return _NONE
    heading = ["board", *(workload.name for workload in WORKLOADS), "stream: hits", "false alarms", "delay", "verdict"]
    ordered = sorted(boards.values(), key=lambda each: (not suite_verdict(each).startswith("valid"), _speed(each)))
    rows = [heading, ["---"] * len(heading), *map(_row, ordered)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notes = [f"- `{workload.name}`: {workload.title}" for workload in WORKLOADS]
    return "\n".join(["Median time of a saturated answer.", "", *lines, "", *notes])


def _speed(contents: Contents) -> float:
    return sum(contents.results[f"{each.name}-saturate"].stages["total"].percentiles["p50"].value for each in WORKLOADS)


def _row(contents: Contents) -> list[str]:
    machine = next(iter(contents.results.values())).machine
    stream = contents.suite.stream
    times = [
        percentile_text(contents.results[f"{each.name}-saturate"].stages["total"].percentiles["p50"])
        for each in WORKLOADS
    ]
    name = machine.board or machine.cpu or "unknown"
    emulated = " (emulated)" if machine.is_emulated else ""
    delay = "–" if stream.delay_p50_s is None else milliseconds(1e3 * stream.delay_p50_s)
    return [
        f"{name}{emulated}", *times, f"{stream.hits} of {stream.moments}", str(stream.false_alarms), delay,
        suite_verdict(contents),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
