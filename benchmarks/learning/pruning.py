"""What does `edgevid convert --prune` save, and what does it cost? Goal: half of the work, 98 % of the answers.

    python -m benchmarks.learning.pruning MODEL --clips DIR [--shares 0.5 ...] [--interval uniform]

A model is converted as it is, and with each share of its encoder's multiply-accumulates, by the same list of clips:
every third one proves the results, and the others fine-tune. The times of a new frame are measured in turns in one
process, on one thread. A share that breaks the budget of 98 % is an answer too.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from benchmarks.writing.results_file import summary, table, write
from convert import Options, convert_model
from convert.clips import find_clips
from convert.progress import Terminal
from convert.reporting.outcome import NoBundle
from edgevid import bundle
from edgevid.inference.engine import Engine

ROUNDS, FRAMES = 15, 40


def write_list(clips: Path, path: Path) -> Path:
    """Write a list of clips that holds every third one out."""
    refs = find_clips(clips)
    with path.open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(("path", "label", "split"))
        rows.writerows(
            (ref.path.resolve(), ref.label, "test" if place % 3 == 2 else "train") for place, ref in enumerate(refs)
        )
    return path


def convert(model: Path, listing: Path, folder: Path, options: Options) -> dict[str, Any]:
    """Convert once; return the report, with or without a bundle, and the bundle's path."""
    name = "whole" if options.prune is None else f"pruned-{options.prune:g}"
    path = folder / f"{name}.edgevid"
    try:
        return {
            "report": convert_model(model, listing, path, options=options, progress=Terminal()).report,
            "path": path,
        }
    except NoBundle as error:
        sys.stderr.write(f"{error}\n")
        return {"report": error.report, "path": None}


def frame_us(bundles: Mapping[str, Path]) -> dict[str, list[float]]:
    """Return the times of a new frame by bundle, measured in turns."""
    engines = {name: Engine(bundle.read(path)) for name, path in bundles.items()}
    rng, times = np.random.default_rng(0), {name: list[float]() for name in engines}
    for _ in range(ROUNDS):
        for name, engine in engines.items():
            buffer = engine.input_buffer()
            buffer[...] = rng.integers(0, 100, buffer.shape).astype(buffer.dtype)
            for _ in range(FRAMES):
                began_ns = perf_counter_ns()
                engine.step()
                times[name].append((perf_counter_ns() - began_ns) / 1e3)
    # The first round of each warms its caches.
    return {name: each[FRAMES:] for name, each in times.items()}


def row(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one conversion showed."""
    report = made["report"]
    stages = {stage["name"]: stage for stage in report["stages"]}
    return {
        "written": made["path"] is not None,
        "stopped_by": report["stopped_by"] or report["failure"],
        "recipe": report["recipe"],
        "clips": report["clips"],
        "agreement": report["agreement"],
        "agreement_pruned_float": stages.get("pruned float", {}).get("agreement"),
        "pruning": report["pruning"],
        "part_bytes": report["part_bytes"],
    }


def main() -> int:
    """Convert, measure, print a table, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--clips", type=Path, required=True, metavar="DIR")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5], metavar="SHARE")
    parser.add_argument("--interval", default="uniform", help="as of 'edgevid convert' (uniform)")
    parser.add_argument("--epochs", type=int, help="as of 'edgevid convert --prune-epochs'")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        listing = write_list(args.clips, folder / "clips.csv")
        options = Options(interval=args.interval)
        made = {"whole": convert(args.model, listing, folder, options)}
        for share in args.shares:
            chosen = replace(options, prune=share, prune_epochs=args.epochs)
            made[f"{share:g}"] = convert(args.model, listing, folder, chosen)
        times = frame_us({name: each["path"] for name, each in made.items() if each["path"] is not None})
    numbers: dict[str, Any] = {name: row(each) for name, each in made.items()}
    for name, each in times.items():
        numbers[name]["frame_us"] = summary(each, digits=1)
        numbers[name]["time_ratio"] = round(float(np.median(each) / np.median(times["whole"])), 3)
    shown = [
        (name, each["recipe"], each["agreement"], each["agreement_pruned_float"], each.get("time_ratio"))
        for name, each in numbers.items()
    ]
    print(table([("share", "recipe", "agreement", "pruned float", "time"), *shown]))
    facts = {"model": args.model.name, "clips": args.clips.name}
    write("pruning", question=str(__doc__).partition("\n")[0], numbers={**facts, "shares": numbers}, threads=1)
    return 0 if all(each["written"] for each in numbers.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
