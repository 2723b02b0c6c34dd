"""Make the bundle that `edgevid demo` runs, edgevid/data/gestures.edgevid, from nothing: render, train, convert, check, install.

    python scripts/make_demo_bundle.py [--dir build/demo-bundle]

The clips are drawn at the model's own size, as the demo's stream is, and written without loss. The bundle is installed only if it is small
enough to ship and right often enough about several streams that nothing was trained on.
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
MAX_BYTES = 300_000
LEAST = 0.95
UNSEEN_SEEDS = range(9000, 9008)
EPOCHS = 26


def main() -> int:
    """Make the bundle.

    Returns:
        0.

    Raises:
        VerificationFailed: It is too large or not right often enough; the one installed stays.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--dir", type=Path, default=Path("build/demo-bundle"), help="where to work (default: %(default)s)"
    )
    folder: Path = parser.parse_args().dir
    folder.mkdir(parents=True, exist_ok=True)
    made = make(folder)
    check(made)
    TARGET.parent.mkdir(exist_ok=True)
    shutil.copyfile(made, TARGET)
    sys.stderr.write(f"Installed {TARGET}: {TARGET.stat().st_size} bytes.\n")
    return 0


def make(folder: Path) -> Path:
    """Render, train and convert.

    Args:
        folder: Where to work; what was made there before from the same inputs is used again.

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
    import_tensorflow()
    from convert.demo import recipe
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
    # In integers throughout, so that its stored answers are the same bytes on every processor.
    options = Options(name="gestures", precision="int8")
    return convert_model(
        model, dataset.root / "test", folder / "gestures.edgevid", options=options, progress=progress
    ).path


def check(path: Path) -> None:
    """Refuse a bundle that should not ship.

    Args:
        path: The bundle.

    Raises:
        VerificationFailed: It is too large, or event precision or recall on unseen streams is too low.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise VerificationFailed(
            f"Expected a bundle of at most {MAX_BYTES} bytes, got {size}. Make the model or its frames smaller.",
            got=size,
            path=path,
        )
    scores = [_watch(bundle.read(path), seed) for seed in UNSEEN_SEEDS]
    right = sum(len(score.matched) for score in scores)
    reported, there = (
        right + sum(len(score.false_alarms) for score in scores),
        right + sum(len(score.missed) for score in scores),
    )
    sys.stderr.write(f"All of them: {right} right of {reported} events and of {there} in truth.\n")
    if right < LEAST * reported or right < LEAST * there:
        raise VerificationFailed(
            f"Expected event precision and recall of at least {LEAST}, got {right / reported:.3f} and {right / there:.3f}.",
            path=path,
        )


def _watch(model: Bundle, seed: int) -> EventScore:
    seen, frame = Collector(), model.manifest.input
    with GestureSource(seed=seed, height_px=frame.height, width_px=frame.width) as source:
        Pipeline(Engine(model), source, [seen]).run()
        score = match(seen.events, source.truth)
    sys.stderr.write(f"seed {seed}: {summary(score)}\n")
    return score


if __name__ == "__main__":
    sys.exit(main())
