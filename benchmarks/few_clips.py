"""What do few clips teach, by encoder, streams and head?

    python benchmarks/few_clips.py [--data DIR] [--sets NAME ...] [--sizes PX ...] [--heads NAME ...]
                                   [--clips N ...] [--cache DIR]

Each set of clips is answered by folds of whole groups: for Weizmann's ten actions one subject after
the other, for fights five folds of runs of ten file numbers, because neighbouring numbers show the
same scene. The row "auto" chooses streams and head inside of each fold; it is the result. The other
rows show what there was to choose from, and choosing the best of them afterwards would be cheating.
With `--clips 5`, each fold is fitted to five clips of each class, in the order of their names.

Goals: Weizmann at least 0.95 and fights at least 0.78, by "auto", float and int8.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from writing.results_file import table, write

from convert.clips import find_clips
from convert.encoders.frame_encoder import open_encoder, parse_encoder
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.progress import Terminal
from convert.splits.folds import GROUPS, Folds
from convert.splits.holdout import grouper
from convert.training.augment import Augmentation
from convert.training.cross_validation import CrossValidation, Score
from convert.transfer.cache import FeatureCache, default_folder
from convert.transfer.candidates import candidates
from convert.transfer.feature_bank import FeatureBank
from convert.transfer.head_fitting.heads import HeadTraining
from convert.transfer.learn import cross_validate, encode
from convert.transfer.learn_options import LearnOptions
from edgevid.bundle.manifest import Window
from edgevid.schema import to_json

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# Rule for groups and folds of each set, and the accuracy that is wanted.
SETS: dict[str, tuple[str, Folds, float]] = {
    "weizmann": ("subject", GROUPS, 0.95),
    "fight112": (r"^(\D+\d+)\d\.", 5, 0.78),
}
STREAMS = ("frames", "differences", "frames,differences")
AUTO = ("auto", "auto")


def run(
    name: str, size_px: int, heads: Sequence[str], clips: Sequence[int | None], folder: Path, cache: FeatureCache
) -> list[dict[str, Any]]:
    """Measure one set with one size of frame: a row for each head, streams and number of clips."""
    rule, folds, _ = SETS[name]
    refs = find_clips(folder, group=grouper(rule))
    encoder = open_encoder(parse_encoder(f"efficientnet-lite0@{size_px}"), resize="stretch")
    options = LearnOptions(
        encoder=encoder,
        window=Window(frames=16, interval_s=0.1),
        augmentation=Augmentation(),
        windows_per_clip=4,
        candidates=candidates(*AUTO),
        folds=folds,
        training=HeadTraining(),
        seed=0,
    )
    started = time.perf_counter()
    encoded = encode(refs, options, cache=cache, progress=Terminal())
    encode_s = time.perf_counter() - started
    facts = {"set": name, "encoder": encoder.name, "cosine": encoded.cosine, "encoded": encoded.encoded}
    choices = [AUTO, *((streams, head) for head in heads for streams in STREAMS)]
    return [
        facts | {"encode_s": encode_s} | _row(encoded.bank, options, choice, count)
        for choice in choices
        for count in (clips if choice == AUTO else (None,))
    ]


def _row(bank: FeatureBank, options: LearnOptions, choice: tuple[str, str], clips: int | None) -> dict[str, Any]:
    started = time.perf_counter()
    chosen = replace(options, candidates=candidates(*choice))
    measured = cross_validate(bank, chosen, progress=Terminal(), clips_per_class=clips)
    row = {
        "streams": choice[0],
        "head": choice[1],
        "clips_per_class": clips,
        "fold_s": time.perf_counter() - started,
        **_scores(measured),
    }
    sys.stderr.write(f"{row['streams']} + {row['head']}, {clips or 'all'} clips: {measured.score.accuracy:.3f}\n")
    return row


def _scores(measured: CrossValidation) -> dict[str, Any]:
    return {
        "float": to_json(measured.score),
        "int8": None if measured.int8 is None else to_json(measured.int8),
        "worst_groups": {name: to_json(score) for name, score in list(measured.groups.items())[:3]},
        "methods": [fold.method for fold in measured.folds],
    }


def by_name(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the rows by set and size of frame, as in "weizmann_224", and within by head, streams and clips."""
    named: dict[str, dict[str, Any]] = {}
    for row in rows:
        size = row["encoder"].partition("@")[2]
        streams = "auto" if row["streams"] == "auto" else f"{row['streams'].replace(',', '_and_')}_{row['head']}"
        clips = "" if row["clips_per_class"] is None else f"_{row['clips_per_class']}_clips"
        named.setdefault(f"{row['set']}_{size}", {})[f"{streams}{clips}"] = row
    return named


def _text(score: dict[str, Any]) -> str:
    shown = Score(**score)
    return f"{shown.accuracy:.3f} [{shown.low:.2f}, {shown.high:.2f}]"


def _count(text: str) -> int | None:
    return None if text == "all" else int(text)


def main() -> int:
    """Measure, print a table, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="folder with the sets")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=tuple(SETS), help="sets to measure")
    parser.add_argument("--sizes", nargs="+", type=int, default=(224,), metavar="PX", help="sizes of a frame (224)")
    parser.add_argument("--heads", nargs="+", default=("mean", "stats"), metavar="NAME", help="heads of the other rows")
    parser.add_argument(
        "--clips", nargs="+", type=_count, default=(None, 5), metavar="N", help="clips a class for 'auto' (all 5)"
    )
    parser.add_argument("--cache", type=Path, default=default_folder(), metavar="DIR", help="folder for features")
    args = parser.parse_args()
    import_tensorflow()
    cache = FeatureCache(args.cache)
    rows = [
        row
        for name in args.sets
        for size_px in args.sizes
        for row in run(name, size_px, args.heads, args.clips, args.data / name, cache)
    ]
    shown = [
        (
            row["set"],
            row["encoder"],
            row["streams"],
            row["head"],
            row["clips_per_class"] or "all",
            *map(_text, (row["float"], row["int8"])),
        )
        for row in rows
    ]
    sys.stdout.write(table([("set", "encoder", "streams", "head", "clips a class", "float", "int8"), *shown]) + "\n")
    write("few_clips", question=str(__doc__).partition("\n")[0], numbers=by_name(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
