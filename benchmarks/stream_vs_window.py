"""What does a decision cost when only the new frame is encoded, against running the whole window again for each frame?

    python benchmarks/stream_vs_window.py MODEL.h5 --clips DIR [--color bgr] [--rounds 200]

Four peers run the whole window:

- `model.predict` on a deque of frames, as the tutorials do;
- the file of the stock TFLite converter, in float and in int8;
- this project's own file for the whole window (plan `stack`), in float and in int8.

The stock files are made in a child process, because the stock converter may crash. Our encoder is
arranged for the int8 kernels of this machine (`--target host`). All take turns in one process on
one thread, so that other load on the machine affects each alike. Only the ratios are comparable.

Goals for an LRCN of T=20: 1/24 of the fastest whole window in TFLite, 1/1000 of `model.predict`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from writing.results_file import summary, table, write

from convert import Options, convert_model
from convert.loading.load import load
from convert.progress import Terminal
from edgevid import bundle
from edgevid.backends.litert import LiteRt
from edgevid.errors import EdgevidError
from edgevid.frames import Array
from edgevid.inference.engine import Engine
from edgevid.quant import QuantParams, quantize

GOAL_WINDOW, GOAL_PREDICT = 24, 1000
STOCK = """
import sys
import numpy as np, tensorflow as tf
from convert.loading.load import load
model_path, frames_path, precision, out = sys.argv[1:]
model, frames = load(model_path).model, np.load(frames_path)
fixed = tf.function(lambda clip: model(clip)).get_concrete_function(tf.TensorSpec((1, *frames.shape[1:]), tf.float32))
module = tf.Module(); module.model = model
converter = tf.lite.TFLiteConverter.from_concrete_functions([fixed], module)
if precision == "int8":
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([clip[None]] for clip in frames)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
open(out, "wb").write(converter.convert())
"""


def main() -> None:
    """Convert, measure in turns, print and write."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        options = Options(interval="uniform", color=args.color, target="host")
        streamed = _bundle(args, Path(folder) / "stream.edgevid", options)
        clip = streamed.golden.frames[: streamed.manifest.window.frames]
        real = clip.astype(np.float32) / 255.0
        runs = {"edgevid, new frame only": _engine_run(streamed, clip), **_whole_windows(args, Path(folder), real)}
        predict = _predict_run(args.model, real)
        samples_ms = {name: _time(run, args.rounds) for name, run in runs.items()}
        for _ in range(3):
            _turn(runs, samples_ms, args.rounds)
        samples_ms["model.predict on the deque"] = _time(predict, max(args.rounds // 10, 10))
    _report(args, streamed, samples_ms)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--color", default="bgr", choices=("bgr", "rgb", "gray"))
    parser.add_argument("--rounds", type=int, default=200)
    return parser.parse_args()


def _bundle(args: argparse.Namespace, path: Path, options: Options) -> bundle.Bundle:
    convert_model(args.model, args.clips, path, options=options, progress=Terminal())
    return bundle.read(path)


def _engine_run(held: bundle.Bundle, clip: Array) -> Callable[[], None]:
    """One new frame into a full window."""
    engine = Engine(held)
    frames = deque(clip)

    def run() -> None:
        np.copyto(engine.input_buffer(), frames[0])
        frames.rotate(-1)
        engine.step()

    for _ in clip:
        run()
    return run


def _whole_windows(args: argparse.Namespace, folder: Path, real: Array) -> dict[str, Callable[[], None]]:
    runs: dict[str, Callable[[], None]] = {}
    np.save(folder / "frames.npy", np.stack([real] * 4))
    for precision in ("float", "int8"):
        out = folder / f"stock-{precision}.tflite"
        done = subprocess.run(
            [sys.executable, "-c", STOCK, str(args.model), str(folder / "frames.npy"), precision, str(out)],
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            runs[f"stock whole window, {precision}"] = _file_run(out.read_bytes(), real)
        else:
            sys.stderr.write(f"stock {precision}: the converter ended with status {done.returncode}\n")
    for precision in ("float32", "int8"):
        options = Options(
            interval="uniform", color=args.color, plan="stack", precision=precision, min_agreement=0.0, max_drop=100
        )
        try:
            held = _bundle(args, folder / f"stack-{precision}.edgevid", options)
        except EdgevidError as error:
            sys.stderr.write(f"stack {precision}: {error}\n")
            continue
        runs[f"edgevid whole window, {precision}"] = _file_run(held.models["whole.tflite"], real)
    return runs


def _file_run(data: bytes, real: Array) -> Callable[[], None]:
    """Fill the input, invoke, take the output."""
    interpreter = LiteRt().open(data, "peer")
    given, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    dtype: Any = np.dtype(given["dtype"]).name
    window = quantize(real, QuantParams(dtype, float(given["quantization"][0]) or 1.0, int(given["quantization"][1])))[
        None
    ]

    def run() -> None:
        interpreter.set_tensor(given["index"], window)
        interpreter.invoke()
        interpreter.get_tensor(result["index"])

    return run


def _predict_run(path: Path, real: Array) -> Callable[[], None]:
    model = load(path).model
    frames = deque(real, maxlen=len(real))

    def run() -> None:
        frames.append(frames[0])
        model.predict(np.expand_dims(np.array(frames), 0), verbose=0)

    run()
    return run


def _turn(runs: dict[str, Callable[[], None]], samples_ms: dict[str, list[float]], rounds: int) -> None:
    for name, run in runs.items():
        samples_ms[name] += _time(run, rounds)


def _time(run: Callable[[], None], rounds: int) -> list[float]:
    samples = []
    for _ in range(rounds):
        started_ns = perf_counter_ns()
        run()
        samples.append((perf_counter_ns() - started_ns) / 1e6)
    return samples


def _report(args: argparse.Namespace, streamed: bundle.Bundle, samples_ms: dict[str, list[float]]) -> None:
    medians = {name: float(np.median(samples)) for name, samples in samples_ms.items()}
    ours = medians["edgevid, new frame only"]
    stock, fastest = (
        min((name for name in medians if name.startswith(kind) and "whole" in name), key=medians.__getitem__)
        for kind in ("stock", ("stock", "edgevid"))
    )
    rows = [
        ("a decision", "median ms", "times ours"),
        *((name, f"{median:.3f}", f"{median / ours:.1f}") for name, median in medians.items()),
    ]
    sys.stdout.write(
        table(rows) + f"\n\nfastest whole window in TFLite: {fastest}; of the stock converter's: {stock}\n"
    )
    numbers = {
        "model": args.model.name,
        "frames": streamed.manifest.window.frames,
        "precision": {part.role: part.precision for part in streamed.manifest.parts},
        "ms": {name: summary(samples) for name, samples in samples_ms.items()},
        "fastest_window": fastest,
        "times_fastest_window": round(medians[fastest] / ours, 1),
        "fastest_stock_window": stock,
        "times_fastest_stock_window": round(medians[stock] / ours, 1),
        "times_predict": round(medians["model.predict on the deque"] / ours, 1),
        "goal_times_fastest_window": GOAL_WINDOW,
        "goal_times_predict": GOAL_PREDICT,
    }
    sys.stderr.write(
        f"Wrote {write('stream_vs_window', question=(__doc__ or '').splitlines()[0], numbers=numbers, threads=1)}\n"
    )


if __name__ == "__main__":
    main()
