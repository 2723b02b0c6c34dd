"""Measure a bundle on this machine: latency, real time, memory, start-up and energy.

The first line of the output is the verdict: a summary, or INVALID with the reason.
Fresh processes measure the bundle, and each passes the self-test first. Meanwhile
heat, clocks, throttling and other programs are sampled once a second. Percentiles
have a 95 % interval; one that has too few samples is marked with ≥.

The exit code is 0 for a measurement. It is 3 if --strict is given and a rule of
validity fails, or if a --floor is exceeded.

Other commands: edgevid bench compare, edgevid bench check, edgevid bench sweep,
edgevid bench page.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.benchmark.bench_options import BENCH_OPTIONS, Floor, bench_options, floor, passed_on
from edgevid.commands.benchmark.elsewhere import add_remote, remote_device
from edgevid.commands.benchmark.session import check_output, command_line, progress
from edgevid.commands.engine_options import add_engine
from edgevid.commands.options import add_bundle, add_options
from edgevid.errors import UsageError, VerificationFailed

if TYPE_CHECKING:
    from edgevid.bench.result import Result

EXAMPLES = """examples:
  edgevid bench action.edgevid -o pi4.json
  edgevid bench action.edgevid --scenario paced --find-rate
  edgevid bench action.edgevid --scenario replay --source street.mp4 --threads auto
  edgevid bench action.edgevid --scenario soak --min-time 3600 --heat-first 300
  edgevid bench action.edgevid --power pmic --scenario paced
  edgevid bench action.edgevid --strict --floor p95=33ms
  edgevid bench action.edgevid --on pi@porch -o porch.json
  edgevid bench compare old.json new.json"""
# Tests read a planted board instead.
BOARD_ROOT = Path("/")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_engine(parser)
    add_options(parser, BENCH_OPTIONS)
    parser.add_argument(
        "--floor",
        type=floor,
        action="append",
        default=[],
        metavar="P=MS",
        help="exit with 3 unless a percentile is below a limit with 99 %% confidence, such as p95=33ms; repeatable",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 3 if a rule of validity fails")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write the result, *.json, and its raw samples beside it, *.npz",
    )
    add_remote(parser)


def run(args: argparse.Namespace) -> int:
    """Measure the bundle and print the result.

    Raises:
        VerificationFailed: A rule fails with `--strict`, or a floor is exceeded.
    """
    from edgevid.bench import files, text

    result = _measured_there(args) if args.on else _measured_here(args)
    sys.stdout.write(files.as_text(result) if args.json else text.report(result) + "\n")
    sys.stdout.flush()
    _note_keypoints(args)
    _check(result, args)
    return 0


def _note_keypoints(args: argparse.Namespace) -> None:
    """Print what the times leave out: rows come from noise or a file, and no network finds them."""
    from edgevid import bundle

    if bundle.read(args.bundle).manifest.keypoints is not None:
        sys.stderr.write(
            "Note: the times are those of the model over rows, without the networks that find key points in "
            "pictures. The table at the end of edgevid run has them.\n"
        )


def _measured_here(args: argparse.Namespace) -> Result:
    from edgevid import bundle
    from edgevid.bench import files
    from edgevid.bench.measuring.measure import measure

    if args.output:
        check_output(args.output)
    options = bench_options(args, bundle.read(args.bundle))
    with progress() as say:
        found = measure(args.bundle, options, command=command_line(sys.argv[1:]), root=BOARD_ROOT, say=say)
    return files.write(found.result, found.samples, args.output) if args.output else found.result


def _measured_there(args: argparse.Namespace) -> Result:
    from edgevid import bundle
    from edgevid.bench.remote import measure_remotely

    if not args.output:
        raise UsageError(expected="--output with --on", found="none", hint="Name the file for the device's result.")
    check_output(args.output)
    bundle.read(args.bundle)
    return measure_remotely(
        remote_device(args), args.bundle, passed_on(args), args.output, leave_service=args.leave_service
    )


def _check(result: Result, args: argparse.Namespace) -> None:
    for each in args.floor:
        _check_floor(result, each)
    failed = result.validity.failed
    if args.strict and failed:
        raise VerificationFailed(
            expected="a valid measurement",
            found=f"failed rules: {', '.join(each.id for each in failed)}",
            hint=failed[0].do,
        )


def _check_floor(result: Result, wanted: Floor) -> None:
    """Reject a percentile whose upper bound is above its limit."""
    stage = "age" if result.realtime else "total"
    limit = f"{wanted.percentile} of {stage} below {wanted.limit_ms:g} ms"
    if stage not in result.stages:
        raise VerificationFailed(expected=limit, found="a measurement of starts alone")
    estimate = result.stages[stage].percentiles[wanted.percentile]
    bound = estimate.bound_99 if estimate.bound_99 is not None else estimate.high
    if bound is None:
        raise VerificationFailed(
            expected=limit,
            found=f"too few samples to tell: {result.stages[stage].n_effective:.0f} independent ones",
            hint="Measure more: --min-frames.",
        )
    if bound > wanted.limit_ms:
        raise VerificationFailed(
            expected=limit, found=f"{estimate.value:.3f} ms, with an upper bound of {bound:.3f} ms"
        )
