"""What does it gain to fine-tune the last blocks of an encoder, over leaving it frozen?

    python benchmarks/fine_tuning.py [--data DIR] [--sets NAME ...] [--size PX] [--blocks N] [--windows N]
                                     [--streams NAMES] [--cache DIR]

Folds are those of few_clips.py. In each, the head is chosen and fitted, the number of epochs is found on a share of
the clips that are left, and the last blocks are trained on all of them; the held-out clips take no part. The gain is
that on the same held-out clips, in float. The blocks, learning rate and epochs were fixed before the first run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from few_clips import DATA, SETS
from writing.results_file import table, write

from convert import Terminal, TrainOptions, train
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.training.console import fine_tuning_text
from edgevid.schema import to_json


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Train on one set, and return its accuracies with and without fine-tuning."""
    rule, folds, _ = SETS[name]
    options = TrainOptions(
        encoder=f"efficientnet-lite0@{args.size}",
        streams=args.streams,
        fine_tune=args.blocks,
        windows_per_clip=args.windows,
        group_by=rule,
        folds=folds,
        cache=args.cache,
    )
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trained = train(args.data / name, Path(folder) / "model.keras", options=options, progress=Terminal())
    assert trained.transfer is not None
    assert trained.transfer.fine_tuning is not None
    assert trained.cross_validation is not None
    sys.stderr.write(f"{name}\n{fine_tuning_text(trained.transfer.fine_tuning)}\n")
    return {
        "encoder": trained.transfer.encoder,
        "streams": args.streams,
        "windows_per_clip": args.windows,
        "seconds": round(time.perf_counter() - started),
        "tuned": to_json(trained.cross_validation.score),
        **to_json(trained.transfer.fine_tuning),
        "methods": [fold.method for fold in trained.cross_validation.folds],
    }


def main() -> int:
    """Measure, print a table, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="folder with the sets")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=tuple(SETS), help="sets to measure")
    parser.add_argument("--size", type=int, default=128, metavar="PX", help="size of a frame (128)")
    parser.add_argument("--blocks", type=int, default=2, metavar="N", help="blocks to fine-tune (2)")
    parser.add_argument("--windows", type=int, default=2, metavar="N", help="windows of each clip (2)")
    parser.add_argument("--streams", default="differences", metavar="NAMES", help="what is seen (differences)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder for features")
    args = parser.parse_args()
    import_tensorflow()
    numbers = {name: measure(name, args) for name in args.sets}
    rows = [
        (name, each["frozen"]["accuracy"], each["tuned"]["accuracy"], 100 * each["gain"]["change"])
        for name, each in numbers.items()
    ]
    sys.stdout.write(table([("set", "frozen", "fine-tuned", "gain in points"), *rows]) + "\n")
    write("fine_tuning", question=str(__doc__).partition("\n")[0], numbers=numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
