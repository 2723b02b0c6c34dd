"""Time by operator: growing prefixes of a part are timed in turn, and their differences are the operators.

The interpreter's package exposes no profiler. A prefix ends where operators are cut apart, so nothing is
fused across the cut, and its last tensors are copied out: a difference is an estimate, and its interval
covers the noise of the measurement only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from time import perf_counter_ns
from typing import Any

import numpy as np

from edgevid.backends.litert import LiteRt
from edgevid.backends.operator_prefixes import OperatorPrefixes
from edgevid.bench.statistics import Interval, mean_interval
from edgevid.bundle import Bundle
from edgevid.bundle.parts import Part
from edgevid.units import NS_PER_MS

# Each prefix is an interpreter of its own; those of a group are in memory together.
GROUP = 200
_LEAST_RUNS, _RUN_NS = 5, 8_000_000

Times = np.ndarray[Any, np.dtype[np.float64]]


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


def profile(bundle: Bundle, *, threads: int, rounds: int, say: Callable[[str], None]) -> Profile:
    """Time the operators of a bundle's parts on this machine.

    Args:
        bundle: The bundle.
        threads: Interpreter threads.
        rounds: Turns of all prefixes, at least 2; the interval is over them.
        say: Shows the rounds.

    Raises:
        MissingDependency: The installed interpreter cannot write files.
        BackendError: The interpreter rejects a prefix.
    """
    interpreter = LiteRt(threads=threads)
    operators: list[OperatorTime] = []
    whole_ms: dict[str, float] = {}
    for part in bundle.manifest.parts:
        data = bundle.models[part.file]
        prefixes = OperatorPrefixes(data, part.file)
        steps, whole = _steps(data, prefixes, interpreter, part, partial(_in_turn, rounds=rounds, say=say))
        whole_ms[part.role] = float(np.median(whole))
        operators += [
            OperatorTime(
                role=part.role, place=place, kind=kind, output=output, ms=mean_interval(steps[:, place].tolist())
            )
            for place, (kind, output) in enumerate(prefixes.names)
        ]
    return Profile(operators=tuple(operators), whole_ms=whole_ms, threads=threads, interpreter=interpreter.name)


def _steps(
    data: bytes, prefixes: OperatorPrefixes, interpreter: LiteRt, part: Part, timed: Callable[..., Times]
) -> tuple[Times, Times]:
    """Return (rounds, operators) of each operator and (rounds,) of the part itself, uncut, in ms."""
    steps, count = list[Times](), len(prefixes.names)
    for first in range(0, count, GROUP):
        last = min(first + GROUP, count)
        # Each group times the prefix before it too, so that a difference is always of one group.
        lengths = range(max(first, 1), last + 1)
        files = chain(((prefixes.prefix(length), f"{part.file}, cut") for length in lengths), [(data, part.file)])
        task = f"timing the {part.role}" if count <= GROUP else f"timing the {part.role}, operators {first} to {last}"
        # No name holds the interpreters of a group while the next one's are opened.
        times = timed([_timer(interpreter.open(*each)) for each in files], task=task)
        cut = times[:, : len(lengths)]
        steps.append(np.diff(cut, axis=1) if first else np.diff(cut, axis=1, prepend=0.0))
    # The part itself was timed with every group.
    return np.concatenate(steps, axis=1), times[:, -1]


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


def _in_turn(timers: Sequence[Callable[[], float]], *, rounds: int, say: Callable[[str], None], task: str) -> Times:
    """Return (rounds, prefixes) in ms; each round in another order, so that a disturbance meets all of them."""
    order, times = random.Random(0), np.zeros((rounds, len(timers)))
    for number in range(rounds):
        say(f"{task}: round {number + 1} of {rounds}")
        for place in order.sample(range(len(timers)), len(timers)):
            times[number, place] = timers[place]()
    return times
