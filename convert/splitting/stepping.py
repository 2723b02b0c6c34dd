"""Run a part that carries states over a window as the device does, for proofs in float and for calibration."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from convert.splitting.split import PartFunction
from edgevid.frames import Array

Run = Callable[..., list[object]]


def steps(part: PartFunction, run: Run, features: Array) -> Iterator[tuple[list[Array], list[Array]]]:
    """Run a step, or a head of windows in flight, over a window from states of zero.

    Args:
        part: The step or head.
        run: The function of the part, traced.
        features: (T, F) float32.

    Yields:
        Inputs and outputs at each frame, each with the batch of 1.
    """
    import tensorflow as tf

    states = [np.zeros(shape, np.float32) for shape in part.input_shapes[1:]]
    for index, feature in enumerate(features):
        if part.role == "head":
            _start_window(states, index)
        inputs = [feature[None], *states]
        outputs = [np.array(each) for each in run(*map(tf.constant, inputs))]
        yield inputs, outputs
        # The states come last, after the scores and auxiliary outputs.
        states = outputs[len(outputs) - len(states) :]


def _start_window(states: list[Array], index: int) -> None:
    """Zero the rows of the window that starts with a frame."""
    for state in states:
        state[:, index % state.shape[1]] = 0.0


def last_answer(part: PartFunction, run: Run, features: Array) -> Array:
    """Return a head's scores for a window, (1, classes).

    Args:
        part: As for `last_answers`.
        run: As for `last_answers`.
        features: As for `last_answers`.
    """
    return last_answers(part, run, features)[0]


def last_answers(part: PartFunction, run: Run, features: Array) -> list[Array]:
    """Return a head's scores and auxiliary outputs for a window.

    Args:
        part: The head, over the features of a window or a step of windows in flight.
        run: The function of the head, traced.
        features: (T, F) float32, the whole window.

    Returns:
        Scores (1, classes), then auxiliary outputs (1, size).
    """
    if len(part.input_shapes) == 1:
        return [np.asarray(each) for each in run(features[None])]
    *_, (_, outputs) = steps(part, run, features)
    # The window started with the first frame, so its answer is in the first row.
    return [each[:, 0] for each in outputs[: len(outputs) - len(part.input_shapes) + 1]]
