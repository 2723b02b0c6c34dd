"""Time by operator: growing prefixes of a part are timed in turn, and their differences are the operators.

The interpreter's package exposes no profiler. A prefix ends where operators are cut apart, so nothing is
fused across the cut, and its last tensors are copied out: a difference is an estimate, and its interval
covers the noise of the measurement only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np

from convert.progress import Progress
from convert.quantization.file_pieces import OperatorFile
from convert.tflite_file import read_tflite
from edgevid.backends.litert import LiteRt
from edgevid.bench.statistics import Interval, mean_interval
from edgevid.bundle import Bundle
from edgevid.errors import UsageError
from edgevid.units import NS_PER_MS

# Each prefix is an interpreter of its own, all in memory at once.
MOST_OPERATORS = 400
_LEAST_RUNS, _RUN_NS = 5, 8_000_000


@dataclass(frozen=True, kw_only=True)
class OperatorTime:
    """One operator of a part.

    Attributes:
        role: The part.
        place: Its place in the part, from 0.
        kind: As the schema names it.
        output: Name of its first output.
        ms: Time; the first operator's has the interpreter's own with it.
    """

    role: str
    place: int
    kind: str
    output: str
    ms: Interval


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The operators of all parts of a bundle.

    Attributes:
        operators: In the order in which they run.
        whole_ms: Median time of each part by role, uncut.
        threads: Interpreter threads.
        interpreter: What ran them.
    """

    operators: tuple[OperatorTime, ...]
    whole_ms: dict[str, float]
    threads: int
    interpreter: str


def profile(bundle: Bundle, *, threads: int, rounds: int, progress: Progress) -> Profile:
    """Time the operators of a bundle's parts on this machine.

    Args:
        bundle: The bundle.
        threads: Interpreter threads.
        rounds: Turns of all prefixes, at least 2; the interval is over them.
        progress: Shows the rounds.

    Raises:
        UsageError: A part has more than 400 operators.
        BackendError: The interpreter rejects a prefix.
    """
    interpreter = LiteRt(threads=threads)
    operators: list[OperatorTime] = []
    whole_ms: dict[str, float] = {}
    for part in bundle.manifest.parts:
        data = bundle.models[part.file]
        names = _names(data, part.file)
        # The last timer is that of the part itself, uncut.
        timers = [*_timers(data, len(names), interpreter, part.file), _timer(interpreter.open(data, part.file))]
        times = _in_turn(timers, rounds, progress, part.role)
        whole_ms[part.role] = float(np.median(times[:, -1]))
        steps = np.diff(times[:, :-1], axis=1, prepend=0.0)
        operators += [
            OperatorTime(
                role=part.role, place=place, kind=kind, output=output, ms=mean_interval(steps[:, place].tolist())
            )
            for place, (kind, output) in enumerate(names)
        ]
    return Profile(operators=tuple(operators), whole_ms=whole_ms, threads=threads, interpreter=interpreter.name)


def _names(data: bytes, file: str) -> list[tuple[str, str]]:
    """Return kind and first output of each operator."""
    graph = read_tflite(data, file)
    if len(graph.operators) > MOST_OPERATORS:
        raise UsageError(
            expected=f"a part with at most {MOST_OPERATORS} operators", found=f"{file} with {len(graph.operators)}"
        )
    return [(each.kind, graph.tensors[each.outputs[0]].name) for each in graph.operators]


def _timers(data: bytes, count: int, interpreter: LiteRt, file: str) -> list[Callable[[], float]]:
    """Load each prefix, the shortest first; return what times each."""
    pieces = OperatorFile(data)
    return [_timer(interpreter.open(pieces.prefix(length), f"{file}, cut")) for length in range(1, count + 1)]


def _timer(loaded: Any) -> Callable[[], float]:
    """Return what measures the median time of a run in ms."""
    rng = np.random.default_rng(0)
    for detail in loaded.get_input_details():
        kind = np.dtype(detail["dtype"])
        shape = tuple(int(size) for size in detail["shape"])
        # Drawn values, since zeros may be faster.
        values = rng.standard_normal(shape) if kind.kind == "f" else rng.integers(0, 100, shape)
        loaded.set_tensor(detail["index"], values.astype(kind))
    loaded.invoke()

    def median_ms() -> float:
        took_ns: list[int] = []
        until_ns = perf_counter_ns() + _RUN_NS
        while len(took_ns) < _LEAST_RUNS or perf_counter_ns() < until_ns:
            began_ns = perf_counter_ns()
            loaded.invoke()
            took_ns.append(perf_counter_ns() - began_ns)
        return float(np.median(took_ns)) / NS_PER_MS

    return median_ms


def _in_turn(
    timers: Sequence[Callable[[], float]], rounds: int, progress: Progress, role: str
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return (rounds, prefixes) in ms; each round in another order, so that a disturbance meets all of them."""
    order, times = random.Random(0), np.zeros((rounds, len(timers)))
    for number in progress.track(range(rounds), f"timing the {role}"):
        for place in order.sample(range(len(timers)), len(timers)):
            times[number, place] = timers[place]()
    return times
