"""What a new frame costs on this machine: the interpreter's time for the golden stream."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevid.bundle import Bundle
from edgevid.frames import Array
from edgevid.inference.engine import Engine
from edgevid.telemetry.environment import machine


@dataclass(frozen=True, kw_only=True)
class FrameLatency:
    """Medians over the golden frames, one thread, the interpreter alone.

    Attributes:
        machine: Operating system and processor architecture.
        cpu: The processor; empty where the machine does not name it.
        interpreter: Name and version.
        encode_ms: The encoder's time for a frame; 0 where there is none.
        head_ms: The time of the head, step or whole model for a decision.
        frames: How many frames.
    """

    machine: str
    cpu: str
    interpreter: str
    encode_ms: float
    head_ms: float
    frames: int


def latency(bundle: Bundle) -> FrameLatency:
    """Measure a bundle, after one pass to warm up.

    Args:
        bundle: The bundle.

    Returns:
        Its latency.
    """
    engine, frames = Engine(bundle), bundle.golden.frames
    _stream_ns(engine, frames)
    engine.restart()
    encode_ns, head_ns = _stream_ns(engine, frames)
    here = machine()
    return FrameLatency(
        machine=platform.platform(),
        cpu=here.board or here.cpu or "",
        interpreter=engine.interpreter,
        encode_ms=_median_ms(encode_ns),
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
    return round(float(np.median(samples_ns)) / 1e6, 4) if samples_ns else 0.0
