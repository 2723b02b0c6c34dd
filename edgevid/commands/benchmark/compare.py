"""Compare two results of edgevid bench.

The command prints the ratio of the medians with its 95 % interval, and one word:
faster, slower, "same within 1 %", or "cannot tell". The interval is over processes:
it is as wide as the processes of one result differ.

Both results must be valid and of one machine and scenario. They may differ in one
thing: the bundle, the threads, the delegate, the interpreter, edgevid, Python, numpy
or the frame size.

The exit code is 3 if the new result is slower by more than the tolerance.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.errors import VerificationFailed
from edgevid.telemetry.telemetry import STAGES

if TYPE_CHECKING:
    from edgevid.bench.compare import Comparison

EXAMPLES = """examples:
  edgevid bench compare old.json new.json
  edgevid bench compare old.json new.json --tolerance 5
  edgevid bench compare pi4.json pi5.json --across --stage encode"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("old", type=Path, metavar="OLD", help="the first result")
    parser.add_argument("new", type=Path, metavar="NEW", help="the second result")
    parser.add_argument("--stage", choices=tuple(STAGES), default="total", help="what to compare (default: total)")
    parser.add_argument(
        "--tolerance",
        type=_percent,
        default=1.0,
        metavar="PERCENT",
        help="how much slower the new one may be (default: 1)",
    )
    parser.add_argument(
        "--across", action="store_true", help="compare different machines, or results that differ in several things"
    )
    parser.add_argument("--even-invalid", action="store_true", help="compare invalid results too")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare the results.

    Raises:
        VerificationFailed: The new one is slower by more than the tolerance.
    """
    from edgevid.bench.check import check
    from edgevid.bench.compare import compare
    from edgevid.bench.files import read_samples
    from edgevid.schema import to_json

    old, new = check(args.old), check(args.new)
    found = compare(
        old,
        new,
        read_samples(old, args.old),
        read_samples(new, args.new),
        stage=args.stage,
        across=args.across,
        even_invalid=args.even_invalid,
    )
    sys.stdout.write((json.dumps(to_json(found)) if args.json else _sentence(found)) + "\n")
    sys.stdout.flush()
    if found.word == "slower" and found.shift.ratio > 1 + args.tolerance / 100:
        raise VerificationFailed(
            expected=f"{args.new.name} to be at most {args.tolerance:g} % slower",
            found=f"{found.shift.ratio - 1:.1%} slower",
        )
    return 0


def _sentence(found: Comparison) -> str:
    shift = found.shift
    between = "no interval" if shift.low is None else f"{shift.low - 1:+.1%} to {(shift.high or 0) - 1:+.1%}"
    differing = f"differing: {found.factor}" if found.factor else "nothing differs"
    session = (
        "" if found.is_one_session else "; two sessions may differ by themselves, edgevid bench sweep measures in turn"
    )
    return (
        f"{found.word}: {found.stage} {shift.ratio - 1:+.1%} (95 % interval {between}, Mann-Whitney p {shift.p:.2g}), "
        f"from {len(found.old_ms)} and {len(found.new_ms)} processes; {differing}{session}"
    )


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"Expected a percentage from 0 to 1000, got {text!r}.")
    return value
