"""Make the bundle of `edgevid demo`, edgevid/data/gestures.edgevid, from rendered clips.

    python scripts/make_demo_bundle.py [--dir build/demo-bundle]

The clips have the model's input size, as the demo's stream has, and a lossless codec. The bundle is
installed only if it is small enough to ship and accurate on streams outside the training set.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from edgevid import bundle
from edgevid.bundle import Bundle
from edgevid.capture.synthetic import GestureSource
from edgevid.errors import VerificationFailed
from edgevid.events.timeline import EventScore, match, summary
from edgevid.inference.engine import Engine
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline

TARGET = Path(__file__).parents[1] / "edgevid" / "data" / "gestures.edgevid"
# The bundle is part of every wheel of edgevid.
MAX_BYTES = 300_000
# Least event precision and recall.
LEAST = 0.95
# Seeds of streams from which no training clip comes.
UNSEEN_SEEDS = range(9000, 9008)
STREAM_S = 90.0
EPOCHS = 26


def main() -> int:
    """Make, check and install the bundle.

    Returns:
        0.

    Raises:
        VerificationFailed: The bundle is too large or not accurate enough. The installed one stays.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("build/demo-bundle"),
        help="folder for clips, model and bundle (default: %(default)s)",
    )
    folder: Path = parser.parse_args().dir
    folder.mkdir(parents=True, exist_ok=True)
    path = make(folder)
    check(path)
    TARGET.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, TARGET)
    sys.stderr.write(f"Installed {TARGET}: {TARGET.stat().st_size} bytes.\n")
    return 0


def make(folder: Path) -> Path:
    """Render, train and convert.

    Args:
        folder: Working folder. A model from the same inputs is reused.

    Returns:
        The bundle.
    """
    from convert import Options, convert_model
    from convert.demo.dataset import DatasetSpec, write_dataset
    from convert.frameworks.tensorflow_setup import import_tensorflow
    from convert.progress import Terminal

    progress = Terminal()
    spec = DatasetSpec(
        train=400, validation=20, test=30, height_px=48, width_px=48, fps=10.0, stream_s=0.0, codec="FFV1", seed=2
    )
    dataset = write_dataset(folder / "clips", spec, progress, processes=os.cpu_count() or 1)
    # Before the recipe imports Keras: TensorFlow reads its options when it is first imported.
    import_tensorflow()
    from convert.demo import training as recipe
    from convert.demo.cached import once
    from convert.demo.dataset import MARKER

    model = folder / "gestures.keras"
    inputs = [str(EPOCHS).encode(), (dataset.root / MARKER).read_bytes(), Path(recipe.__file__).read_bytes()]
    once(
        model,
        inputs,
        lambda path: recipe.train_gestures(dataset, path, recipe.train_options(epochs=EPOCHS), progress),
        progress,
    )
    # Integers throughout, so that the golden answers are the same bytes on every processor.
    options = Options(name="gestures", precision="int8")
    out, command = folder / "gestures.edgevid", "scripts/make_demo_bundle.py"
    return convert_model(model, dataset.root / "test", out, options=options, progress=progress, command=command).path


def check(path: Path) -> None:
    """Reject a bundle that should not ship.

    Args:
        path: The bundle.

    Raises:
        VerificationFailed: The bundle is too large, or event precision or recall on unseen streams is too low.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise VerificationFailed(
            expected=f"a bundle of at most {MAX_BYTES} bytes",
            got=size,
            hint="Make the model or its frames smaller.",
            path=path,
        )
    scores = [_watch(bundle.read(path), seed) for seed in UNSEEN_SEEDS]
    right = sum(len(score.matched) for score in scores)
    reported = right + sum(len(score.false_alarms) for score in scores)
    true_events = right + sum(len(score.missed) for score in scores)
    sys.stderr.write(f"all seeds: {right} right of {reported} reported and {true_events} true events\n")
    if right < LEAST * reported or right < LEAST * true_events:
        raise VerificationFailed(
            expected=f"event precision and recall of at least {LEAST}",
            found=f"{right / reported:.3f} and {right / true_events:.3f}",
            path=path,
        )


def _watch(model: Bundle, seed: int) -> EventScore:
    collector, frame = Collector(), model.manifest.input
    with GestureSource(seed=seed, height_px=frame.height, width_px=frame.width, duration_s=STREAM_S) as source:
        Pipeline(Engine(model), source, [collector]).run()
        score = match(collector.events, source.truth)
    sys.stderr.write(f"seed {seed}: {summary(score, duration_s=STREAM_S)}\n")
    return score


if __name__ == "__main__":
    sys.exit(main())
