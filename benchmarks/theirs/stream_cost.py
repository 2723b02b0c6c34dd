"""What does a stream that someone else converted cost beyond its interpreter?

    python -m benchmarks.theirs.stream_cost MOVINET.tflite [--frames 50] [--rounds 20]

Goal: at most 1.05 times the interpreter run by hand, as the authors' tutorials do: set the frame and
every state, invoke, get the scores and every state. The engine also scales the pixels of the frame
and applies the softmax.

Both run the same frames in turns. Other programs on the machine slow down either at times, so the
time of a frame is the shortest of all rounds, and the answer is the ratio of their sums. The
benchmark first checks that the scores after every frame are equal.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from benchmarks.writing.results_file import write
from edgevid import bundle
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.frames import Array
from edgevid.inference.engine import Engine
from edgevid.inference.probabilities import to_probabilities

GOAL = 1.05


class ByHand:
    """The file in a bare interpreter.

    Args:
        held: The bundle of the file.
    """

    def __init__(self, held: Bundle) -> None:
        part = held.manifest.parts[0]
        self._interpreter = LiteRt().open(held.models[part.file], part.file)
        inputs = {each["name"]: each["index"] for each in self._interpreter.get_input_details()}
        outputs = {each["name"]: each["index"] for each in self._interpreter.get_output_details()}
        self._frame, self._scores = inputs[part.inputs[0].name], outputs[part.outputs[0].name]
        self._before = [inputs[each.name] for each in part.states_before]
        self._after = [outputs[each.name] for each in part.states_after]
        self._zeros = [np.zeros(each.shape, each.dtype) for each in part.states_before]
        self.restart()

    def restart(self) -> None:
        """Begin anew."""
        self._states = self._zeros

    def step(self, frame: Array) -> Array:
        """Run one frame as the input takes it, and return the scores."""
        interpreter = self._interpreter
        interpreter.set_tensor(self._frame, frame)
        for place, state in zip(self._before, self._states, strict=True):
            interpreter.set_tensor(place, state)
        interpreter.invoke()
        self._states = [interpreter.get_tensor(place) for place in self._after]
        return interpreter.get_tensor(self._scores)

    def invoke(self, _frame: Array) -> None:
        """Run the graph alone, on what the tensors hold."""
        self._interpreter.invoke()


def measure(held: Bundle, *, frames: int, rounds: int) -> dict[str, Any]:
    """Run engine and interpreter in turns.

    Args:
        held: The bundle of the file.
        frames: Frames in a round.
        rounds: Rounds of each.

    Returns:
        Milliseconds a frame and their ratios.
    """
    engine, hand, source = Engine(held), ByHand(held), held.manifest.parts[0].inputs[0]
    pixels = np.random.default_rng(0).integers(0, 256, (frames, *held.manifest.input.shape)).astype(np.uint8)
    real = [(frame * np.float32(1 / 255)).reshape(source.shape) for frame in pixels]

    def by_engine(frame: Array) -> list[float] | None:
        np.copyto(engine.input_buffer(), frame)
        return engine.advance()

    expected = [to_probabilities(held.manifest.scores)(hand.step(frame)[0]) for frame in real]
    is_equal = np.array_equal([by_engine(frame) for frame in pixels], np.stack(expected).astype(np.float64))
    ways: dict[str, tuple[Callable[[Array], object], Sequence[Array], Callable[[], None]]] = {
        "engine": (by_engine, list(pixels), engine.restart),
        "by_hand": (hand.step, real, hand.restart),
        "invoke": (hand.invoke, real, hand.restart),
    }
    shortest = {name: np.full(frames, np.iinfo(np.int64).max) for name in ways}
    for _ in range(rounds):
        for name, (step, inputs, restart) in ways.items():
            restart()
            shortest[name] = np.minimum(shortest[name], [_ns(step, frame) for frame in inputs])
    ms = {f"{name}_ms": round(float(times.mean()) / 1e6, 3) for name, times in shortest.items()}
    return {
        "file": held.manifest.provenance["source"],
        "states": len(held.manifest.parts[0].states_before),
        "equal_steps": frames if is_equal else 0,
        **ms,
        "ratio": round(ms["engine_ms"] / ms["by_hand_ms"], 3),
        "ratio_to_invoke_alone": round(ms["engine_ms"] / ms["invoke_ms"], 3),
    }


def _ns(step: Callable[[Array], object], frame: Array) -> int:
    started_ns = perf_counter_ns()
    step(frame)
    return perf_counter_ns() - started_ns


def converted(path: Path, folder: Path) -> Bundle:
    """Convert a file with a few clips of noise.

    Args:
        path: The file; it takes pictures.
        folder: Folder of the clips and the bundle.
    """
    from convert import Options, convert_model
    from convert.demo.annotated_video import write_video

    (folder / "clips").mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        write_video(folder / "clips" / f"{number}.mp4", rng.integers(0, 256, (20, 64, 64, 3), np.uint8), fps=10.0)
    convert_model(path, folder / "clips", folder / "out.edgevid", options=Options(interval=0.1, frames=8))
    return bundle.read(folder / "out.edgevid")


def main() -> int:
    """Measure, print and write the results; return 1 if a step differs or the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MOVINET.tflite")
    parser.add_argument("--frames", type=int, default=50, help="frames in a round (default: 50)")
    parser.add_argument(
        "--rounds", type=int, default=20, help="rounds, of which the shortest time counts (default: 20)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgevid-stream-") as folder:
        numbers = measure(converted(args.model, Path(folder)), frames=args.frames, rounds=args.rounds)
    path = write("stream_cost", question=str(__doc__).splitlines()[0], numbers=numbers | {"goal": GOAL}, threads=1)
    print(f"{numbers}\nWrote {path}")
    return 0 if numbers["equal_steps"] and numbers["ratio"] <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
