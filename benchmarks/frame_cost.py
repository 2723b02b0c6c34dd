"""How much time of a frame is spent outside the interpreter?

    python benchmarks/frame_cost.py [--frames 1000] [--rounds 10] [--lrcn MODEL.h5] [--keep DIR]

Goal: at most 10 % of the interpreter's own time, for MobileNetV2-0.35 at 112x112 from 640x480.

The benchmark converts a CNN-LSTM around MobileNetV2, untrained, since the weights do not affect the
time. Frames in memory go through the whole pipeline without outputs. The interpreter's own time is
that of its calls: write tensors, invoke, read tensors. Outside are resize, colour, quantisation,
rings, probabilities, decision, telemetry and the loop. The ratio to `invoke` alone, which counts the
copies of tensors as outside, is reported as well.

Other programs on the machine slow down both, and the loop more, because its data leaves the cache.
So the answer is the quietest of several rounds, which is the one with the lowest median time of a
frame, as `timeit` advises. The results contain the ratio of every round.

The loop and the thread that reads frames share one core. On x86 servers, each core has a level-2
cache of its own, and moving a frame between two costs a multiple of all the rest
(`ratio_across_cores`). The cores of a Raspberry Pi 3 or 4 share this cache, and those of a Pi 5 share
one of the third level.

With --lrcn, the benchmark also reports a small LRCN. It measures the preparation of a frame from
640x480, 1280x720 and 1920x1080 too. Each of these frames was written just before, as by a decoder.

Source: https://docs.python.org/3/library/timeit.html#timeit.Timer.repeat
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import monotonic_ns
from typing import Any

import numpy as np
from writing.results_file import summary, table, write

from edgevid import bundle
from edgevid.backends import LoadedPart
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.bundle.parts import Part
from edgevid.capture.noise import NoiseSource
from edgevid.capture.synthetic import GestureSource
from edgevid.frames import Array, Color, Frame
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
# Number of frames whose times the telemetry keeps.
LATENCY_SAMPLES = 4000
# Key of the results.
MOBILENET = "MobileNetV2-0.35 112x112"


class Stopwatch:
    """A backend that times `invoke` without the copies into and out of tensors.

    Attributes:
        name: Name of the interpreter.
        ns: Time in `invoke` since the last `take`.
    """

    def __init__(self) -> None:
        self._backend = LiteRt()
        self.name = self._backend.name
        self.ns = 0

    def load(self, part: Part, data: bytes) -> LoadedPart:
        """Load a part that times its `invoke`."""
        return _TimedPart(self._backend.load(part, data), self)

    def take(self) -> int:
        """Return the time in `invoke` since the last call in nanoseconds, and reset it."""
        ns, self.ns = self.ns, 0
        return ns


class _TimedPart:
    def __init__(self, model: LoadedPart, watch: Stopwatch) -> None:
        self._invoke, self._watch = model.invoke, watch
        self.write, self.read, self.carry = model.write, model.read, model.carry

    def invoke(self) -> None:
        started_ns = monotonic_ns()
        self._invoke()
        self._watch.ns += monotonic_ns() - started_ns


class InvokeTimes(NoiseSource):
    """A source that records, at each request of a frame, the time in `invoke` for the previous one.

    Args:
        watch: The backend that is timed.
        model: The model, which determines the frames.
        count: Number of frames.
        size: (width, height) of a frame in pixels.

    Attributes:
        invoke_ns: One entry per frame.
    """

    def __init__(self, watch: Stopwatch, model: Bundle, *, count: int, size: tuple[int, int]) -> None:
        super().__init__(model.manifest, count=count, size=size)
        self._watch = watch
        self.invoke_ns: list[int] = []

    def frames(self) -> Iterator[Frame]:
        """Deliver the frames."""
        self._watch.take()
        for frame in super().frames():
            yield frame
            self.invoke_ns.append(self._watch.take())


def on_one_core() -> None:
    """Restrict this process, with the loop and the reader, to one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def quietest(model: Bundle, *, frames: int, rounds: int, size: tuple[int, int] = SOURCE_SIZE) -> dict[str, Any]:
    """Measure several rounds.

    Args:
        model: The bundle.
        frames: Number of frames in each round.
        rounds: Number of rounds.
        size: (width, height) of the source's frames.

    Returns:
        The round with the lowest median time of a frame, with the ratio of each round.
    """
    results = [measure(model, frames=frames, size=size) for _ in range(rounds)]
    best = min(results, key=lambda each: each["interpreter_us"]["p50"] + each["outside_us"]["p50"])
    return best | {"ratio_of_each_round": [each["ratio"] for each in results]}


def measure(model: Bundle, *, frames: int, size: tuple[int, int]) -> dict[str, Any]:
    """Run the pipeline once.

    Args:
        model: The bundle.
        frames: Number of frames to measure, after a warm-up that fills the window.
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
    """Measure the preparation of frames alone.

    Args:
        model: The model that the frames are prepared for.
        times: Number of frames of each size.

    Returns:
        Microseconds by size of the source's frames.
    """
    spec, results = model.manifest.input, {}
    out = np.zeros(spec.shape, np.uint8)
    for size in SIZES:
        preprocessor, samples_us = Preprocessor(spec), []
        for frame in NoiseSource(model.manifest, count=times, size=size).frames():
            started_ns = monotonic_ns()
            preprocessor.write(frame, out)
            samples_us.append((monotonic_ns() - started_ns) / 1e3)
        results[f"{size[0]}x{size[1]}"] = summary(samples_us, digits=1)
    return results


def _last(latency: LatencySamples, frames: int) -> Array:
    """Return the last samples in microseconds, in order."""
    return latency.samples_ns[-frames:] / 1e3


def _where(telemetry: Telemetry, middle: dict[str, float]) -> dict[str, float]:
    """Return the medians of the stages outside the interpreter, and the remainder for the loop itself."""
    stages = {name: latency.p50_ms * 1e3 for name, latency in telemetry.stages().items()}
    parts = {name: stages[name] for name in ("preprocess", "decide", "emit")}
    rest = {"quantise, rings, probabilities, loop": middle["outside_us"] - sum(parts.values())}
    return {name: round(value, 1) for name, value in {**parts, **rest}.items()}


def mobilenet(folder: Path) -> Path:
    """Convert an untrained CNN-LSTM around MobileNetV2-0.35.

    Args:
        folder: Folder of the model, the clips and the bundle.

    Returns:
        The path of the bundle.
    """
    from convert.frameworks.tensorflow_setup import import_tensorflow

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
    return _convert(folder / "mobilenetv2.keras", folder / "mobilenetv2.edgevid")


def lrcn(folder: Path, model: Path) -> Path:
    """Convert a small LRCN.

    Args:
        folder: Folder of the clips and the bundle.
        model: The model file.

    Returns:
        The path of the bundle.
    """
    return _convert(model, folder / "lrcn.edgevid", color="bgr")


def _convert(model: Path, out: Path, *, color: Color | None = None) -> Path:
    from convert import Options, convert_model
    from convert.progress import Terminal

    clips = out.parent / "clips"
    write_clips(clips)
    # Only the time counts, so the precision is fixed and any loss of accuracy allowed.
    options = Options(precision="int8", interval=0.1, color=color, max_drop=100.0, min_agreement=0.0)
    return convert_model(model, clips, out, options=options, progress=Terminal()).path


def write_clips(folder: Path, *, count: int = 4) -> None:
    """Write unlabelled clips of rendered gestures.

    Args:
        folder: Folder of the clips.
        count: Number of clips.
    """
    from convert.demo.annotated_video import write_video

    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        source = GestureSource(seed=seed, height_px=120, width_px=160, duration_s=3.0)
        frames = (np.ascontiguousarray(frame.data[:, :, ::-1]) for frame in source.frames())
        write_video(folder / f"{seed}.mp4", frames, fps=source.fps)


def converted(path: Path, convert: Callable[..., Path], *args: Path) -> Bundle:
    """Read a bundle; if it is missing, convert it first.

    Args:
        path: The path of the bundle.
        convert: `mobilenet` or `lrcn`; called with the folder and `args`.
        args: More arguments of `convert`.
    """
    if not path.exists():
        # In another process, so that TensorFlow does not run during the measurement.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            process.submit(convert, path.parent, *args).result()
    return bundle.read(path)


def measure_all(models: Mapping[str, Bundle], *, frames: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Measure each model on one core, across cores and from small frames."""
    # Before the process is restricted to one core.
    across = {name: quietest(model, frames=frames, rounds=3)["ratio"] for name, model in models.items()}
    on_one_core()
    results = {
        name: quietest(model, frames=min(frames, LATENCY_SAMPLES), rounds=rounds) for name, model in models.items()
    }
    for name, model in models.items():
        small = quietest(model, frames=frames, rounds=3, size=SIZES[0])
        results[name] |= {"ratio_across_cores": across[name], "ratio_from_320x240": small["ratio"]}
    return results


def print_results(results: Mapping[str, dict[str, Any]], prepared: Mapping[str, dict[str, float]]) -> None:
    columns = ("interpreter_us", "invoke_us", "outside_us")
    rows: list[tuple[object, ...]] = [
        ("model", "interpreter us", "of which invoke us", "outside us", "ratio", "ratio to invoke alone")
    ]
    rows += [
        (name, *(result[column]["p50"] for column in columns), result["ratio"], result["ratio_to_invoke_alone"])
        for name, result in results.items()
    ]
    print(table(rows))
    for name, result in results.items():
        where_us = result["where_us"]
        print(f"\n{name}, outside, median us:\n{table([tuple(where_us), tuple(where_us.values())])}")
    sizes = ", ".join(f"{size} {each['p50']}" for size, each in prepared.items())
    print(f"\npreparing a frame for 112x112, median us: {sizes}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000, help="frames in a round, at most 4000 (default: 1000)")
    parser.add_argument("--rounds", type=int, default=10, help="number of rounds, the quietest counts (default: 10)")
    parser.add_argument("--lrcn", type=Path, metavar="MODEL", help="a small LRCN to report as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder for the bundles; those in it are used again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        models = {MOBILENET: converted(folder / "mobilenetv2.edgevid", mobilenet)}
        if args.lrcn:
            models[args.lrcn.stem] = converted(folder / "lrcn.edgevid", lrcn, args.lrcn)
        results = measure_all(models, frames=args.frames, rounds=args.rounds)
        prepared = preparing(models[MOBILENET])
    samples = {
        f"{name} {key}": values for name, result in results.items() for key, values in result.pop("samples").items()
    }
    path = write(
        "frame_cost",
        question="Time of a frame outside the interpreter over the interpreter's own, frames of 640x480 in memory; "
        "goal at most 0.10 for MobileNetV2-0.35.",
        numbers={**results, "preparing_us_by_size": prepared},
        samples=samples,
        threads=1,
    )
    print_results(results, prepared)
    print(f"\nWrote {path}")
    return 0 if results[MOBILENET]["ratio"] <= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
