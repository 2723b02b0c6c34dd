"""Does int8 keep the accuracy on people never seen in training?

    python -m benchmarks.learning.weizmann [--data DIR] [--epochs N] [--subjects NAME ...] [--keep DIR]

Ten actions by several people ("Actions as Space-Time Shapes", Weizmann Institute), in files
<action>/<subject>_<action>.avi. Each subject in turn is held out: none of their clips is used for
training, selection or calibration. The answer for a clip is the mean over every window of a stream
of it, for the float model and for the bundle alike. Run, skip, walk and side differ by motion
alone, and so do the two waves.

Goals: float at least 0.75 on average, int8 within a point of it.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.writing.results_file import table, write
from convert import Options, convert_model
from convert.clips import Clip, ClipSet, decode_all, find_clips
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.progress import Terminal
from convert.splits.holdout import grouper
from convert.training.augment import Augmentation
from convert.training.console import epochs_bar
from convert.training.metrics import Evaluation, Scorer, bundle_scorer, evaluate, keras_scorer
from edgevid import bundle
from edgevid.bundle.manifest import Window
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.engine import Engine

if TYPE_CHECKING:
    from convert import Conversion
    from convert.training.fit import FitOptions

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "weizmann"
RECIPES = ("int8", "int8+float")
FLOAT_GOAL, DROP_GOAL_POINTS = 0.75, 1.0


@dataclass(frozen=True)
class Fold:
    """One subject held out.

    Attributes:
        subject: Who.
        floating: The trained model on this subject's clips.
        bundles: The bundle of each recipe on the same.
    """

    subject: str
    floating: Evaluation
    bundles: dict[str, Evaluation]


def options_for(labels: Sequence[str], *, epochs: int) -> FitOptions:
    """The same for every subject; a mirrored action is the same action."""
    from convert.training.fit import FitOptions
    from convert.training.models import ModelOptions

    return FitOptions(
        input=InputSpec(height=64, width=64, channels=1, color="gray"),
        window=Window(frames=16, interval_s=0.08),
        model=ModelOptions(pool="columns"),
        augmentation=Augmentation(flip={label: label for label in labels}),
        epochs=epochs,
        learning_rate=3e-3,
        label_smoothing=0.1,
        val_fraction=0.0,
        seed=1,
    )


def hold_out(subject: str, clips: ClipSet, options: FitOptions, folder: Path) -> Fold:
    """Train without one subject, convert, and measure both on that subject."""
    from convert.loading.load import load
    from convert.training.fit import save, train

    kept = tuple(clip for clip in clips.clips if clip.ref.group != subject)
    held = [clip for clip in clips.clips if clip.ref.group == subject]
    path = folder / f"{subject}.keras"
    if not path.exists():
        with epochs_bar(f"Without {subject}") as on_epoch:
            save(train(ClipSet(kept), options, on_epoch=on_epoch), path)
    labels = tuple(sorted({str(clip.ref.label) for clip in kept}))

    def ask(scorer: Scorer) -> Evaluation:
        return evaluate(scorer, held, labels=labels, window=options.window, views="all")

    floating = ask(keras_scorer(load(path).model, options.input, options.window))
    made = {recipe: convert_fold(kept, folder / subject, recipe).path for recipe in RECIPES}
    return Fold(
        subject, floating, {recipe: ask(bundle_scorer(Engine(bundle.read(path)))) for recipe, path in made.items()}
    )


def convert_fold(kept: Sequence[Clip], stem: Path, recipe: str) -> Conversion:
    """Convert to one recipe, calibrated on the clips of the training set only."""
    listing = stem.with_suffix(".csv")
    with listing.open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(("path", "label"))
        rows.writerows((clip.ref.path.resolve(), clip.ref.label) for clip in kept)
    options = Options(precision=recipe, max_drop=100.0, min_agreement=0.0)
    return convert_model(
        stem.with_suffix(".keras"),
        listing,
        stem.with_name(f"{stem.name}-{recipe}.edgevid"),
        options=options,
        progress=Terminal(),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="the clips (default: beside the repository)"
    )
    parser.add_argument(
        "--epochs", type=int, default=100, metavar="N", help="passes over the training clips (default: 100)"
    )
    parser.add_argument("--subjects", nargs="+", metavar="NAME", help="hold out these only, and write no results")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the models and bundles there, and take the models that are there"
    )
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.stderr.write(
            f"Expected the Weizmann clips, <action>/<subject>_<action>.avi, found no folder at {args.data}. "
            "Name it with --data.\n"
        )
        return 2

    import_tensorflow()
    refs = find_clips(args.data, group=grouper("subject"))
    options = options_for(sorted({str(ref.label) for ref in refs}), epochs=args.epochs)
    clips = decode_all(refs, options.input)
    subjects = args.subjects or sorted({clip.ref.group for clip in clips.clips})
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        folds = [hold_out(subject, clips, options, folder) for subject in subjects]
    print(table(rows(folds)))
    numbers = answer(folds, options)
    print("\n" + "\n".join(f"{'met' if met else 'MISSED'}: {goal}" for goal, met in numbers["goals_met"].items()))
    if args.subjects is None:
        print(f"Wrote {write('weizmann', question=question(), numbers=numbers, threads=1)}")
    return 0 if all(numbers["goals_met"].values()) else 1


def question() -> str:
    return (
        "Accuracy on subjects held out whole, by subject: float (goal at least 0.75 on average; chance is 0.10) "
        "and the bundle with all parts in int8, and with a float head behind the int8 encoder "
        "(goal: within a point of float on average)."
    )


def mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)


def rows(folds: Sequence[Fold]) -> list[Sequence[object]]:
    """The table that is printed."""
    columns = [
        [fold.floating.accuracy for fold in folds],
        *([fold.bundles[recipe].accuracy for fold in folds] for recipe in RECIPES),
    ]
    total = sum(len(fold.floating.predictions) for fold in folds)
    lines = [
        (fold.subject, len(fold.floating.predictions), *(f"{column[place]:.3f}" for column in columns))
        for place, fold in enumerate(folds)
    ]
    return [
        ("held out", "clips", "float", *RECIPES),
        *lines,
        ("mean", total, *(f"{mean(column):.3f}" for column in columns)),
    ]


def answer(folds: Sequence[Fold], options: FitOptions) -> dict[str, Any]:
    """The numbers that are written."""
    floating = mean([fold.floating.accuracy for fold in folds])
    bundles = {recipe: mean([fold.bundles[recipe].accuracy for fold in folds]) for recipe in RECIPES}
    return {
        "accuracy_float": floating,
        "accuracy_bundle": bundles,
        "clips": sum(len(fold.floating.predictions) for fold in folds),
        "subjects": {
            fold.subject: {
                "clips": len(fold.floating.predictions),
                "accuracy_float": round(fold.floating.accuracy, 4),
                "accuracy_bundle": {recipe: round(found.accuracy, 4) for recipe, found in fold.bundles.items()},
                "wrong_float": wrong(fold.floating),
                "wrong_bundle": {recipe: wrong(found) for recipe, found in fold.bundles.items()},
            }
            for fold in folds
        },
        "training": {
            "epochs": options.epochs,
            "windows_per_clip": options.windows_per_clip,
            "learning_rate": options.learning_rate,
            "seed": options.seed,
        },
        "goals_met": {
            f"float at least {FLOAT_GOAL} on average": floating >= FLOAT_GOAL,
            **{
                f"{recipe} within {DROP_GOAL_POINTS} points of float": 100 * (floating - found) <= DROP_GOAL_POINTS
                for recipe, found in bundles.items()
            },
        },
    }


def wrong(evaluation: Evaluation) -> list[str]:
    return [f"{each.path.name} answered {each.answer}" for each in evaluation.predictions if each.answer != each.truth]


if __name__ == "__main__":
    sys.exit(main())
