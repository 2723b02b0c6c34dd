"""Runs a part that carries states over a window, as the device does: for proofs in float, and for what calibration is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from convert.splitting.split import PartFunction
from edgevid.frames import Array

Run = Callable[..., list[object]]


def steps(part: PartFunction, run: Run, features: Array) -> Iterator[tuple[list[Array], list[Array]]]:
    """Run a step, or a head of windows in flight, over a window from states of zero.

    Args:
        part: What is run.
        run: Its function, traced.
        features: (T, F) float32.

    Yields:
        Inputs and outputs at each frame, each with the batch of 1.
    """
    import tensorflow as tf

    states = [np.zeros(shape, np.float32) for shape in part.input_shapes[1:]]
    for index, feature in enumerate(features):
        if part.role == "head":
            _begin(states, index)
        inputs = [feature[None], *states]
        outputs = [np.array(each) for each in run(*map(tf.constant, inputs))]
        yield inputs, outputs
        # The states come last, behind the scores and what is given beside them.
        states = outputs[len(outputs) - len(states) :]


def _begin(states: list[Array], index: int) -> None:
    """Set the rows of the window that begins with a frame to zero."""
    for state in states:
        state[:, index % state.shape[1]] = 0.0


def last_answer(part: PartFunction, run: Run, features: Array) -> Array:
    """Give a head's scores for a window.

    Args:
        part: As for `last_answers`.
        run: As for `last_answers`.
        features: As for `last_answers`.

    Returns:
        (1, classes).
    """
    return last_answers(part, run, features)[0]


def last_answers(part: PartFunction, run: Run, features: Array) -> list[Array]:
    """Give a head's answer for a window, and what it gives beside it.

    Args:
        part: The head, of a ring of features or of windows in flight.
        run: Its function, traced.
        features: (T, F) float32, the whole window.

    Returns:
        Scores (1, classes), then values (1, size).
    """
    if len(part.input_shapes) == 1:
        return [np.asarray(each) for each in run(features[None])]
    *_, (_, outputs) = steps(part, run, features)
    # The window began with the first frame, in the first row.
    return [each[:, 0] for each in outputs[: len(outputs) - len(part.input_shapes) + 1]]
