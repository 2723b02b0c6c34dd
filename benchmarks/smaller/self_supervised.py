"""Does a self-supervised start beat a random one, with five clips of each class?

    python -m benchmarks.smaller.self_supervised [--data DIR] [--epochs N] [--start-epochs N]

Each Weizmann subject in turn is held out, which leaves five clips of each of ten actions. The small encoder of
`edgevid train` starts at random, or from what it learned on the same fifty clips without their labels: a network
names the speed of a window, which is half, three quarters, or all of that of training.

The recurrent layer and the scores always start at random. Then both are trained alike, as `benchmarks/weizmann.py`
does but for fewer epochs, and answer the clips of the subject by the mean over every window. The plan was fixed
before the first result: one seed, all subjects, 30 epochs, and 20 before them without labels. The second start is
better if the paired interval of its gain lies above 0. It is trained longer, which can only help it.

Source: Epstein et al., "SpeedNet: Learning the Speediness in Videos", CVPR 2020.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.writing.results_file import table, write
from convert.clips import Clip, decode_all, find_clips, to_real
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.splits.folds import paired_interval
from convert.splits.holdout import grouper
from convert.training.augment import Augmentation, draw
from convert.training.cross_validation import score_of
from convert.training.metrics import Prediction, evaluate, keras_scorer
from edgevid.bundle.manifest import Window
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.schema import to_json

if TYPE_CHECKING:
    from convert.training.fit import FitOptions
    from convert.training.models import Network

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "weizmann"
SPEEDS = (0.5, 0.75, 1.0)
# Learning rate, batch, and windows of a clip in an epoch, without labels.
RATE, BATCH, WINDOWS = 2e-3, 32, 8


def options_for(labels: Sequence[str], *, epochs: int) -> FitOptions:
    """Return the options of `benchmarks/weizmann.py`."""
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


def speed_start(network: Network, clips: Sequence[Clip], options: FitOptions, epochs: int) -> None:
    """Teach the encoder to tell how fast a window was sampled, with a recurrent layer that is thrown away."""
    import keras

    from convert.training.models import build

    teacher = build(options.model, shape=(options.window.frames, *options.input.shape), classes=len(SPEEDS))

    def batch(rng: np.random.Generator, chosen: Sequence[Clip]) -> tuple[Array, Array]:
        classes = rng.integers(len(SPEEDS), size=len(chosen))
        windows = [varied(clip, options, rng, speed=SPEEDS[each]) for clip, each in zip(chosen, classes, strict=True)]
        return to_real(np.stack(windows), options.input), np.eye(len(SPEEDS), dtype=np.float32)[classes]

    teacher.trainer.compile(keras.optimizers.Adam(RATE, clipnorm=1.0), loss="categorical_crossentropy")
    fit(teacher.trainer, clips, batch, options.seed, epochs)
    copy_encoder(teacher, network)


def varied(clip: Clip, options: FitOptions, rng: np.random.Generator, *, speed: float) -> Array:
    """Return a variation of a random window of a clip, sampled at a speed."""
    from convert.training.windows import random_window

    window = random_window(clip, options.window, rng, speed=speed)
    return draw(options.augmentation, rng, label=str(clip.ref.label)).apply(window)


def fit(
    model: Any,
    clips: Sequence[Clip],
    batch: Callable[[np.random.Generator, Sequence[Clip]], tuple[Array, Array]],
    seed: int,
    epochs: int,
) -> None:
    """Train on random batches of clips."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs * len(clips) * WINDOWS // BATCH):
        chosen = [clips[int(each)] for each in rng.integers(len(clips), size=BATCH)]
        model.train_on_batch(*batch(rng, chosen))


def copy_encoder(source: Network, target: Network) -> None:
    """Copy the weights of the layers before the recurrent one."""
    for layer in target.trainer.layers:
        if layer.weights and layer.name not in ("lstm", "gru", "scores"):
            layer.set_weights(source.trainer.get_layer(layer.name).get_weights())


STARTS: dict[str, Callable[[Any, Sequence[Clip], Any, int], None] | None] = {
    "scratch": None,
    "speed": speed_start,
}


def answers(
    start: str, training: Sequence[Clip], held_out: Sequence[Clip], options: FitOptions, start_epochs: int
) -> tuple[Prediction, ...]:
    """Train from one start, and answer the clips of the subject that is held out."""
    import keras

    from convert.training.fitting.loop import LoopOptions, fit_network
    from convert.training.models import build
    from convert.training.windows import RandomWindows, Task

    labels = tuple(sorted({str(clip.ref.label) for clip in training}))
    keras.utils.set_random_seed(options.seed)
    network = build(options.model, shape=(options.window.frames, *options.input.shape), classes=len(labels))
    begin = STARTS[start]
    if begin is not None:
        begin(network, training, options, start_epochs)
    windows = RandomWindows(
        training,
        Task(labels=labels, window=options.window, input=options.input),
        augmentation=options.augmentation,
        windows_per_clip=options.windows_per_clip,
        batch=options.batch,
        seed=options.seed,
    )
    loop = LoopOptions(
        epochs=options.epochs,
        learning_rate=options.learning_rate,
        clip_norm=options.clip_norm,
        label_smoothing=options.label_smoothing,
        patience=options.patience,
        tensorboard=None,
    )
    fit_network(network.trainer, windows, None, options=loop, checkpoint=None, on_epoch=lambda _epoch: None)
    scorer = keras_scorer(network.model, options.input, options.window)
    return evaluate(scorer, held_out, labels=labels, window=options.window, views="all").predictions


def compared(found: dict[str, list[Prediction]], seconds: dict[str, float]) -> dict[str, Any]:
    """Return the accuracy of each start, and its gain over a random one."""
    numbers: dict[str, Any] = {}
    right = {start: [each.answer == each.truth for each in made] for start, made in found.items()}
    for start, made in found.items():
        pairs = list(zip(right["scratch"], right[start], strict=True))
        gained, lost = pairs.count((False, True)), pairs.count((True, False))
        low, high = paired_interval(gained, lost, len(pairs))
        numbers[start] = {
            "accuracy": to_json(score_of(made)),
            "gain": {"change": (gained - lost) / len(pairs), "low": low, "high": high, "gained": gained, "lost": lost},
            "seconds": round(seconds[start], 1),
        }
    return numbers


def main() -> int:
    """Measure every start on every subject, print a table, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the Weizmann clips")
    parser.add_argument("--epochs", type=int, default=30, metavar="N", help="of the training with labels (30)")
    parser.add_argument("--start-epochs", type=int, default=20, metavar="N", help="of a start without them (20)")
    args = parser.parse_args()
    import_tensorflow()
    refs = find_clips(args.data, group=grouper("subject"))
    options = options_for(sorted({str(ref.label) for ref in refs}), epochs=args.epochs)
    clips = decode_all(refs, options.input).clips
    found: dict[str, list[Prediction]] = {start: [] for start in STARTS}
    seconds = dict.fromkeys(STARTS, 0.0)
    for subject in sorted({clip.ref.group for clip in clips}):
        training = [clip for clip in clips if clip.ref.group != subject]
        held_out = [clip for clip in clips if clip.ref.group == subject]
        for start in STARTS:
            began = time.process_time()
            found[start] += answers(start, training, held_out, options, args.start_epochs)
            seconds[start] += time.process_time() - began
            sys.stderr.write(f"without {subject}, {start}: {seconds[start]:.0f} s of CPU so far\n")
    numbers = compared(found, seconds)
    rows = [
        (
            start,
            f"{each['accuracy']['accuracy']:.3f}",
            *(f"{each['gain'][name]:+.3f}" for name in ("change", "low", "high")),
        )
        for start, each in numbers.items()
    ]
    print(table([("start", "accuracy", "gain", "low", "high"), *rows]))
    plan = {"epochs": args.epochs, "start_epochs": args.start_epochs, "clips_per_class": 5, "seed": options.seed}
    write("self_supervised", question=str(__doc__).partition("\n")[0], numbers={"plan": plan, "starts": numbers})
    return 0


if __name__ == "__main__":
    sys.exit(main())
