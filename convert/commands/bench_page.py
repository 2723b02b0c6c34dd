"""Make one page of results of edgevid bench: any number of boards or settings side by side.

Each result is checked first, as by edgevid bench check; its raw samples lie beside it.
The page shows the verdicts, the distribution, the stages, the latency over time with
heat and clock, threads where several were measured, and the rules of validity. It
needs nothing but itself.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  edgevid bench page pi4.json pi5.json -o boards.html
  edgevid bench page threads/*.json -o threads.html"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT", help="a result file, *.json")
    parser.add_argument("-o", "--output", type=Path, metavar="PAGE.html", required=True, help="the page to write")


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        UsageError: A file is missing, or the page cannot be written there.
        ResultInvalid: A result is damaged or edited.
    """
    from convert.bench_page.page import write_bench_page
    from edgevid.atomic import check_folder

    check_folder(args.output, suffix=".html")
    write_bench_page(args.results, args.output)
    sys.stdout.write(f"written: {args.output}\n")
    return 0
