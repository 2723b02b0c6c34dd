"""Time a bundle's parts operator by operator, on this machine or on a device.

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

from edgevid.commands.benchmark.elsewhere import add_remote, remote_device
from edgevid.commands.benchmark.session import progress
from edgevid.commands.options import add_bundle, add_threads, positive_int

if TYPE_CHECKING:
    from edgevid.bench.profiling.profile import Profile
    from edgevid.bundle import Bundle

EXAMPLES = """examples:
  edgevid bench profile action.edgevid
  edgevid bench profile action.edgevid --threads 4 --trace frame.json
  edgevid bench profile action.edgevid --on pi@porch -o porch.json"""
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
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.json", help="write the profile as JSON")
    add_remote(parser, needs_output=False)


def run(args: argparse.Namespace) -> int:
    """Profile the bundle.

    Raises:
        UsageError: A file cannot be written there, or there is one round.
        DeployError: The device cannot be reached, or cannot profile.
    """
    from edgevid import atomic, bundle
    from edgevid.bench.profiling.trace import as_trace
    from edgevid.errors import UsageError
    from edgevid.schema import to_json

    if args.rounds < 2:
        raise UsageError(expected="at least 2 rounds", got=args.rounds)
    for path in filter(None, (args.trace, args.output)):
        atomic.check_folder(path, suffix=".json")
    read = bundle.read(args.bundle)
    found = _profiled_there(args) if args.on else _profiled_here(read, args)
    text = json.dumps(to_json(found)) + "\n"
    if args.trace:
        atomic.write(args.trace, [as_trace(found, read.manifest.name).encode()], durable=False)
    if args.output:
        atomic.write(args.output, [text.encode()], durable=False)
    sys.stdout.write(text if args.json else "\n".join(_lines(found)) + "\n")
    return 0


def _profiled_here(bundle: Bundle, args: argparse.Namespace) -> Profile:
    from edgevid.bench.profiling.profile import profile

    with progress() as say:
        return profile(bundle, threads=args.threads, rounds=args.rounds, say=say)


def _profiled_there(args: argparse.Namespace) -> Profile:
    from edgevid.bench.profiling.remote import profile_remotely

    words = ["--threads", str(args.threads), "--rounds", str(args.rounds)]
    return profile_remotely(remote_device(args), args.bundle, words, leave_service=args.leave_service)


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
