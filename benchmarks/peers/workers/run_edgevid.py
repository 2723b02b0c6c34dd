"""edgevid through its public API, frame by frame, and its engine alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import edgevid
from edgevid.inference.engine import Engine

Array = np.ndarray[Any, Any]


def peer(job: dict[str, Any]) -> Callable[[Array], Any]:
    """Return the peer that the job names."""
    return _engine(job) if job["kind"] == "engine" else _stream(job)


def _stream(job: dict[str, Any]) -> Callable[[Array], Any]:
    """All that a user's program runs: checks, sampling, preparation, engine, decision, events and telemetry."""
    model = edgevid.load(job["files"]["bundle"])
    stream = model.stream(colour=job["color"])
    count = 0

    def push(frame: Array) -> Any:
        nonlocal count
        decision = stream.push(frame, t_s=count * model.interval_s)
        count += 1
        return None if decision is None else decision.probabilities

    return push


def _engine(job: dict[str, Any]) -> Callable[[Array], Any]:
    engine = Engine(edgevid.read_bundle(job["files"]["bundle"]))

    def push(frame: Array) -> Any:
        np.copyto(engine.input_buffer(), frame)
        return engine.advance()

    return push
