"""Choose the number of interpreter threads for a bundle by measuring once per machine.

More threads are not always faster: a small model spends more time on waking threads than they save,
and the last cores gain nothing on a board that is short of memory bandwidth. So the bundle's golden
frames are played with each count from 1 to the number of cores, and the smallest count close to the
fastest is chosen.
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
from edgevid.units import NS_PER_MS

# Prefer fewer threads if they cost at most 5 %: cameras and outputs need the other cores.
_NEAR = 1.05
# The least of three rounds discards the ones that another process disturbed.
_ROUNDS = 3
_ROUND_NS = 150_000_000
# Each count costs half a second to measure, and boards have 4 cores: 8 is for workstations.
_MOST = 8


@dataclass(frozen=True, kw_only=True)
class ThreadChoice:
    """The chosen number of threads and the measurement behind it.

    Attributes:
        threads: The number to use.
        ms: Milliseconds per step by number of threads: the least of the rounds' medians.
        kept: Cache file of the measurement; None if it could not be written.
        measured: Whether this call measured, rather than read the cache.
    """

    threads: int
    ms: Mapping[int, float]
    kept: Path | None
    measured: bool


def state_folder() -> Path:
    """Return the folder for edgevid's measurements.

    Returns:
        `$EDGEVID_STATE`, else `$XDG_CACHE_HOME/edgevid`, else `~/.cache/edgevid`; may not exist.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/.
    """
    if state := os.environ.get("EDGEVID_STATE"):
        return Path(state)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path("~/.cache").expanduser()) / "edgevid"


def choose_threads(
    make: Callable[[int], Engine], *, cores: int | None = None, folder: Path | None = None
) -> ThreadChoice:
    """Return the cached choice for this bundle and machine, or measure.

    Args:
        make: Builds an engine of the bundle with the given number of threads.
        cores: Largest number to try; by default the cores this process may run on, at most 8.
        folder: Cache folder; `state_folder()` by default.

    Cost: about half a second for each number of threads, once per bundle and machine.
    """
    cores = cores or min(len(os.sched_getaffinity(0)), _MOST)
    one = make(1)
    key = _key(one, cores)
    path = (folder or state_folder()) / _file_name(key)
    ms = _read(path, key)
    if ms:
        return ThreadChoice(threads=pick(ms), ms=ms, kept=path, measured=False)
    ms = measure({1: one, **{count: make(count) for count in range(2, cores + 1)}})
    return ThreadChoice(threads=pick(ms), ms=ms, kept=path if _write(path, key, ms) else None, measured=True)


def pick(ms: Mapping[int, float]) -> int:
    """Return the smallest number of threads within 5 % of the fastest.

    Args:
        ms: Milliseconds per step by number of threads.
    """
    fastest = min(ms.values())
    return min(count for count, value in ms.items() if value <= fastest * _NEAR)


def measure(engines: Mapping[int, Engine]) -> dict[int, float]:
    """Time the steps of engines.

    Args:
        engines: By number of threads.

    Returns:
        Milliseconds per step: the least of the rounds' medians.
    """
    for engine in engines.values():
        # Warm up: play the golden frames once, and drop the times.
        _round_ms(engine, limit_ns=0)
    # Alternate between engines, so that a disturbance of the machine hits all of them.
    rounds = [
        {count: _round_ms(engine, limit_ns=_ROUND_NS) for count, engine in engines.items()} for _ in range(_ROUNDS)
    ]
    return {count: round(min(each[count] for each in rounds), 4) for count in engines}


def _round_ms(engine: Engine, *, limit_ns: int) -> float:
    """Return the median time of steps with an answer; repeat the golden frames until the limit."""
    frames = engine.bundle.golden.frames
    took_ns: list[int] = []
    engine.restart()
    until_ns = perf_counter_ns() + limit_ns
    while True:
        for frame in frames:
            np.copyto(engine.input_buffer(), frame)
            began_ns = perf_counter_ns()
            # Steps without an answer skip the head, so they don't count.
            if engine.step() is not None:
                took_ns.append(perf_counter_ns() - began_ns)
        if perf_counter_ns() >= until_ns:
            engine.restart()
            return float(np.median(took_ns)) / NS_PER_MS


def _key(engine: Engine, cores: int) -> dict[str, Any]:
    """Return everything that the measurement depends on."""
    host, manifest = machine(), engine.bundle.manifest
    return {
        "models": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(engine.bundle.models.items())},
        "plan": [manifest.plan, manifest.window.frames],
        "machine": [host.board, host.cpu, host.arch, cores],
        "interpreter": engine.interpreter,
    }


def _file_name(key: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return f"threads-{digest[:16]}.json"


def _read(path: Path, key: Mapping[str, Any]) -> dict[int, float]:
    """Return the cached measurement, empty if there is none for this key."""
    try:
        cached = json.loads(path.read_text())
        # The file name is a shortened hash, so compare the whole key.
        return {int(count): float(ms) for count, ms in cached["ms"].items()} if cached["key"] == key else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # A missing or damaged cache only costs a new measurement.
        return {}


def _write(path: Path, key: Mapping[str, Any], ms: Mapping[int, float]) -> bool:
    """Write the measurement atomically; return whether it worked."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, [json.dumps({"key": key, "ms": ms}, indent=1).encode()], durable=False)
    except OSError:
        # A read-only card must not keep the classifier from running.
        return False
    return True
