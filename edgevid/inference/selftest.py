"""Whether this machine answers as the converting machine did: the bundle's golden frames, played through the engine.

Integer kernels differ between processors in the last bit at most, so the answers are the same, or within a few steps of the output's
grid with the same class in front. What is given beside the scores is held to as many steps of its own grid. And streaming must equal the
window: each answer once more from a cleared engine, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgevid.bundle.manifest import Manifest
from edgevid.errors import SelftestFailed
from edgevid.frames import Array
from edgevid.inference.engine import Engine

TOLERANCE_STEPS = 3
# The grid of an int8 probability, and of an int8 number whose greatest is 1. Outputs on a finer grid, or in float, still stand behind an encoder in int8.
_LEAST_STEP = 1 / 256
# A value that was 0 all the time has no step of its own.
_LEAST_NUMBER = 1e-6
# A logit's step moves no probability by more than half of itself: the softmax's slope p(1-p), twice, is 1/2 at most.
_LOGIT_SLOPE = 0.5


@dataclass(frozen=True, kw_only=True)
class Selftest:
    """What was compared and found good.

    Attributes:
        answers: Golden answers compared.
        values: Numbers beside the scores that were compared, of all answers; 0 for a model that gives none, and for a bundle that proves none.
        identical: Whether each is the same bit for bit.
        max_steps: Largest difference, in steps of the output's grid.
        windows: Windows whose answer was worked out again from scratch and found the same; 0 for plan "stateful", whose state outlives
            the window.
        golden_engine: What made the golden answers.
        engine: What made these.
    """

    answers: int
    values: int
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
    streamed = _play(engine, golden.frames).newest(len(golden.scores))
    step = _step(engine.bundle.manifest)
    steps = np.abs(streamed.scores - golden.scores).max(axis=1) / step
    for answer, (got, expected) in enumerate(zip(streamed.scores, golden.scores, strict=True)):
        _compare(engine, answer, got=got, expected=expected, step=step)
    values = golden.values if golden.values is not None else streamed.values[:, :0]
    beside_steps = _compare_values(engine, streamed.values, values)
    windows = _check_windows(engine, streamed)
    engine.restart()
    return Selftest(
        answers=len(streamed.scores),
        values=values.size,
        identical=bool(np.array_equal(streamed.scores, golden.scores)) and not beside_steps,
        max_steps=round(max(float(steps.max()), beside_steps), 3),
        windows=windows,
        golden_engine=golden.engine,
        engine=engine.interpreter,
    )


@dataclass(frozen=True)
class _Played:
    """Answers to frames: (answers, classes) and (answers, numbers beside the scores), float32."""

    scores: Array
    values: Array

    def newest(self, count: int) -> _Played:
        return _Played(self.scores[-count:], self.values[-count:])


def _play(engine: Engine, frames: Array) -> _Played:
    """The answers to frames, from a cleared engine."""
    engine.restart()
    answers, beside = [], []
    for frame in frames:
        np.copyto(engine.input_buffer(), frame)
        scores = engine.step()
        if scores is not None:
            answers.append(scores.copy())
            beside.append(np.concatenate([np.zeros(0, np.float32), *engine.values]))
    return _Played(np.stack(answers), np.stack(beside))


def _compare(engine: Engine, answer: int, *, got: Array, expected: Array, step: float) -> None:
    """Refuse an answer that is too far off, or names another class; two classes one step apart count as a draw."""
    labels = engine.bundle.manifest.labels
    worst = int(np.abs(got - expected).argmax())
    if not abs(float(got[worst] - expected[worst])) <= TOLERANCE_STEPS * step * (1 + 1e-5):
        raise SelftestFailed(
            expected=f"golden answer {answer} to give {labels[worst]!r} {expected[worst]:.4f} within {TOLERANCE_STEPS * step:.4f}",
            got=float(got[worst]),
            found=f"{got[worst]:.4f} with {engine.interpreter}",
            hint=f"Do not use this bundle here; {_way_out(engine.interpreter)}.",
        )
    front = int(got.argmax())
    if expected[front] < expected.max() - step * (1 + 1e-5):
        raise SelftestFailed(
            expected=f"golden answer {answer} to be {labels[int(expected.argmax())]!r}",
            got=labels[front],
            found=f"{labels[front]!r} with {engine.interpreter}",
        )


def _compare_values(engine: Engine, got: Array, expected: Array) -> float:
    """Refuse numbers beside the scores that are too far off, and give the largest difference in steps; 0 where nothing is proven of them."""
    manifest = engine.bundle.manifest
    if not expected.size:
        return 0.0
    ends = np.cumsum([value.size for value in manifest.values])[:-1]
    columns = zip(np.split(got, ends, axis=1), np.split(expected, ends, axis=1), strict=True)
    return max(_compare_value(engine, place, *pair) for place, pair in enumerate(columns))


def _compare_value(engine: Engine, place: int, got: Array, expected: Array) -> float:
    manifest = engine.bundle.manifest
    params = manifest.parts[-1].outputs[1 + place].params
    step = max(_LEAST_STEP * float(np.abs(expected).max()), _LEAST_NUMBER if params.is_float else params.scale)
    off = np.abs(got - expected)
    answer, number = np.unravel_index(int(off.argmax()), off.shape)
    if not off[answer, number] <= TOLERANCE_STEPS * step * (1 + 1e-5):
        raise SelftestFailed(
            expected=f"golden answer {answer} to give number {number} of {manifest.values[place].name!r} as {expected[answer, number]:.4g} within {TOLERANCE_STEPS * step:.4g}",
            got=float(got[answer, number]),
            found=f"{got[answer, number]:.4g} with {engine.interpreter}",
            hint=f"Do not use this bundle here; {_way_out(engine.interpreter)}.",
        )
    return float(off[answer, number]) / step


def _way_out(interpreter: str) -> str:
    if interpreter.startswith("tflite-runtime"):  # of 2023, with the kernels of then
        return "run: pip install ai-edge-litert"
    return "convert it again with this interpreter's version"


def _check_windows(engine: Engine, streamed: _Played) -> int:
    """Work each window out again from a cleared engine."""
    manifest, frames = engine.bundle.manifest, engine.bundle.golden.frames
    if manifest.plan == "stateful":
        return 0
    for start, expected in enumerate(zip(streamed.scores, streamed.values, strict=True)):
        played = _play(engine, frames[start : start + manifest.window.frames]).newest(1)
        again, wanted = np.concatenate([played.scores[0], played.values[0]]), np.concatenate(expected)
        if not np.array_equal(again, wanted):
            raise SelftestFailed(
                expected=f"the stream's answer {start} to equal its window worked out from scratch bit for bit",
                found=f"a difference of {float(np.abs(again - wanted).max()):.3g} with {engine.interpreter}",
            )
    return len(streamed.scores)


def _step(manifest: Manifest) -> float:
    """What one step of the last output's grid is worth in probability."""
    params = manifest.parts[-1].outputs[0].params
    if params.is_float:
        return _LEAST_STEP
    return max(_LEAST_STEP, params.scale * (_LOGIT_SLOPE if manifest.scores in ("logits", "sigmoid_logits") else 1.0))
