"""Measure variants of a bundle's run in turn: threads, delegate, frame size, rate.

The processes of all variants are interleaved in random order, so that a disturbance
of the machine affects all of them. Each variant is compared with the first one. With
--output, each result has a file of its own, which edgevid bench page reads.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevid.commands.benchmark.bench_options import BENCH_OPTIONS, bench_options, passed_on, rate
from edgevid.commands.benchmark.elsewhere import add_remote, remote_device
from edgevid.commands.benchmark.session import command_line, progress
from edgevid.commands.engine_options import add_engine
from edgevid.commands.options import add_bundle, add_options, positive_int, size_px
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from edgevid.bench.measuring.options import BenchOptions
    from edgevid.bench.result import Result

EXAMPLES = """examples:
  edgevid bench sweep action.edgevid --over threads=1..4 -o threads/
  edgevid bench sweep action.edgevid --over size=320x240,640x480 --over threads=1,2 -o sizes/
  edgevid bench sweep action.edgevid --over delegate=xnnpack,coral -o delegates/
  edgevid bench sweep action.edgevid --over threads=1..4 --on pi@porch -o threads/"""
_MOST_VARIANTS = 24


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_engine(parser)
    add_options(parser, BENCH_OPTIONS)
    parser.add_argument(
        "--over",
        action="append",
        required=True,
        type=_axis,
        metavar="NAME=VALUES",
        help="threads, delegate, size or fps with its values, as in threads=1..4 or size=320x240,640x480; "
        "several make all combinations",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder for the results, created if missing")
    add_remote(parser)


def run(args: argparse.Namespace) -> int:
    """Measure the variants and print a table.

    Raises:
        UsageError: There are too many variants, or the folder cannot be used.
    """
    names = _names(args.over)
    if args.output:
        _make_folder(args.output)
    results = _measured_there(args, names) if args.on else _measured_here(args, names)
    sys.stdout.write(_table(results) + "\n")
    return 0


def _measured_here(args: argparse.Namespace, names: list[str]) -> dict[str, Result]:
    from edgevid import bundle
    from edgevid.bench import files
    from edgevid.bench.measuring.measure import measure_each
    from edgevid.bench.measuring.options import Subject

    read = bundle.read(args.bundle)
    base = bench_options(args, read)
    _check_axes(base, args.over, has_pictures=read.manifest.input.kind != "features")
    with progress() as say:
        measured = measure_each(
            [Subject(path=args.bundle, options=options) for options in _variants(base, args.over)],
            command=command_line(sys.argv[1:]),
            say=say,
        )
    if args.output:
        for name, each in zip(names, measured, strict=True):
            files.write(each.result, each.samples, args.output / f"{_file_name(name)}.json")
    return {name: each.result for name, each in zip(names, measured, strict=True)}


def _measured_there(args: argparse.Namespace, names: list[str]) -> dict[str, Result]:
    from edgevid import bundle
    from edgevid.bench.remote import sweep_remotely

    if not args.output:
        raise UsageError(expected="--output with --on", found="none", hint="Name a folder for the device's results.")
    bundle.read(args.bundle)
    axes = [word for name, values in args.over for word in ("--over", f"{name}={','.join(map(_shown, values))}")]
    found = sweep_remotely(
        remote_device(args),
        args.bundle,
        [*passed_on(args), *axes],
        [_file_name(name) for name in names],
        args.output,
        leave_service=args.leave_service,
    )
    return {name: found[_file_name(name)] for name in names}


def _file_name(name: str) -> str:
    return name.replace(" ", "_").replace("/", "-")


def _check_axes(base: BenchOptions, axes: list[tuple[str, tuple[Any, ...]]], *, has_pictures: bool) -> None:
    """Reject axes that would change nothing."""
    names = {name for name, _ in axes}
    if base.scenario == "start":
        raise UsageError(expected="a scenario with answers to sweep over", got=base.scenario)
    if "size" in names and not has_pictures:
        raise UsageError(expected="a model of pictures to sweep over size", found="a model of features")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(expected=f"a folder for the results at {path}", found=str(error.strerror)) from error


def _axis(text: str) -> tuple[str, tuple[Any, ...]]:
    name, equals, values = text.partition("=")
    if name not in _READERS or not equals or not values:
        raise argparse.ArgumentTypeError(f"Expected threads, delegate, size or fps with values, got {text!r}.")
    first, dots, last = values.partition("..")
    if name == "threads" and dots:
        return name, tuple(range(positive_int(first), positive_int(last) + 1))
    try:
        return name, tuple(_READERS[name](each) for each in values.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"Expected numbers in {text!r}, got {error}.") from error


_READERS: dict[str, Any] = {"threads": positive_int, "delegate": str, "size": size_px, "fps": rate}


def _combinations(axes: list[tuple[str, tuple[Any, ...]]]) -> list[dict[str, Any]]:
    keys = [name for name, _ in axes]
    return [dict(zip(keys, values, strict=True)) for values in itertools.product(*(values for _, values in axes))]


def _names(axes: list[tuple[str, tuple[Any, ...]]]) -> list[str]:
    """Return the name of each variant."""
    names = [" ".join(f"{key}={_shown(value)}" for key, value in each.items()) for each in _combinations(axes)]
    if not 2 <= len(set(names)) <= _MOST_VARIANTS:
        raise UsageError(expected=f"2 to {_MOST_VARIANTS} variants", got=len(set(names)), hint="See --over.")
    return list(dict.fromkeys(names))


def _variants(base: BenchOptions, axes: list[tuple[str, tuple[Any, ...]]]) -> list[BenchOptions]:
    """Return the options of each variant, in the order of the names."""
    return list(dict.fromkeys(dataclasses.replace(base, **chosen) for chosen in _combinations(axes)))


def _shown(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _table(results: dict[str, Result]) -> str:
    from edgevid.bench.compare import word
    from edgevid.bench.statistics import shift
    from edgevid.bench.verdict import verdict
    from edgevid.tables import table

    first = [run.p50_ms for run in next(iter(results.values())).processes]
    rows: list[tuple[object, ...]] = [("variant", "p50 ms", "p95 ms", "cores used", "ratio to the first", "verdict")]
    for name, result in results.items():
        if not result.stages:
            # An overloaded variant has no answers.
            rows.append((name, None, None, None, None, verdict(result)))
            continue
        medians = [run.p50_ms for run in result.processes]
        found = shift(first, medians) if all(first) and medians != first else None
        compared = f"{found.ratio:.3f} {word(found)}" if found else None
        cpu = sum(run.cpu_s for run in result.processes) / sum(run.took_s for run in result.processes)
        total = result.stages["total"].percentiles
        rows.append((name, total["p50"].value, total["p95"].value, round(cpu, 2), compared, verdict(result)))
    return table(rows)
