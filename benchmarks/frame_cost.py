"""How much of a frame's time is not the interpreter's? Goal: at most 10 % of the interpreter's own for MobileNetV2-0.35 at 112x112 from 640x480.

    python benchmarks/frame_cost.py [--frames 1000] [--rounds 10] [--lrcn MODEL.h5] [--keep DIR]

A CNN-LSTM around MobileNetV2 (untrained: weights cost no time) is converted, and frames in memory go through the whole pipeline with every
output off. The interpreter's own time is that of its calls: tensors in, invoke, tensors out. Everything else is outside: resize, colour,
quantisation, rings, probabilities, decision, telemetry, the loop. The ratio to `invoke` alone, with the tensors' copies counted as outside,
is given beside it. Other programs on the machine slow both, the loop more, for it finds its data gone from the cache; so several rounds are
measured, the quietest one (least median time of a frame) is the answer, and the ratio of every round is kept beside it, as `timeit` advises.
The loop and the thread that reads frames are kept on one core: where each core has a level-2 cache of its own, as on x86 servers, a frame that
goes from one to the other costs a multiple of all the rest (`ratio_across_cores`); the cores of a Raspberry Pi 3 or 4 share theirs, those
of a Pi 5 a cache of the third level.
With --lrcn, the same is reported for a small LRCN. Preparing a frame alone is measured from 640x480, 1280x720 and 1920x1080 as well, each frame
just written before, as a decoder does.

Source: https://docs.python.org/3/library/timeit.html#timeit.Timer.repeat
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import monotonic_ns
from typing import Any

import numpy as np
from results_file import summary, table, write

from edgevid import bundle
from edgevid.backends import LoadedPart
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.bundle.manifest import Part
from edgevid.capture.noise import NoiseSource
from edgevid.capture.synthetic import GestureSource
from edgevid.frames import Array, Frame
from edgevid.frames.preprocess import Preprocessor
from edgevid.inference.engine import Engine
from edgevid.pipeline import Pipeline
from edgevid.telemetry.latency import LatencySamples
from edgevid.telemetry.telemetry import Telemetry

SOURCE_SIZE = (640, 480)
SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
WINDOW = 16
GOAL = 0.10
LABELS = 8


class Stopwatch:
    """A backend that times `invoke` apart from the copies into and out of tensors.

    Attributes:
        name: The interpreter's.
        ns: Time in `invoke` since the last `take`.
    """

    def __init__(self) -> None:
        self._backend = LiteRt()
        self.name = self._backend.name
        self.ns = 0

    def load(self, part: Part, data: bytes) -> LoadedPart:
        """Load a part whose runs are timed."""
        return _Timed(self._backend.load(part, data), self)

    def take(self) -> int:
        """Give the time in nanoseconds since the last call, and start again."""
        ns, self.ns = self.ns, 0
        return ns


class _Timed:
    def __init__(self, model: LoadedPart, watch: Stopwatch) -> None:
        self._invoke, self._watch = model.invoke, watch
        self.write, self.read = model.write, model.read

    def invoke(self) -> None:
        started_ns = monotonic_ns()
        self._invoke()
        self._watch.ns += monotonic_ns() - started_ns


class InvokeTimes(NoiseSource):
    """A source that notes, when the next frame is asked for, how long the interpreter ran for the one before."""

    def __init__(self, watch: Stopwatch, model: Bundle, *, count: int, size: tuple[int, int]) -> None:
        super().__init__(model.manifest, count=count, size=size)
        self._watch = watch
        self.invoke_ns: list[int] = []

    def frames(self) -> Iterator[Frame]:
        """Give the frames."""
        self._watch.take()
        for frame in super().frames():
            yield frame
            self.invoke_ns.append(self._watch.take())


def on_one_core() -> None:
    """Keep the loop and the thread that reads frames on one core from here on."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def quietest(model: Bundle, *, frames: int, rounds: int, size: tuple[int, int] = SOURCE_SIZE) -> dict[str, Any]:
    """Measure several rounds.

    Args:
        model: The bundle.
        frames: Measured in each round.
        rounds: How many.
        size: (width, height) of the source's frames.

    Returns:
        The round with the least median time of a frame, and the ratio of each.
    """
    found = [measure(model, frames=frames, size=size) for _ in range(rounds)]
    best = min(found, key=lambda each: each["interpreter_us"]["p50"] + each["outside_us"]["p50"])
    return best | {"ratio_of_each_round": [each["ratio"] for each in found]}


def measure(model: Bundle, *, frames: int, size: tuple[int, int]) -> dict[str, Any]:
    """Put frames through the pipeline.

    Args:
        model: The bundle.
        frames: Measured after a warm-up that fills the window.
        size: (width, height) of the source's frames.

    Returns:
        Medians in microseconds, their ratio, and the samples.
    """
    watch = Stopwatch()
    engine = Engine(model, backend=watch)
    warm = model.manifest.window.frames + 100
    Pipeline(engine, NoiseSource(model.manifest, count=warm, size=size)).run()
    source = InvokeTimes(watch, model, count=frames + model.manifest.window.frames, size=size)
    telemetry = Pipeline(engine, source).run()
    invoke_us = np.array(source.invoke_ns[-frames:]) / 1e3
    total_us, outside_us = _last(telemetry.total, frames), _last(telemetry.outside, frames)
    interpreter_us = total_us - outside_us
    samples = {"interpreter_us": interpreter_us, "invoke_us": invoke_us, "outside_us": outside_us}
    middle = {name: float(np.median(values)) for name, values in samples.items()}
    return {
        **{name: summary(values, digits=1) for name, values in samples.items()},
        "ratio": round(middle["outside_us"] / middle["interpreter_us"], 4),
        "ratio_to_invoke_alone": round((float(np.median(total_us)) - middle["invoke_us"]) / middle["invoke_us"], 4),
        "where_us": _where(telemetry, middle),
        "samples": {name: values.tolist() for name, values in samples.items()},
    }


def preparing(model: Bundle, *, times: int = 300) -> dict[str, dict[str, float]]:
    """Measure the preparation of a frame by itself.

    Args:
        model: Says what frames become.
        times: Frames of each size.

    Returns:
        Microseconds by the source's size.
    """
    spec, found = model.manifest.input, {}
    out = np.zeros(spec.shape, np.uint8)
    for size in SIZES:
        preprocessor, taken = Preprocessor(spec), []
        for frame in NoiseSource(model.manifest, count=times, size=size).frames():
            started_ns = monotonic_ns()
            preprocessor.write(frame, out)
            taken.append((monotonic_ns() - started_ns) / 1e3)
        found[f"{size[0]}x{size[1]}"] = summary(taken, digits=1)
    return found


def _last(histogram: LatencySamples, frames: int) -> Array:
    """The last samples in the order they were taken; the run is shorter than the histogram."""
    return histogram.samples_ns[-frames:] / 1e3


def _where(telemetry: Telemetry, middle: dict[str, float]) -> dict[str, float]:
    """Medians of the parts of a frame's time outside the interpreter; what is left over is the loop itself."""
    stages = {name: latency.p50_ms * 1e3 for name, latency in telemetry.stages().items()}
    parts = {name: stages[name] for name in ("preprocess", "decide", "emit")}
    rest = {"quantise, rings, probabilities, loop": middle["outside_us"] - sum(parts.values())}
    return {name: round(value, 1) for name, value in {**parts, **rest}.items()}


def mobilenet(folder: Path) -> Path:
    """Convert an untrained CNN-LSTM around MobileNetV2-0.35.

    Args:
        folder: For the model, the clips and the bundle.

    Returns:
        The bundle's path.
    """
    from convert import Options, convert_model
    from convert.frameworks.tensorflow_setup import import_tensorflow
    from convert.progress import Terminal

    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    encoder = keras.applications.MobileNetV2(
        input_shape=(112, 112, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    frames = keras.Input((WINDOW, 112, 112, 3))
    features = keras.layers.LSTM(32)(keras.layers.TimeDistributed(encoder)(frames))
    keras.Model(frames, keras.layers.Dense(LABELS, activation="softmax")(features)).save(folder / "mobilenetv2.keras")
    write_clips(folder / "clips")
    # Random weights have no answers worth keeping: precision is asked for, the budget is open.
    options = Options(precision="int8", interval=0.1, max_drop=100.0, min_agreement=0.0)
    return convert_model(
        folder / "mobilenetv2.keras",
        folder / "clips",
        folder / "mobilenetv2.edgevid",
        options=options,
        progress=Terminal(),
    ).path


def write_clips(folder: Path, *, count: int = 4) -> None:
    """Write unlabelled clips of made-up gestures.

    Args:
        folder: Where to.
        count: How many.
    """
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        writer = cv2.VideoWriter(str(folder / f"{seed}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (160, 120))
        for frame in GestureSource(seed=seed, height_px=120, width_px=160, duration_s=3.0).frames():
            writer.write(np.ascontiguousarray(frame.data[:, :, ::-1]))
        writer.release()


def lrcn(folder: Path, model: Path) -> Path:
    """Convert a small LRCN.

    Args:
        folder: For the clips and the bundle.
        model: Its file.

    Returns:
        The bundle's path.
    """
    from convert import Options, convert_model
    from convert.progress import Terminal

    write_clips(folder / "clips")
    options = Options(precision="int8", interval=0.1, color="bgr", max_drop=100.0, min_agreement=0.0)
    return convert_model(model, folder / "clips", folder / "lrcn.edgevid", options=options, progress=Terminal()).path


def converted(made: Path, convert: Callable[..., Path], *args: Path) -> Bundle:
    """Read a bundle, after another process has made it where it is not there yet.

    Args:
        made: Its path.
        convert: Makes it; given the folder and `args`.
        args: See above.

    Returns:
        The bundle.
    """
    if not made.exists():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            process.submit(convert, made.parent, *args).result()
    return bundle.read(made)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000, help="frames in a round (default: 1000, 4000 at most)")
    parser.add_argument("--rounds", type=int, default=10, help="rounds, of which the quietest counts (default: 10)")
    parser.add_argument("--lrcn", type=Path, metavar="MODEL", help="a small LRCN to report beside it")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where to keep the bundles, and to look for them")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        models = {"MobileNetV2-0.35 112x112": converted(folder / "mobilenetv2.edgevid", mobilenet)}
        if args.lrcn:
            models[args.lrcn.stem] = converted(folder / "lrcn.edgevid", lrcn, args.lrcn)
        across = {name: quietest(model, frames=args.frames, rounds=3)["ratio"] for name, model in models.items()}
        on_one_core()
        results = {
            name: quietest(model, frames=min(args.frames, 4000), rounds=args.rounds) for name, model in models.items()
        }
        for name, model in models.items():
            results[name]["ratio_across_cores"] = across[name]
            results[name]["ratio_from_320x240"] = quietest(model, frames=args.frames, rounds=3, size=SIZES[0])["ratio"]
        prepared = preparing(models["MobileNetV2-0.35 112x112"])
    samples = {
        f"{name} {key}": values for name, result in results.items() for key, values in result.pop("samples").items()
    }
    path = write(
        "frame_cost",
        question="Time of a frame outside the interpreter over the interpreter's own, frames of 640x480 in memory; goal at most 0.10 for MobileNetV2-0.35.",
        numbers={**results, "preparing_us_by_size": prepared},
        samples=samples,
        threads=1,
    )
    rows = [("model", "interpreter us", "of which invoke us", "outside us", "ratio", "ratio to invoke alone")]
    rows += [
        (
            name,
            *(result[key]["p50"] for key in ("interpreter_us", "invoke_us", "outside_us")),
            result["ratio"],
            result["ratio_to_invoke_alone"],
        )
        for name, result in results.items()
    ]
    print(table(rows))
    for name, result in results.items():
        print(
            f"\n{name}, outside, median us:\n" + table([tuple(result["where_us"]), tuple(result["where_us"].values())])
        )
    print(
        "\npreparing a frame for 112x112, median us: "
        + ", ".join(f"{size} {each['p50']}" for size, each in prepared.items())
    )
    print(f"\nWrote {path}")
    return 0 if results["MobileNetV2-0.35 112x112"]["ratio"] <= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
