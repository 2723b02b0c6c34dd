"""How many interpreter threads are quickest for a bundle on this machine: measured once, then kept.

More threads are not always quicker: a small model spends more on waking them than they save, and a board that is short of cores or
memory bandwidth gains nothing from the last ones. So each count from 1 to the number of cores plays the bundle's golden frames, in turn,
and the smallest count within `_NEAR` of the quickest is taken. The answer lies in a file whose name is made from the bundle's hashes, the
machine and the interpreter, so that another of any of them is measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from edgevid import atomic
from edgevid.inference.engine import Engine
from edgevid.telemetry.environment import machine

_NEAR = 1.05
_ROUNDS = 3
_ROUND_NS = 150_000_000
_NS_PER_MS = 1e6
_MOST = 8


@dataclass(frozen=True, kw_only=True)
class ThreadChoice:
    """The answer.

    Attributes:
        threads: To be used.
        ms: Time of one step by number of threads, milliseconds: the least of the rounds' medians.
        kept: The file that it was read from or written to; None where it could not be written.
        measured: Whether it was measured now.
    """

    threads: int
    ms: Mapping[int, float]
    kept: Path | None
    measured: bool


def state_folder() -> Path:
    """Give the folder in which edgevid keeps what it measured.

    Returns:
        `$EDGEVID_STATE`, else `$XDG_CACHE_HOME/edgevid`, else `~/.cache/edgevid`; it need not be there.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/.
    """
    if state := os.environ.get("EDGEVID_STATE"):
        return Path(state)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path("~/.cache").expanduser()) / "edgevid"


def choose_threads(
    make: Callable[[int], Engine], *, cores: int | None = None, folder: Path | None = None
) -> ThreadChoice:
    """Take the kept answer, or measure.

    Args:
        make: Gives an engine of the bundle with so many threads.
        cores: Most threads to try; those this process may run on where None, 8 at most.
        folder: Where answers are kept; `state_folder` where None.

    Returns:
        The number of threads to use.

    Cost: about half a second for each number, once a bundle and machine.
    """
    cores = cores or min(len(os.sched_getaffinity(0)), _MOST)
    one = make(1)
    key = _key(one, cores)
    path = (
        folder or state_folder()
    ) / f"threads-{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]}.json"
    ms = _read(path, key)
    if ms:
        return ThreadChoice(threads=pick(ms), ms=ms, kept=path, measured=False)
    ms = measure({1: one, **{count: make(count) for count in range(2, cores + 1)}})
    return ThreadChoice(threads=pick(ms), ms=ms, kept=path if _write(path, key, ms) else None, measured=True)


def pick(ms: Mapping[int, float]) -> int:
    """Choose from measurements.

    Args:
        ms: Milliseconds by number of threads.

    Returns:
        The smallest number within 5 % of the quickest: a core that saves nothing is left to the rest of the program.
    """
    quickest = min(ms.values())
    return min(count for count, value in ms.items() if value <= quickest * _NEAR)


def measure(engines: Mapping[int, Engine]) -> dict[int, float]:
    """Time each engine's steps in turn, so that what else the machine does hits all of them.

    Args:
        engines: By number of threads.

    Returns:
        Milliseconds a step: the least of the rounds' medians.
    """
    for engine in engines.values():
        _round_ms(engine, limit_ns=0)
    rounds = [
        {count: _round_ms(engine, limit_ns=_ROUND_NS) for count, engine in engines.items()} for _ in range(_ROUNDS)
    ]
    return {count: round(min(each[count] for each in rounds), 4) for count in engines}


def _round_ms(engine: Engine, *, limit_ns: int) -> float:
    """The median time of a step with an answer, over the golden frames, again and again until the time is used up."""
    frames = engine.bundle.golden.frames
    took_ns: list[int] = []
    engine.restart()
    until_ns = perf_counter_ns() + limit_ns
    while True:
        for frame in frames:
            np.copyto(engine.input_buffer(), frame)
            began_ns = perf_counter_ns()
            if engine.step() is not None:
                took_ns.append(perf_counter_ns() - began_ns)
        if perf_counter_ns() >= until_ns:
            engine.restart()
            return float(np.median(took_ns)) / _NS_PER_MS


def _key(engine: Engine, cores: int) -> dict[str, Any]:
    """All that the answer depends on."""
    found, manifest = machine(), engine.bundle.manifest
    return {
        "models": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(engine.bundle.models.items())},
        "plan": [manifest.plan, manifest.window.frames],
        "machine": [found.board, found.cpu, found.arch, cores],
        "interpreter": engine.interpreter,
    }


def _read(path: Path, key: Mapping[str, Any]) -> dict[int, float]:
    """What is kept; nothing where it is not there, damaged, or about something else: it is only a measurement, and is made again."""
    try:
        kept = json.loads(path.read_text())
        return {int(count): float(ms) for count, ms in kept["ms"].items()} if kept["key"] == key else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(path: Path, key: Mapping[str, Any], ms: Mapping[int, float]) -> bool:
    """Keep the answer, whole or not at all; a card that is mounted read-only is no reason not to run."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, [json.dumps({"key": key, "ms": ms}, indent=1).encode()], durable=False)
    except OSError:
        return False
    return True
