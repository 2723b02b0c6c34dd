"""What does a conversion cost in time and memory?

    python benchmarks/conversion.py [--lrcn MODEL --clips DIR]
    python benchmarks/conversion.py --big-windows [--clips DIR]

Goals: an LRCN in 20 s, MobileNetV2 with an LSTM in 60 s, both under 3 GiB, and `auto` under five
times one conversion. Models of big windows, --big-windows, stay under 3 GB whatever the number of
clips. They take minutes each.

Each conversion is `edgevid convert` in a process of its own, from its start to its end. Memory is
the sum over this process and its children, sampled every 50 ms. Without --lrcn, the benchmark builds
an LRCN of the usual size, and clips of moving squares for it. In the worst case of `auto`, every
recipe is tried; it is measured with a budget that no recipe meets. The results contain CPU time as
well as wall-clock time, because other programs may use the machine.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from writing.results_file import goals_text, table, write

from convert.clips import find_clips
from convert.demo.annotated_video import write_video
from convert.frameworks.tensorflow_setup import import_tensorflow

GOALS_S = {"LRCN": 20.0, "MobileNetV2 + LSTM": 60.0}
GOAL_GIB, GOAL_TIMES = 3.0, 5.0
# Frames, height and width of the big windows, by name.
BIG_WINDOWS = {
    "ConvLSTM 20x128x128": (20, 128, 128),
    "ConvLSTM 20x255x255": (20, 255, 255),
    "Conv3D 64x224x224": (64, 224, 224),
}
GOAL_GB = 3.0
# `edgevid convert` with a budget that no recipe meets, so that every recipe is tried.
REJECT_ALL = """
import sys
import edgevid.cli
from convert.verification.budget import Budget
Budget.broken = lambda *_: "nothing is good enough"
sys.exit(edgevid.cli.main())
"""
# Random weights have no accuracy to preserve.
ANY_RESULT = ("--max-drop", "100", "--min-agreement", "0")
# Keys of the results.
INT8, WORST_CASE = "int8", "auto, nothing good enough"
_SAMPLE_S = 0.05
_KIB_PER_GIB = 2**20
_GB_PER_GIB = 2**30 / 1e9
_CLIPS, _FRAMES = 12, 48
_CLIPS_OF_BIG_WINDOWS = 40


@dataclass(frozen=True)
class Cost:
    """The cost of one conversion.

    Attributes:
        seconds: Wall-clock time.
        cpu_s: CPU time of the process and its children.
        gib: Largest sum of the resident memory of the process and its children.
        once_gib: The same with pages that they share, such as libraries, counted once.
        code: Exit code of the process.
    """

    seconds: float
    cpu_s: float
    gib: float
    once_gib: float
    code: int


class MemoryWatch(threading.Thread):
    """Samples the memory of a process and its descendants.

    Args:
        pid: The process.

    Attributes:
        peak_kib: Largest sum of resident memory so far.
        peak_once_kib: The same with shared pages counted once ("proportional set size").
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._stopped = threading.Event()
        self.peak_kib = self.peak_once_kib = 0

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._stopped.wait(_SAMPLE_S):
            pids = _with_descendants(self._pid)
            self.peak_kib = max(self.peak_kib, sum(_kib(pid, "status", "VmRSS:") for pid in pids))
            self.peak_once_kib = max(self.peak_once_kib, sum(_kib(pid, "smaps_rollup", "Pss:") for pid in pids))

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self.join()


def _with_descendants(pid: int) -> list[int]:
    pids = [pid]
    # The list grows during the loop: a child may have children of its own.
    for parent in pids:
        tasks = Path(f"/proc/{parent}/task")
        try:
            pids += [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
        except OSError:
            # The process has ended.
            continue
    return pids


def _kib(pid: int, file: str, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def convert(model: Path, clips: Path, *options: str, program: Sequence[str] = ("-m", "edgevid.cli")) -> Cost:
    """Run `edgevid convert` once.

    Args:
        model: The model file.
        clips: The folder of clips.
        options: More options of the command.
        program: Arguments of Python that run the command line.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *program, "convert", str(model), "--clips", str(clips)]
        command += ["-o", f"{folder}/out.edgevid", *options]
        began_s, before_s = time.monotonic(), _children_s()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        memory = MemoryWatch(child.pid)
        memory.start()
        code = child.wait()
        seconds = time.monotonic() - began_s
        memory.stop()
    return Cost(
        seconds,
        _children_s() - before_s,
        *(kib / _KIB_PER_GIB for kib in (memory.peak_kib, memory.peak_once_kib)),
        code,
    )


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_clips(folder: Path, count: int = _CLIPS) -> Path:
    """Write clips of squares that move to the left or to the right over noise."""
    rng = np.random.default_rng(1)
    for index in range(count):
        label = ("left", "right")[index % 2]
        frames = rng.integers(0, 90, (_FRAMES, 120, 160, 3)).astype(np.uint8)
        for step, frame in enumerate(frames):
            x = 10 + 2 * step if label == "right" else 110 - 2 * step
            frame[40:80, x : x + 40] = rng.integers(120, 255, 3)
        (folder / label).mkdir(parents=True, exist_ok=True)
        write_video(folder / label / f"{index}.mp4", frames, fps=24.0)
    return folder


def make_lrcn(path: Path) -> Path:
    """Write the LRCN of the usual tutorials, for 20 frames of 64x64, with random weights."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((20, 64, 64, 3))])
    for filters in (16, 32, 64, 64):
        model.add(layers.TimeDistributed(layers.Conv2D(filters, 3, padding="same", activation="relu")))
        model.add(layers.TimeDistributed(layers.MaxPooling2D(4 if filters < 64 else 2)))
    model.add(layers.TimeDistributed(layers.Flatten()))
    model.add(layers.LSTM(32))
    model.add(layers.Dense(2, activation="softmax"))
    model.save(path)
    return path


def make_mobilenet(path: Path) -> Path:
    """Write MobileNetV2 at 112x112 with an LSTM of 64 units over 16 frames, with random weights."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(1)
    backbone = keras.applications.MobileNetV2(input_shape=(112, 112, 3), include_top=False, weights=None, pooling="avg")
    keras.Sequential(
        [
            keras.Input((16, 112, 112, 3)),
            layers.TimeDistributed(backbone),
            layers.LSTM(64),
            layers.Dense(2, activation="softmax"),
        ],
    ).save(path)
    return path


def make_convlstm(path: Path, window: tuple[int, int, int]) -> Path:
    """Write the ConvLSTM of the usual tutorials, with random weights."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((*window, 3))])
    for filters in (4, 8, 14, 16):
        model.add(layers.ConvLSTM2D(filters, 3, activation="tanh", return_sequences=True))
        model.add(layers.MaxPooling3D((1, 2, 2), padding="same"))
    model.add(layers.Flatten())
    model.add(layers.Dense(2, activation="softmax"))
    model.save(path)
    return path


def make_conv3d(path: Path, window: tuple[int, int, int]) -> Path:
    """Write three convolutions over time and space, with random weights."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((*window, 3))])
    for filters in (8, 16, 32):
        model.add(layers.Conv3D(filters, 3, activation="relu", padding="same"))
        model.add(layers.MaxPooling3D(2))
    model.add(layers.GlobalAveragePooling3D())
    model.add(layers.Dense(2, activation="softmax"))
    model.save(path)
    return path


def measure_big_windows(folder: Path, clips: Path) -> int:
    """Convert a model of each big window to int8, and write the results.

    Args:
        folder: For the models.
        clips: The folder of clips.
    """
    peaks: dict[str, dict[str, float]] = {}
    for name, window in BIG_WINDOWS.items():
        make = make_conv3d if name.startswith("Conv3D") else make_convlstm
        model = make(folder / f"{name.replace(' ', '-')}.keras", window)
        cost = convert(model, clips, "--precision", "int8", "--interval", "uniform", *ANY_RESULT)
        # Two processes with the same libraries do not take their memory twice.
        sizes = {"gb": round(cost.once_gib * _GB_PER_GIB, 2), "gb_counted_twice": round(cost.gib * _GB_PER_GIB, 2)}
        peaks[name] = {**sizes, **_numbers(cost)}
        print(f"{name}: {peaks[name]}", file=sys.stderr)
    goals = {f"{name} under {GOAL_GB:g} GB": each["gb"] < GOAL_GB for name, each in peaks.items()}
    numbers = {"clips": len(find_clips(clips)), "windows": peaks, "goals_met": goals}
    question = (
        "Peak memory of a whole `edgevid convert` of big windows, all processes together, pages that they share "
        "counted once (goal: under 3 GB)."
    )
    print(table([("window", "GB", "seconds"), *((name, each["gb"], each["s"]) for name, each in peaks.items())]))
    print(f"\n{goals_text(goals)}\nWrote {write('big_windows', question=question, numbers=numbers)}")
    return 0


def measure(models: dict[str, Path], clips: Path, more: Sequence[str]) -> dict[str, dict[str, Cost]]:
    """Convert each model to int8, and by `auto` with a budget that no recipe meets.

    Args:
        models: Model files by name.
        clips: The folder of clips.
        more: Options of every conversion.

    Returns:
        Costs by name of the model and kind of conversion.
    """
    costs = {}
    for name, model in models.items():
        costs[name] = {
            INT8: convert(model, clips, "--precision", "int8", *ANY_RESULT, *more),
            WORST_CASE: convert(model, clips, *more, program=("-c", REJECT_ALL)),
        }
        for kind, cost in costs[name].items():
            text = f"{cost.seconds:.1f} s ({cost.cpu_s:.1f} s of CPU), {cost.gib:.2f} GiB, exit code {cost.code}"
            print(f"{name}, {kind}: {text}", file=sys.stderr)
    return costs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--lrcn", type=Path, metavar="MODEL", help="a trained LRCN to convert instead of one with random weights"
    )
    parser.add_argument("--clips", type=Path, metavar="DIR", help="clips of the LRCN, or for --big-windows")
    parser.add_argument("--big-windows", action="store_true", help="measure the memory of big windows instead")
    args = parser.parse_args()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if args.big_windows:
            return measure_big_windows(folder, args.clips or make_clips(folder / "clips", _CLIPS_OF_BIG_WINDOWS))
        clips = args.clips or make_clips(folder / "clips")
        models = {
            "LRCN": args.lrcn or make_lrcn(folder / "lrcn.keras"),
            "MobileNetV2 + LSTM": make_mobilenet(folder / "mobilenet.keras"),
        }
        costs = measure(models, clips, ("--interval", "uniform"))
        count = len(find_clips(clips))
    numbers = {"lrcn": args.lrcn.name if args.lrcn else "random weights", "clips": count, **answer(costs)}
    print(table(rows(costs)))
    print(f"\n{goals_text(numbers['goals_met'])}")
    print(f"Wrote {write('conversion', question=question(), numbers=numbers)}")
    return 0


def question() -> str:
    return (
        "Time and memory of a whole `edgevid convert`, from the start of Python to the end, all processes together "
        "(goals: LRCN 20 s, MobileNetV2 with an LSTM 60 s on two cores, 3 GiB, auto at most five times one conversion, "
        "with every recipe tried)."
    )


def rows(costs: dict[str, dict[str, Cost]]) -> list[Sequence[object]]:
    """Return the rows of the printed table."""
    lines = [
        (name, kind, f"{cost.seconds:.1f}", f"{cost.cpu_s:.1f}", f"{cost.gib:.2f}", cost.code)
        for name, by_kind in costs.items()
        for kind, cost in by_kind.items()
    ]
    return [("model", "precision", "seconds", "CPU seconds", "GiB", "exit code"), *lines]


def answer(costs: dict[str, dict[str, Cost]]) -> dict[str, Any]:
    """Return the numbers of the results file."""
    times = {name: round(by_kind[WORST_CASE].cpu_s / by_kind[INT8].cpu_s, 2) for name, by_kind in costs.items()}
    peak_gib = max(cost.gib for by_kind in costs.values() for cost in by_kind.values())
    return {
        "conversions": {
            name: {kind: _numbers(cost) for kind, cost in by_kind.items()} for name, by_kind in costs.items()
        },
        "auto_times": times,
        "goals_met": {
            **{f"{name} in under {GOALS_S[name]:g} s": costs[name][INT8].seconds < GOALS_S[name] for name in costs},
            f"peak memory under {GOAL_GIB:g} GiB": peak_gib < GOAL_GIB,
            f"auto under {GOAL_TIMES:g} times one conversion": max(times.values()) < GOAL_TIMES,
        },
    }


def _numbers(cost: Cost) -> dict[str, float]:
    return {
        "s": round(cost.seconds, 1),
        "cpu_s": round(cost.cpu_s, 1),
        "gib": round(cost.gib, 2),
        "exit_code": cost.code,
    }


if __name__ == "__main__":
    sys.exit(main())
