"""Measure a bundle on this machine: latency per stage, memory and start-up time.

Frames of random pixels go through the whole loop as fast as it takes them.
They are ready in memory, so decoding is not measured. Start-up is measured in
fresh processes, on the CPU.

The lines above the table name the conditions: bundle, interpreter, threads,
board, clock and system. Compare two measurements only where those are equal.
Temperature, clock and throttling are read before, during and after; a warning
follows if the board was throttled.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevid.commands.engine_options import add_engine, open_engine
from edgevid.commands.options import add_bundle, positive_int, size_px

if TYPE_CHECKING:
    from edgevid.inference.engine import Engine
    from edgevid.inference.startup_cost import Startup
    from edgevid.telemetry.environment import Machine
    from edgevid.telemetry.telemetry import Telemetry

EXAMPLES = """examples:
  edgevid bench action.edgevid
  edgevid bench action.edgevid --threads auto --size 640x480 --frames 2000
  edgevid bench action.edgevid --delegate coral
  edgevid bench action.edgevid --json > bench.json"""
_WARM_UP_FRAMES = 50
# Tests read a planted board instead.
BOARD_ROOT = Path("/")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_engine(parser)
    parser.add_argument(
        "--frames",
        type=positive_int,
        default=500,
        metavar="N",
        help="number of frames to measure, after a warm-up (default: 500)",
    )
    parser.add_argument(
        "--size",
        type=size_px,
        metavar="WxH",
        help="size of the source's frames (default: the model's size, which needs no resize)",
    )
    parser.add_argument(
        "--starts",
        type=positive_int,
        default=3,
        metavar="N",
        help="number of fresh processes to measure start-up in (default: 3)",
    )
    parser.add_argument("--json", action="store_true", help="print the measurement as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure the bundle and print the results."""
    from edgevid import bundle
    from edgevid.board import BoardSampler
    from edgevid.inference.startup_cost import measure

    engine = open_engine(bundle.read(args.bundle), args)
    starts = [measure(args.bundle, threads=engine.threads) for _ in range(args.starts)]
    with BoardSampler(BOARD_ROOT) as board:
        telemetry = drive(engine, frames=args.frames, size=args.size)
    result = {**_result(args.bundle, engine, telemetry, starts, size=args.size), "board": board.history.as_json()}
    lines = [*_lines(result, telemetry), "", board.history.as_text()]
    sys.stdout.write((json.dumps(result, indent=1) if args.json else "\n".join(lines)) + "\n")
    return 0


def drive(engine: Engine, *, frames: int, size: tuple[int, int] | None = None) -> Telemetry:
    """Run frames through the pipeline as fast as it takes them.

    Args:
        engine: The engine to measure.
        frames: Number of frames to measure, after a warm-up that fills the window.
        size: (width, height) of the source's frames in pixels; the model's where None.

    Returns:
        Telemetry of the measured frames.
    """
    from edgevid.capture.noise import NoiseSource
    from edgevid.pipeline import Pipeline

    manifest = engine.bundle.manifest
    # The first run fills caches and the window; its pipeline, with its telemetry, is dropped.
    Pipeline(engine, NoiseSource(manifest, count=manifest.window.frames + _WARM_UP_FRAMES, size=size)).run()
    return Pipeline(engine, NoiseSource(manifest, count=manifest.window.frames - 1 + frames, size=size)).run()


def _result(
    path: Path, engine: Engine, telemetry: Telemetry, starts: list[Startup], *, size: tuple[int, int] | None
) -> dict[str, Any]:
    from edgevid.schema import to_json
    from edgevid.telemetry.environment import machine, versions

    manifest = engine.bundle.manifest
    return {
        "bundle": path.name,
        "plan": manifest.plan,
        "precision": {part.role: part.precision for part in manifest.parts},
        "input": list(manifest.input.shape),
        "source_size": list(size) if size else None,
        "window": manifest.window.frames,
        "threads": engine.threads,
        "interpreter": engine.interpreter,
        "machine": to_json(machine()),
        "versions": versions(),
        "startup": [to_json(start) for start in starts],
        **telemetry.as_json(),
    }


def _lines(result: dict[str, Any], telemetry: Telemetry) -> Iterator[str]:
    from edgevid.tables import table
    from edgevid.telemetry.environment import Machine

    precision = ", ".join(f"{role} {kind}" for role, kind in result["precision"].items())
    source = "x".join(map(str, result["source_size"])) if result["source_size"] else "the model's size"
    shape, versions = "x".join(map(str, result["input"])), result["versions"]
    yield (
        f"{result['bundle']}: plan {result['plan']!r}, {precision}, window {result['window']}, "
        f"input {shape} from {source}"
    )
    yield (
        f"{result['interpreter']}, threads: {result['threads']}, Python {versions['python']}, numpy {versions['numpy']}"
    )
    yield from _machine_lines(Machine(**result["machine"]))
    yield ""
    yield telemetry.as_table()
    yield ""
    yield "start-up in a fresh process"
    starts = result["startup"]
    yield table(
        [
            ("import ms", "load ms", "first decision ms", "RSS imported MiB", "RSS running MiB"),
            *[tuple(start.values()) for start in starts],
        ],
        indent="  ",
    )


def _machine_lines(machine: Machine) -> Iterator[str]:
    clock = f"{machine.clock_mhz} MHz, governor {machine.governor}" if machine.clock_mhz else "unknown clock"
    processor = f"{machine.cpu or 'unknown processor'}, {machine.arch}, {machine.cores} cores"
    yield f"{machine.board or 'unknown board'}; {processor}, {clock}, {machine.ram_mib} MiB"
    yield f"{machine.os}, kernel {machine.kernel}"
