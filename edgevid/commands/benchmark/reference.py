"""Measure the reference suite: five fixed bundles and a stream with truth, alike on every board.

The suite takes about half an hour. It measures each bundle saturated and at its own rate,
with the bundles' processes interleaved in random order. Then it plays ten minutes of
rendered gestures to one of them and counts hits, misses and false alarms. The file holds
all results with their raw samples, so that anyone can check it: send it in to have the
board listed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.benchmark.session import command_line, progress
from edgevid.commands.options import add_threads
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from edgevid.bench.reference.archive import Contents

EXAMPLES = """examples:
  edgevid bench reference -o pi4.zip
  edgevid bench reference --short -o trial.zip
  edgevid bench reference --check pi4.zip"""
# Tests read a planted board instead.
BOARD_ROOT = Path("/")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_threads(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("-o", "--output", type=Path, metavar="FILE.zip", help="file to write")
    where.add_argument("--check", type=Path, metavar="FILE.zip", help="check a file and show it; measure nothing")
    parser.add_argument(
        "--bundles", type=Path, metavar="DIR", help="folder of the bundles (default: the installed package)"
    )
    parser.add_argument(
        "--short", action="store_true", help="try the suite out in two minutes; the figures say nothing"
    )


def run(args: argparse.Namespace) -> int:
    """Measure the suite, or check a file of it.

    Raises:
        UsageError: The output exists, or cannot be written.
    """
    from edgevid.bench.reference import archive
    from edgevid.bench.reference.report import report

    contents = archive.read(args.check) if args.check else _measured(args)
    sys.stdout.write(report(contents) + "\n")
    return 0


def _measured(args: argparse.Namespace) -> Contents:
    from edgevid import atomic
    from edgevid.bench.reference import archive
    from edgevid.bench.reference.suite import FULL, SHORT, run_suite
    from edgevid.bench.reference.workloads import find_bundles, installed_folder

    atomic.check_folder(args.output, suffix=archive.SUFFIX)
    if args.output.exists():
        raise UsageError(
            expected="a new file", found=f"{args.output}, which exists", hint="Name another file.", path=args.output
        )
    bundles = find_bundles(args.bundles or installed_folder())
    with progress() as say:
        suite, measured = run_suite(
            bundles,
            amounts=SHORT if args.short else FULL,
            threads=args.threads,
            command=command_line(sys.argv[1:]),
            root=BOARD_ROOT,
            say=say,
        )
    return archive.write(suite, measured, args.output)
