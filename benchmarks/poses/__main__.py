"""What do key points of a pose teach, and what do they cost, beside a classifier?

    OMP_NUM_THREADS=1 EDGEVID_KEYPOINTS=DIR python -m benchmarks.poses [--data DIR]

Weizmann's ten actions, six subjects held out one after the other. Poses are found as a live run finds
them: in a picture every 0.1 s, and followed from one to the next. In each fold, normalisation and head
are chosen on the other five subjects, by the log loss of inner folds. The fold's model is converted
to int8 on those five as well; it and the float model answer the subject that was held out.
The rows of single normalisations show what there was to choose from; choosing the best of them
afterwards would be cheating.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import convert
from benchmarks.writing.results_file import table, write
from convert.clips import ClipRef, clip_frames, find_clips
from convert.clips.row_format import RowFormat, write_format
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.progress import Terminal
from convert.splits.holdout import grouper
from convert.training.cross_validation import score_of
from convert.training.metrics import Prediction
from edgevid import bundle
from edgevid.frames import Array
from edgevid.frames.keypoint_rows import KeypointRows, Normalise
from edgevid.frames.sampling import IntervalSampler, Sample
from edgevid.inference.engine import Engine
from edgevid.keypoints.rows import RowMaker
from edgevid.keypoints.stage import KeypointStage
from edgevid.schema import to_json
from edgevid.telemetry.latency import CAPACITY
from edgevid.units import NS_PER_MS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
INTERVAL_S, FRAMES, LENGTH = 0.1, 16, 132
NORMALISATIONS: tuple[Normalise, ...] = ("none", "hip", "box")
CHOSEN = "chosen"


def find_poses(refs: Sequence[ClipRef], root: Path) -> dict[str, Any]:
    """Write rows in each normalisation, from one search for poses, and return shares and times."""
    stage = KeypointStage(KeypointRows(kind="pose"), LENGTH)
    makers = {name: RowMaker(KeypointRows(kind="pose", normalise=name), LENGTH) for name in NORMALISATIONS}
    seen = rows = 0
    for ref in Terminal().track(refs, "finding poses"):
        found = _rows_of(ref, stage, makers)
        for name, each in found.items():
            path = root / name / str(ref.label) / f"{ref.path.stem}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, each)
        rows, seen = rows + len(found["none"]), seen + int(found["none"].any(axis=1).sum())
    for name in NORMALISATIONS:
        keypoints = KeypointRows(kind="pose", normalise=name)
        write_format(root / name, RowFormat(keypoints=keypoints, interval_s=INTERVAL_S))
    networks = stage.open().networks
    times = {name: each.times.newest(0, CAPACITY) / NS_PER_MS for name, each in networks.items()}
    runs = {name: each.times.count(0) for name, each in networks.items()}
    return {
        "rows": rows,
        "seen": seen / rows,
        "detector_share": runs["pose detector"] / rows,
        "p50_ms": {name.replace(" ", "_"): float(np.median(each)) for name, each in times.items()},
    }


def _rows_of(ref: ClipRef, stage: KeypointStage, makers: dict[Normalise, RowMaker]) -> dict[Normalise, Array]:
    sampler = IntervalSampler(INTERVAL_S)
    stage.restart()
    rows: dict[Normalise, list[Array]] = {name: [] for name in makers}
    for frame in clip_frames(ref, "frames"):
        if sampler.offer(frame.timestamp_ns) is Sample.SKIP:
            continue
        stage.write(frame, np.zeros(LENGTH, np.float32))
        assert stage.seen is not None
        for name, maker in makers.items():
            row = np.zeros(LENGTH, np.float32)
            maker.write(stage.seen.body, frame.data.shape, row)
            rows[name].append(row)
    return {name: np.stack(each) for name, each in rows.items()}


def hold_out(subject: str, root: Path, folder: Path) -> tuple[str, list[Prediction], list[Prediction], Path]:
    """Choose and fit without a subject, and let the float model and its int8 bundle answer the subject's clips."""
    fitted: dict[str, tuple[float, Path, str]] = {}
    for name in NORMALISATIONS:
        training, _ = _lists(root / name, subject, folder / name)
        out = folder / f"{name}.keras"
        facts = convert.train(training, out, options=_options(folds=0)).transfer
        assert facts is not None
        fitted[name] = (min(facts.losses.values()), out, f"{name} + {facts.head}")
    name = min(fitted, key=lambda each: fitted[each][0])
    _, model, method = fitted[name]
    training, held_out = folder / name / "training.csv", folder / name / "held_out.csv"
    out = folder / "int8.edgevid"
    # Whatever it costs: the benchmark is about that.
    options = convert.Options(precision="int8", max_drop=100.0, min_agreement=0.0)
    convert.convert_model(model, training, out, options=options)
    return (
        method,
        list(convert.evaluate(model, held_out).predictions),
        list(convert.evaluate(out, held_out).predictions),
        out,
    )


def _lists(rows: Path, subject: str, folder: Path) -> tuple[Path, Path]:
    """Write the lists of a fold: all other subjects, and the one that is held out."""
    folder.mkdir(parents=True)
    paths = sorted(rows.rglob("*.npy"))
    for name, is_held_out in (("training.csv", False), ("held_out.csv", True)):
        with (folder / name).open("w", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(("path", "label", "group"))
            for path in paths:
                group = path.stem.partition("_")[0]
                if (group == subject) is is_held_out:
                    lines.writerow((path, path.parent.name, group))
    return folder / "training.csv", folder / "held_out.csv"


def _options(**changes: Any) -> convert.TrainOptions:
    return convert.TrainOptions(**{"frames": FRAMES, "interval": INTERVAL_S, **changes})


def measure_folds(root: Path, folder: Path) -> tuple[dict[str, Any], Path]:
    """Hold each subject out, with a choice of its own; return the scores and the last fold's bundle."""
    subjects = sorted({path.stem.partition("_")[0] for path in (root / "none").rglob("*.npy")})
    floats, int8s, methods, last = [], [], [], folder
    for subject in Terminal().track(subjects, "held-out subjects"):
        method, answered, stored, last = hold_out(subject, root, folder / subject)
        methods.append(method)
        floats += answered
        int8s += stored
    scores = {"float": to_json(score_of(floats)), "int8": to_json(score_of(int8s))}
    agreement = float(np.mean([one.answer == two.answer for one, two in zip(floats, int8s, strict=True)]))
    return {**scores, "agreement": agreement, "methods": methods}, last


def measure_single(rows: Path, folder: Path) -> dict[str, Any]:
    """Hold each subject out with one normalisation; the head alone is chosen."""
    options = _options(folds="groups", group_by="subject")
    measured = convert.train(rows, folder / "single.keras", options=options).cross_validation
    assert measured is not None
    return {"float": to_json(measured.score)}


def classifier_ms(path: Path, rows: Path) -> float:
    """Return the median time of an answer of a bundle, without key points."""
    engine, times = Engine(bundle.read(path)), []
    for file in sorted(rows.rglob("*.npy")):
        engine.restart()
        for row in np.load(file):
            np.copyto(engine.input_buffer(), row)
            if engine.step() is not None:
                times.append((engine.encode_ns + engine.head_ns) / NS_PER_MS)
    return float(np.median(times))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write the result."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.poses", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="folder with the set weizmann")
    args = parser.parse_args(arguments)
    import_tensorflow()
    refs = find_clips(args.data / "weizmann", group=grouper("subject"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = find_poses(refs, folder / "rows")
        chosen, last = measure_folds(folder / "rows", folder / "folds")
        singles = {each: measure_single(folder / "rows" / each, folder) for each in NORMALISATIONS}
        found["p50_ms"]["classifier"] = classifier_ms(last, folder / "rows" / chosen["methods"][-1].partition(" ")[0])
    found["times_of_classifier"] = {
        each: time_ms / found["p50_ms"]["classifier"] for each, time_ms in found["p50_ms"].items()
    }
    numbers = {"clips": len(refs), "found": found, CHOSEN: chosen, "single": singles}
    rows = [(CHOSEN, _text(chosen["float"]), _text(chosen["int8"]))]
    rows += [(each, _text(row["float"]), "") for each, row in singles.items()]
    sys.stdout.write(table([("rows", "float", "int8"), *rows]) + f"\n{found}\n")
    write("poses", question=str(__doc__).partition("\n")[0], numbers=numbers, threads=1)
    return 0


def _text(score: dict[str, Any]) -> str:
    return f"{score['accuracy']:.3f} [{score['low']:.2f}, {score['high']:.2f}]"


if __name__ == "__main__":
    sys.exit(main())
