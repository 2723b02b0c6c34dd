"""The time of a new frame on this machine: interpreter time over the golden stream."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevid.bundle import Bundle
from edgevid.frames import Array
from edgevid.inference.engine import Engine
from edgevid.telemetry.environment import machine
from edgevid.units import NS_PER_MS


@dataclass(frozen=True, kw_only=True)
class FrameLatency:
    """Median interpreter time over the golden frames, on one thread.

    Attributes:
        machine: Operating system and processor architecture.
        cpu: Name of the board or processor; empty if the machine does not report one.
        interpreter: Name and version.
        encode_ms: Time of the encoder for a frame; 0 without an encoder.
        head_ms: Time of the head, step or whole model for a decision.
        frames: Number of golden frames.
    """

    machine: str
    cpu: str
    interpreter: str
    encode_ms: float
    head_ms: float
    frames: int


def latency(bundle: Bundle) -> FrameLatency:
    """Measure the time of a new frame."""
    engine, frames = Engine(bundle), bundle.golden.frames
    # The first pass warms up the caches and the interpreter.
    _stream_ns(engine, frames)
    engine.restart()
    encode_ns, head_ns = _stream_ns(engine, frames)
    this = machine()
    return FrameLatency(
        machine=platform.platform(),
        cpu=this.board or this.cpu or "",
        interpreter=engine.interpreter,
        encode_ms=_median_ms(encode_ns),
        # Until the window is full there is no decision, and the head's time is 0.
        head_ms=_median_ms([each for each in head_ns if each]),
        frames=len(frames),
    )


def _stream_ns(engine: Engine, frames: Array) -> tuple[list[int], list[int]]:
    encode_ns: list[int] = []
    head_ns: list[int] = []
    for frame in frames:
        np.copyto(engine.input_buffer(), frame)
        engine.step()
        encode_ns.append(engine.encode_ns)
        head_ns.append(engine.head_ns)
    return encode_ns, head_ns


def _median_ms(samples_ns: Sequence[int]) -> float:
    return round(float(np.median(samples_ns)) / NS_PER_MS, 4) if samples_ns else 0.0
