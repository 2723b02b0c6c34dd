"""What does a conversion cost? Goals: an LRCN in 20 s, MobileNetV2 with an LSTM in 60 s, both under 3 GiB; `auto` under five times one conversion.

    python benchmarks/conversion.py [--lrcn MODEL --clips DIR]

Each conversion is `edgevid convert` in a process of its own, from its start to its end, with the converter's child; memory is that of all of them
together, read every 50 ms. Without a model of your own an LRCN of the usual size is made, and clips of moving squares for it. The worst case of
`auto` is one in which nothing is good enough and every recipe is tried: it is measured with a budget that nothing keeps. Processor time is told
beside the clock's, because others may be at work on the machine.
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
from results_file import table, write

from convert.clips import find_clips
from convert.demo.video import write_video
from convert.frameworks.tensorflow_setup import import_tensorflow

GOALS_S = {"LRCN": 20.0, "MobileNetV2 + LSTM": 60.0}
GOAL_GIB, GOAL_TIMES = 3.0, 5.0
# `edgevid convert` whose budget nothing keeps, so that every recipe is tried.
NOTHING_KEEPS = "import sys, edgevid.cli, convert.verification.stages as v; v.Budget.broken = lambda *_: 'nothing is good enough'; sys.exit(edgevid.cli.main())"
_SAMPLE_S = 0.05
_KIB_PER_GIB = 2**20
_CLIPS, _FRAMES = 12, 48


@dataclass(frozen=True)
class Cost:
    """What one conversion took.

    Attributes:
        seconds: Wall clock.
        cpu_s: Processor time of the process and its children.
        gib: Most resident memory of the process and its children together.
        code: Its exit code.
    """

    seconds: float
    cpu_s: float
    gib: float
    code: int


class Memory(threading.Thread):
    """Watches the memory of a process and all that it starts.

    Args:
        pid: The process.

    Attributes:
        peak_kib: Most seen so far.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.peak_kib = 0

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(_SAMPLE_S):
            self.peak_kib = max(self.peak_kib, sum(_rss_kib(pid) for pid in _family(self._pid)))

    def stop(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join()


def _family(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        tasks = Path(f"/proc/{member}/task")
        try:
            found += [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
        except OSError:  # it has ended
            continue
    return found


def _rss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)


def convert(model: Path, clips: Path, *options: str, program: Sequence[str] = ("-m", "edgevid.cli")) -> Cost:
    """Convert once, as a person would."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            *program,
            "convert",
            str(model),
            "--clips",
            str(clips),
            "-o",
            f"{folder}/out.edgevid",
            *options,
        ]
        began_s, before_s = time.monotonic(), _children_s()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        memory = Memory(child.pid)
        memory.start()
        code = child.wait()
        seconds = time.monotonic() - began_s
        memory.stop()
    return Cost(seconds, _children_s() - before_s, memory.peak_kib / _KIB_PER_GIB, code)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_clips(folder: Path) -> Path:
    """Squares that move to the left or to the right over noise."""
    rng = np.random.default_rng(1)
    for index in range(_CLIPS):
        label = ("left", "right")[index % 2]
        frames = rng.integers(0, 90, (_FRAMES, 120, 160, 3)).astype(np.uint8)
        for step, frame in enumerate(frames):
            x = 10 + 2 * step if label == "right" else 110 - 2 * step
            frame[40:80, x : x + 40] = rng.integers(120, 255, 3)
        (folder / label).mkdir(parents=True, exist_ok=True)
        write_video(folder / label / f"{index}.mp4", frames, fps=24.0)
    return folder


def make_lrcn(path: Path) -> Path:
    """The LRCN of the usual tutorials, 20 frames of 64x64, with drawn weights."""
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
    """MobileNetV2 at 112x112 under an LSTM of 64 units over 16 frames, with drawn weights."""
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


def measure(models: dict[str, Path], clips: Path, more: Sequence[str]) -> dict[str, dict[str, Cost]]:
    """Convert each model to int8, and by `auto` with a budget that nothing keeps."""
    anything = ("--max-drop", "100", "--min-agreement", "0")
    found = {}
    for name, model in models.items():
        found[name] = {
            "int8": convert(model, clips, "--precision", "int8", *anything, *more),
            "auto, nothing good enough": convert(model, clips, *more, program=("-c", NOTHING_KEEPS)),
        }
        print(
            f"{name}: "
            + ", ".join(
                f"{how} {cost.seconds:.1f} s ({cost.cpu_s:.1f} s of processors) {cost.gib:.2f} GiB (exit {cost.code})"
                for how, cost in found[name].items()
            ),
            file=sys.stderr,
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lrcn", type=Path, metavar="MODEL", help="a trained LRCN to convert in place of the made one")
    parser.add_argument("--clips", type=Path, metavar="DIR", help="its clips")
    args = parser.parse_args()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clips = args.clips or make_clips(folder / "clips")
        models = {
            "LRCN": args.lrcn or make_lrcn(folder / "lrcn.keras"),
            "MobileNetV2 + LSTM": make_mobilenet(folder / "mobilenet.keras"),
        }
        found = measure(models, clips, ("--interval", "uniform"))
        count = len(find_clips(clips))
    numbers = {"lrcn": args.lrcn.name if args.lrcn else "drawn weights", "clips": count, **answer(found)}
    print(table(rows(found)))
    print("\n" + "\n".join(f"{'met' if met else 'MISSED'}: {goal}" for goal, met in numbers["goals_met"].items()))
    print(f"Wrote {write('conversion', question=question(), numbers=numbers)}")
    return 0


def question() -> str:
    return (
        "Time and memory of a whole `edgevid convert`, start of Python to end, all processes together (goals: LRCN 20 s, MobileNetV2 with an LSTM 60 s on two "
        "cores, 3 GiB, auto at most five times one conversion, with every recipe tried)."
    )


def rows(found: dict[str, dict[str, Cost]]) -> list[Sequence[object]]:
    """The table that is printed."""
    lines = [
        (name, how, f"{cost.seconds:.1f}", f"{cost.cpu_s:.1f}", f"{cost.gib:.2f}", cost.code)
        for name, costs in found.items()
        for how, cost in costs.items()
    ]
    return [("model", "precision", "seconds", "processor seconds", "GiB", "exit code"), *lines]


def answer(found: dict[str, dict[str, Cost]]) -> dict[str, Any]:
    """The numbers that are written."""
    times = {
        name: round(costs["auto, nothing good enough"].cpu_s / costs["int8"].cpu_s, 2) for name, costs in found.items()
    }
    peak = max(cost.gib for costs in found.values() for cost in costs.values())
    return {
        "conversions": {
            name: {
                how: {
                    "s": round(cost.seconds, 1),
                    "cpu_s": round(cost.cpu_s, 1),
                    "gib": round(cost.gib, 2),
                    "exit_code": cost.code,
                }
                for how, cost in costs.items()
            }
            for name, costs in found.items()
        },
        "auto_times": times,
        "goals_met": {
            **{f"{name} in under {GOALS_S[name]:g} s": found[name]["int8"].seconds < GOALS_S[name] for name in found},
            f"peak memory under {GOAL_GIB:g} GiB": peak < GOAL_GIB,
            f"auto under {GOAL_TIMES:g} times one conversion": max(times.values()) < GOAL_TIMES,
        },
    }


if __name__ == "__main__":
    sys.exit(main())
