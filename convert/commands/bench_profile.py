"""Time a bundle's parts operator by operator, on this machine.

Growing prefixes of each part are timed in turn, and their differences are the
operators. Nothing is fused across a cut, so the sum may be more than the whole part;
both are printed. The first operator's time has the interpreter's own with it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import add_bundle, add_threads, positive_int

if TYPE_CHECKING:
    from convert.profiling.profile import Profile

EXAMPLES = """examples:
  edgevid bench profile action.edgevid
  edgevid bench profile action.edgevid --threads 4 --trace frame.json"""
_ROUNDS = 15


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_threads(parser)
    parser.add_argument(
        "--rounds",
        type=positive_int,
        default=_ROUNDS,
        metavar="N",
        help=f"turns of all prefixes, over which the intervals are (default: {_ROUNDS})",
    )
    parser.add_argument("--trace", type=Path, metavar="FILE.json", help="write a trace that ui.perfetto.dev opens")
    parser.add_argument("--json", action="store_true", help="print the profile as JSON")


def run(args: argparse.Namespace) -> int:
    """Profile the bundle.

    Raises:
        UsageError: The trace cannot be written there, or there is one round.
    """
    from convert import Terminal
    from convert.profiling.profile import profile
    from convert.profiling.trace import as_trace
    from edgevid import atomic, bundle
    from edgevid.errors import UsageError
    from edgevid.schema import to_json

    if args.rounds < 2:
        raise UsageError(expected="at least 2 rounds", got=args.rounds)
    if args.trace:
        atomic.check_folder(args.trace, suffix=".json")
    read = bundle.read(args.bundle)
    found = profile(read, threads=args.threads, rounds=args.rounds, progress=Terminal())
    if args.trace:
        atomic.write(args.trace, [as_trace(found, read.manifest.name).encode()], durable=False)
    sys.stdout.write((json.dumps(to_json(found)) if args.json else "\n".join(_lines(found))) + "\n")
    return 0


def _lines(found: Profile) -> Iterator[str]:
    from edgevid.tables import table

    yield f"{found.interpreter}, threads: {found.threads}"
    for role, whole_ms in found.whole_ms.items():
        operators = [each for each in found.operators if each.role == role]
        total_ms = sum(each.ms.value for each in operators)
        yield ""
        yield f"{role}: {whole_ms:.4f} ms whole, {total_ms:.4f} ms as the sum of {len(operators)} operators"
        rows: list[tuple[object, ...]] = [("#", "operator", "ms", "95 % interval", "share", "output")]
        for each in sorted(operators, key=lambda operator: -operator.ms.value):
            interval = f"{each.ms.low or 0:.4f} to {each.ms.high or 0:.4f}"
            share = f"{each.ms.value / total_ms:.1%}" if total_ms else "-"
            rows.append((each.place, each.kind, f"{each.ms.value:.4f}", interval, share, each.output[-60:]))
        yield table(rows, indent="  ")
