"""Whether this machine answers as the converting machine did: the bundle's golden frames, played through the engine.

Integer kernels differ between processors in the last bit at most, so the answers are the same, or within a few steps of the output's
grid with the same class in front. And streaming must equal the window: each answer once more from a cleared engine, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgevid.engine import Engine
from edgevid.errors import SelftestFailed
from edgevid.frame import Array
from edgevid.manifest import Manifest

TOLERANCE_STEPS = 3
# The grid of an int8 probability. Outputs on a finer grid, or in float, still stand behind an encoder in int8.
_LEAST_STEP = 1 / 256
# A logit's step moves no probability by more than half of itself: the softmax's slope p(1-p), twice, is 1/2 at most.
_LOGIT_SLOPE = 0.5


@dataclass(frozen=True, kw_only=True)
class Selftest:
    """What was compared and found good.

    Attributes:
        answers: Golden answers compared.
        identical: Whether each is the same bit for bit.
        max_steps: Largest difference, in steps of the output's grid.
        windows: Windows whose answer was worked out again from scratch and found the same; 0 for plan "stateful", whose state outlives
            the window.
        golden_engine: What made the golden answers.
        engine: What made these.
    """

    answers: int
    identical: bool
    max_steps: float
    windows: int
    golden_engine: str
    engine: str


def selftest(engine: Engine) -> Selftest:
    """Play the golden frames and compare every answer.

    Args:
        engine: Of the bundle to be tested; restarted before and after.

    Returns:
        What was found, where it is good.

    Raises:
        SelftestFailed: An answer differs by more than `TOLERANCE_STEPS`, another class is in front, or a stream is not its window.
    """
    golden = engine.bundle.golden
    streamed = _play(engine, golden.frames)[-len(golden.scores) :]
    step = _step(engine.bundle.manifest)
    steps = np.abs(streamed - golden.scores).max(axis=1) / step
    for answer, (got, expected) in enumerate(zip(streamed, golden.scores, strict=True)):
        _compare(engine, answer, got=got, expected=expected, step=step)
    identical = bool(np.array_equal(streamed, golden.scores))
    windows = _check_windows(engine, streamed)
    engine.restart()
    return Selftest(
        answers=len(streamed),
        identical=identical,
        max_steps=round(float(steps.max()), 3),
        windows=windows,
        golden_engine=golden.engine,
        engine=engine.interpreter,
    )


def _play(engine: Engine, frames: Array) -> Array:
    """The answers to frames, from a cleared engine: (answers, classes) float32."""
    engine.restart()
    answers = []
    for frame in frames:
        np.copyto(engine.slot(), frame)
        scores = engine.step()
        if scores is not None:
            answers.append(scores.copy())
    return np.stack(answers)


def _compare(engine: Engine, answer: int, *, got: Array, expected: Array, step: float) -> None:
    """Refuse an answer that is too far off, or names another class; two classes one step apart count as a draw."""
    labels = engine.bundle.manifest.labels
    worst = int(np.abs(got - expected).argmax())
    if not abs(float(got[worst] - expected[worst])) <= TOLERANCE_STEPS * step * (1 + 1e-5):
        raise SelftestFailed(
            f"Expected golden answer {answer} to give {labels[worst]!r} {expected[worst]:.4f} within {TOLERANCE_STEPS * step:.4f}, got {got[worst]:.4f} with "
            f"{engine.interpreter}. Do not use this bundle here; {_way_out(engine.interpreter)}.",
            expected=float(expected[worst]),
            got=float(got[worst]),
        )
    front = int(got.argmax())
    if expected[front] < expected.max() - step * (1 + 1e-5):
        raise SelftestFailed(
            f"Expected golden answer {answer} to be {labels[int(expected.argmax())]!r}, got {labels[front]!r} with {engine.interpreter}.",
            expected=labels[int(expected.argmax())],
            got=labels[front],
        )


def _way_out(interpreter: str) -> str:
    if interpreter.startswith("tflite-runtime"):  # of 2023, with the kernels of then
        return "run: pip install ai-edge-litert"
    return "convert it again with this interpreter's version"


def _check_windows(engine: Engine, streamed: Array) -> int:
    """Work each window out again from a cleared engine."""
    manifest, frames = engine.bundle.manifest, engine.bundle.golden.frames
    if manifest.plan == "stateful":
        return 0
    for start, expected in enumerate(streamed):
        again = _play(engine, frames[start : start + manifest.window.frames])[-1]
        if not np.array_equal(again, expected):
            raise SelftestFailed(
                f"Expected the stream's answer {start} to equal its window worked out from scratch bit for bit, got a difference of "
                f"{float(np.abs(again - expected).max()):.3g} with {engine.interpreter}."
            )
    return len(streamed)


def _step(manifest: Manifest) -> float:
    """What one step of the last output's grid is worth in probability."""
    params = manifest.parts[-1].outputs[0].params
    if params.is_float:
        return _LEAST_STEP
    return max(_LEAST_STEP, params.scale * (_LOGIT_SLOPE if manifest.scores in ("logits", "sigmoid_logits") else 1.0))
