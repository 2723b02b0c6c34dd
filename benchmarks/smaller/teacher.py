"""Does the small encoder learn more from few labels with a teacher, and clips that nobody labelled?

    python -m benchmarks.smaller.teacher [--data DIR] [--epochs N] [--size PX]

Weizmann, ten actions: two subjects are labelled (two clips of each class), two have no labels, and two are held out.
The teacher is EfficientNet-Lite0, pretrained and frozen, with a head that learns from the labelled clips alone. The
small encoder learns from these clips, and then again with the teacher's answers to them and to the clips without
labels. All three answer the same twenty clips, so only a large difference can be seen. The plan was fixed before the
first result: one seed, these subjects.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.writing.results_file import table, write
from convert import Terminal, TrainedModel, TrainOptions, train
from convert.clips import ClipRef, find_clips
from convert.splits.folds import paired_interval
from convert.splits.holdout import grouper
from convert.training.cross_validation import score_of
from edgevid.schema import to_json

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "weizmann"
LABELLED, UNLABELLED, HELD_OUT = ("daria", "denis"), ("eli", "ido"), ("ira", "lena")
INTERVAL_S = 0.08


def write_list(refs: Sequence[ClipRef], path: Path) -> Path:
    """Write a list of the labelled clips, and of those that are held out."""
    with path.open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(("path", "label", "group", "split"))
        rows.writerows(
            (ref.path.resolve(), ref.label, ref.group, "test" if ref.group in HELD_OUT else "train")
            for ref in refs
            if ref.group in (*LABELLED, *HELD_OUT)
        )
    return path


def link_unlabelled(refs: Sequence[ClipRef], folder: Path) -> Path:
    """Make a folder of the clips without labels."""
    folder.mkdir()
    for ref in refs:
        if ref.group in UNLABELLED:
            (folder / ref.path.name).symlink_to(ref.path.resolve())
    return folder


def compared(made: dict[str, TrainedModel]) -> dict[str, Any]:
    """Return the accuracy of each model, and the gain of the taught one over the one from labels alone."""
    answers = {name: trained.evaluation.predictions for name, trained in made.items() if trained.evaluation}
    numbers: dict[str, Any] = {name: to_json(score_of(each)) for name, each in answers.items()}
    right = [
        (alone.answer == alone.truth, taught.answer == taught.truth)
        for alone, taught in zip(answers["alone"], answers["taught"], strict=True)
    ]
    gained, lost = right.count((False, True)), right.count((True, False))
    low, high = paired_interval(gained, lost, len(right))
    return {**numbers, "gain": {"change": (gained - lost) / len(right), "low": low, "high": high}}


def main() -> int:
    """Train all three, print a table, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the Weizmann clips")
    parser.add_argument("--epochs", type=int, default=40, metavar="N", help="of the small encoder (40)")
    parser.add_argument("--size", type=int, default=96, metavar="PX", help="of the teacher's frames (96)")
    args = parser.parse_args()
    refs = find_clips(args.data, group=grouper("subject"))
    small = {"size": (64, 64), "color": "gray", "pool": "columns", "epochs": args.epochs, "patience": args.epochs}
    usual = {"interval": INTERVAL_S, "flip": "all", "seed": 1}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        listing, unlabelled = write_list(refs, folder / "clips.csv"), link_unlabelled(refs, folder / "more")
        plans = {
            "teacher": TrainOptions(encoder=f"efficientnet-lite0@{args.size}", cache=folder / "cache", **usual),
            "alone": TrainOptions(**small, **usual),
            "taught": TrainOptions(teacher=folder / "teacher.keras", unlabelled=unlabelled, **small, **usual),
        }
        made = {
            name: train(listing, folder / f"{name}.keras", options=options, progress=Terminal())
            for name, options in plans.items()
        }
    numbers = compared(made)
    print(table([("model", "accuracy", "low", "high"), *((name, *_shown(numbers[name])) for name in plans)]))
    print(numbers["gain"])
    plan = {"epochs": args.epochs, "teacher_px": args.size, "labelled": LABELLED, "held_out": HELD_OUT, "seed": 1}
    write("teacher", question=str(__doc__).partition("\n")[0], numbers={"plan": plan, **numbers})
    return 0


def _shown(score: dict[str, Any]) -> list[str]:
    return [f"{score[name]:.3f}" for name in ("accuracy", "low", "high")]


if __name__ == "__main__":
    sys.exit(main())
