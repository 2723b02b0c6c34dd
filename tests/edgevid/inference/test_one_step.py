"""Plan "stateful" in one part: the step sees the frame and its states, as in files that others made."""

import dataclasses

import numpy as np
import pytest

from edgevid.backends.edgetpu import EdgeTpu
from edgevid.backends.fake import Fake
from edgevid.bundle.manifest import STATES
from edgevid.errors import BackendError
from edgevid.inference.engine import Engine
from tests.models.bundles import (
    FEATURES,
    LABELS,
    bundle_for,
    one_step_manifest,
    started_manifest,
    stateful_manifest,
)

SEEN = []


def step(inputs):
    """Add the frame's first pixel to the vector, and count the frame."""
    frame, vector, count = inputs
    vector, count = vector + np.float32(int(frame[0, 0, 0, 0, 0]) + 128), count + 1
    SEEN.append([vector[0, 0], count[0]])
    return np.zeros((1, 1, len(LABELS)), np.int8), vector, count


def engine(manifest=None, **changes):
    return Engine(bundle_for(manifest or one_step_manifest(**changes)), backend=Fake({"step": step}))


def push(engine, pixel, **options):
    """Return the vector's first number and the count after a frame."""
    engine.input_buffer()[...] = pixel
    engine.advance(**options)
    return SEEN[-1]


def test_states_are_carried_from_frame_to_frame_and_reset_at_a_gap():
    running = engine()
    assert [push(running, pixel) for pixel in (5, 2, 9)] == [[5, 1], [7, 2], [16, 3]]
    running.restart()
    assert push(running, 4) == [4, 1]


def test_initial_states_are_where_a_stream_begins_and_begins_again():
    running = engine(started_manifest())
    assert [push(running, pixel) for pixel in (5, 2)] == [[6, 3], [8, 4]]
    running.restart()
    assert push(running, 4) == [5, 3]


def test_every_frame_is_answered_from_the_first_one_on():
    running = engine(scores="logits")
    running.input_buffer()[...] = 0
    assert len(running.advance()) == len(LABELS)


def test_a_step_behind_an_encoder_may_have_initial_states_too():
    encoder, tail = stateful_manifest().parts
    held = bundle_for(stateful_manifest(parts=(encoder, dataclasses.replace(tail, initial_states=STATES))))
    seen = []

    def run(inputs):
        seen.append([int(state[0, 0]) for state in inputs[1:]])
        return np.zeros((1, len(LABELS)), np.int8), inputs[1] + np.int16(4), inputs[2]

    encode = {"encoder": lambda inputs: [np.zeros((1, FEATURES), np.int8)], "step": run}
    running = Engine(held, backend=Fake(encode))
    for _ in range(2):
        running.advance()
    running.restart()
    running.advance()
    assert seen == [[1, 2], [5, 2], [1, 2]]


@pytest.mark.parametrize("options", [{"answer": False}, {"still": True}])
def test_a_frame_whose_answer_nobody_wants_or_that_shows_nothing_new_still_counts(options):
    running = engine()
    push(running, 1)
    assert push(running, 1, **options) == [2, 2]
    assert running.keeps_state


def test_states_outlive_an_accelerator_that_is_unplugged():
    runs = []

    def unplugged(inputs):
        runs.append(1)
        if len(runs) == 3:
            raise BackendError(expected="a device", found="none")
        return step(inputs)

    (part,) = one_step_manifest().parts
    held = bundle_for(one_step_manifest(parts=(dataclasses.replace(part, edgetpu="step_edgetpu.tflite"),)))
    lost = []
    backend = EdgeTpu(held, tpu=Fake({"step": unplugged}), cpu=Fake({"step": step}), lost=lost.append)
    running = Engine(held, backend=backend)
    assert [push(running, pixel) for pixel in (5, 2, 9, 1)] == [[5, 1], [7, 2], [16, 3], [17, 4]]
    assert len(lost) == 1
