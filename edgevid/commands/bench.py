"""Measure a bundle on this machine: latency per stage, memory and start-up, with all that the numbers depend on beside them.

Frames of random pixels, ready in memory, go through the whole loop as fast as it takes them; decoding is not part of it.
Temperature, clock and throttling of the board are read before, during and after: a board that was throttled says so.
Start-up is measured in fresh processes, on the CPU. Compare two numbers only when the lines above the table are the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevid.commands.engine_options import add_engine, open_engine
from edgevid.commands.options import add_bundle, positive, size_px

if TYPE_CHECKING:
    from edgevid.inference.engine import Engine
    from edgevid.inference.startup import Startup
    from edgevid.telemetry.environment import Machine
    from edgevid.telemetry.telemetry import Telemetry

EXAMPLES = """examples:
  edgevid bench action.edgevid
  edgevid bench action.edgevid --threads auto --size 640x480 --frames 2000
  edgevid bench action.edgevid --delegate coral
  edgevid bench action.edgevid --json > bench.json"""
_WARM_UP_FRAMES = 50
BOARD_ROOT = Path("/")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_engine(parser)
    parser.add_argument(
        "--frames", type=positive, default=500, metavar="N", help="frames to measure, after a warm-up (default: 500)"
    )
    parser.add_argument(
        "--size",
        type=size_px,
        metavar="WxH",
        help="size of the source's frames (default: the model's own, which needs no resize)",
    )
    parser.add_argument(
        "--starts", type=positive, default=3, metavar="N", help="fresh processes to measure start-up in (default: 3)"
    )
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure and print.

    Args:
        args: Parsed options.

    Returns:
        0.
    """
    from edgevid import bundle
    from edgevid.board import BoardSampler
    from edgevid.inference.startup import measure

    engine = open_engine(bundle.read(args.bundle), args)
    starts = [measure(args.bundle, threads=engine.threads) for _ in range(args.starts)]
    with BoardSampler(BOARD_ROOT) as board:
        telemetry = drive(engine, frames=args.frames, size=args.size)
    result = {**_result(args.bundle, engine, telemetry, starts, size=args.size), "board": board.history.as_json()}
    lines = [*_lines(result, telemetry), "", board.history.as_text()]
    sys.stdout.write((json.dumps(result, indent=1) if args.json else "\n".join(lines)) + "\n")
    return 0


def drive(engine: Engine, *, frames: int, size: tuple[int, int] | None = None) -> Telemetry:
    """Put frames through the pipeline as fast as it takes them.

    Args:
        engine: To be measured.
        frames: Frames measured, after a warm-up that fills the window.
        size: (width, height) of the source's frames in pixels; the model's own where None.

    Returns:
        The telemetry of the measured frames.
    """
    from edgevid.capture.noise import NoiseSource
    from edgevid.pipeline import Pipeline

    manifest = engine.bundle.manifest
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
    source = "x".join(map(str, result["source_size"])) if result["source_size"] else "the model's own size"
    yield f"{result['bundle']}: plan {result['plan']!r}, {precision}, window {result['window']}, input {'x'.join(map(str, result['input']))} from {source}"
    yield f"{result['interpreter']}, threads: {result['threads']}, Python {result['versions']['python']}, numpy {result['versions']['numpy']}"
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
    clock = f"{machine.clock_mhz} MHz, governor {machine.governor}" if machine.clock_mhz else "clock not told"
    yield f"{machine.board or 'no board model'}; {machine.cpu or 'unnamed processor'}, {machine.arch}, {machine.cores} cores, {clock}, {machine.ram_mib} MiB"
    yield f"{machine.os}, kernel {machine.kernel}"
