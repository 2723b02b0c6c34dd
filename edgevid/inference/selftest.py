"""The self-test: compare the engine's answers to golden frames with the golden answers.

Integer kernels of different processors differ in the last bit at most. So answers must be equal, or
within `TOLERANCE_STEPS` steps of the output's grid with the same class in front. Values are held to
as many steps of their own grids. In addition, the stream must equal the window: each answer is
computed once more by a restarted engine and must be the same bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgevid.bundle.manifest import Manifest
from edgevid.errors import SelftestFailed
from edgevid.frames import Array
from edgevid.inference.engine import Engine

TOLERANCE_STEPS = 3
# The grid of an int8 probability, and of an int8 value in -1..1. Outputs on a finer grid, or in
# float, get the same tolerance: the int8 encoder before them limits their precision.
_LEAST_STEP = 1 / 256
# A value whose golden outputs are all 0 has no scale to derive a step from.
_LEAST_NUMBER = 1e-6
# A logit that is one step off changes no probability by more than half a step: the slope of the
# softmax, p(1-p), is 1/4 at most, and twice that if the other logits are off the other way.
_LOGIT_SLOPE = 0.5
# Float32 rounding of both sides must not turn exactly three steps into a failure.
_ROUNDING = 1 + 1e-5


@dataclass(frozen=True, kw_only=True)
class Selftest:
    """The result of a self-test that passed.

    Attributes:
        answers: Golden answers compared.
        values: Numbers compared in the model's additional outputs, over all answers; 0 if the model
            has none or the bundle has no golden values.
        identical: Whether all scores and values are equal bit for bit.
        max_steps: Largest difference, in steps of the output's grid.
        windows: Windows recomputed from scratch and found equal; 0 for plan "stateful", whose state
            outlives the window.
        golden_engine: Interpreter that made the golden answers.
        engine: Interpreter that was tested.
    """

    answers: int
    values: int
    identical: bool
    max_steps: float
    windows: int
    golden_engine: str
    engine: str


def selftest(engine: Engine) -> Selftest:
    """Play the golden frames of an engine's bundle and compare every answer.

    Args:
        engine: Restarted before and after.

    Returns:
        The result, if the test passed.

    Raises:
        SelftestFailed: An answer differs by more than `TOLERANCE_STEPS`, another class is in front,
            or a stream differs from its window.
    """
    golden = engine.bundle.golden
    streamed = _play(engine, golden.frames).newest(len(golden.scores))
    step = _step(engine.bundle.manifest)
    steps = np.abs(streamed.scores - golden.scores).max(axis=1) / step
    for answer, (got, expected) in enumerate(zip(streamed.scores, golden.scores, strict=True)):
        _compare_scores(engine, answer, got=got, expected=expected, step=step)
    values = golden.values if golden.values is not None else streamed.values[:, :0]
    value_steps = _compare_values(engine, streamed.values, values)
    windows = _check_windows(engine, streamed)
    engine.restart()
    return Selftest(
        answers=len(streamed.scores),
        values=values.size,
        identical=bool(np.array_equal(streamed.scores, golden.scores)) and not value_steps,
        max_steps=round(max(float(steps.max()), value_steps), 3),
        windows=windows,
        golden_engine=golden.engine,
        engine=engine.interpreter,
    )


@dataclass(frozen=True)
class _Answers:
    """Answers to frames: scores (answers, classes) and values (answers, numbers), float32."""

    scores: Array
    values: Array

    def newest(self, count: int) -> _Answers:
        return _Answers(self.scores[-count:], self.values[-count:])


def _play(engine: Engine, frames: Array) -> _Answers:
    """Return the answers of a restarted engine to frames."""
    engine.restart()
    scores, values = [], []
    for frame in frames:
        np.copyto(engine.input_buffer(), frame)
        answer = engine.step()
        if answer is not None:
            scores.append(answer.copy())
            # The leading empty array keeps concatenate() valid for a model without values.
            values.append(np.concatenate([np.zeros(0, np.float32), *engine.values]))
    return _Answers(np.stack(scores), np.stack(values))


def _compare_scores(engine: Engine, answer: int, *, got: Array, expected: Array, step: float) -> None:
    """Reject scores that are too far off or name another class."""
    labels = engine.bundle.manifest.labels
    worst = int(np.abs(got - expected).argmax())
    # "not <=" rather than ">", so that NaN fails.
    if not abs(float(got[worst] - expected[worst])) <= TOLERANCE_STEPS * step * _ROUNDING:
        tolerance = f"{expected[worst]:.4f} within {TOLERANCE_STEPS * step:.4f}"
        raise _difference(
            engine, answer, expected=f"to give {labels[worst]!r} {tolerance}", got=got[worst], shown=f"{got[worst]:.4f}"
        )
    front = int(got.argmax())
    # Two classes within one step are a draw: either may be in front.
    if expected[front] < expected.max() - step * _ROUNDING:
        raise SelftestFailed(
            expected=f"golden answer {answer} to be {labels[int(expected.argmax())]!r}",
            got=labels[front],
            found=f"{labels[front]!r} with {engine.interpreter}",
        )


def _compare_values(engine: Engine, got: Array, expected: Array) -> float:
    """Reject values that are too far off; return the largest difference in steps."""
    if not expected.size:  # no values, or none that are golden
        return 0.0
    # One column block per value of the manifest.
    ends = np.cumsum([value.size for value in engine.bundle.manifest.values])[:-1]
    columns = zip(np.split(got, ends, axis=1), np.split(expected, ends, axis=1), strict=True)
    return max(_compare_value(engine, index, *pair) for index, pair in enumerate(columns))


def _compare_value(engine: Engine, index: int, got: Array, expected: Array) -> float:
    manifest = engine.bundle.manifest
    params = manifest.parts[-1].outputs[1 + index].params
    step = max(_LEAST_STEP * float(np.abs(expected).max()), _LEAST_NUMBER if params.is_float else params.scale)
    off = np.abs(got - expected)
    answer, number = np.unravel_index(int(off.argmax()), off.shape)
    if not off[answer, number] <= TOLERANCE_STEPS * step * _ROUNDING:
        tolerance = f"{expected[answer, number]:.4g} within {TOLERANCE_STEPS * step:.4g}"
        raise _difference(
            engine,
            int(answer),
            expected=f"to give number {number} of {manifest.values[index].name!r} as {tolerance}",
            got=got[answer, number],
            shown=f"{got[answer, number]:.4g}",
        )
    return float(off[answer, number]) / step


def _difference(engine: Engine, answer: int, *, expected: str, got: float, shown: str) -> SelftestFailed:
    return SelftestFailed(
        expected=f"golden answer {answer} {expected}",
        got=float(got),
        found=f"{shown} with {engine.interpreter}",
        hint=f"Do not use this bundle here; {_remedy(engine.interpreter)}.",
    )


def _remedy(interpreter: str) -> str:
    if interpreter.startswith("tflite-runtime"):  # last released in 2023, with the kernels of that time
        return "run: pip install ai-edge-litert"
    return "convert it again with this interpreter's version"


def _check_windows(engine: Engine, streamed: _Answers) -> int:
    """Recompute each window with a restarted engine; return how many."""
    manifest, frames = engine.bundle.manifest, engine.bundle.golden.frames
    if manifest.plan == "stateful":
        return 0
    for start, answer in enumerate(zip(streamed.scores, streamed.values, strict=True)):
        played = _play(engine, frames[start : start + manifest.window.frames]).newest(1)
        got, expected = np.concatenate([played.scores[0], played.values[0]]), np.concatenate(answer)
        if not np.array_equal(got, expected):
            raise SelftestFailed(
                expected=f"the stream's answer {start} to equal its window recomputed from scratch, bit for bit",
                found=f"a difference of {float(np.abs(got - expected).max()):.3g} with {engine.interpreter}",
            )
    return len(streamed.scores)


def _step(manifest: Manifest) -> float:
    """Return one step of the scores output's grid, in probability."""
    params = manifest.parts[-1].outputs[0].params
    if params.is_float:
        return _LEAST_STEP
    return max(_LEAST_STEP, params.scale * (_LOGIT_SLOPE if manifest.scores in ("logits", "sigmoid_logits") else 1.0))
