"""Windows in flight: each one runs over its own frames from a state of zero, in any row."""

import dataclasses

import numpy as np
import pytest

from edgevid.backends.fake import Fake
from edgevid.bundle.manifest import Value
from edgevid.inference.engine import Engine
from tests.models.bundles import bundle_for, flight_manifest
from tests.streams import encode

FRAMES = 4
SHOWN = [1, 0, 2, 1, 0, 1, 1, 2, 0, 0, 1, 2, 2, 1, 0, 1]


def count_in_base_ten(inputs):
    """The state holds the window's digits so far; the scores of a window spell its state."""
    feature, state = inputs
    state = (state * 10 + feature[0, 0]).astype(np.int16)
    scores = np.stack([state[..., 0] // 100, state[..., 0] % 100, np.zeros_like(state[..., 0])], axis=-1)
    assert np.array_equal(state, np.repeat(state[..., :1], 7, axis=-1)), "a row holds one window's state in every unit"
    return [scores.astype(np.int8), state]


@pytest.fixture
def engine():
    return Engine(bundle_for(flight_manifest()), backend=Fake({"encoder": encode, "head": count_in_base_ten}))


def digits(engine, shown):
    """The engine's answers to frames that show one digit each: the number that each window spells."""
    answers = []
    for digit in shown:
        engine.input_buffer()[...] = digit + 128
        scores = engine.step()
        stored = None if scores is None else np.rint(scores * 256 - 128).astype(int)
        answers.append(None if stored is None else int(stored[0] * 100 + stored[1]))
    return answers


def spelled(shown):
    return [None] * (FRAMES - 1) + [
        int("".join(map(str, shown[end - FRAMES : end]))) for end in range(FRAMES, len(shown) + 1)
    ]


def test_each_answer_is_of_the_last_frames_only_at_every_step(engine):
    assert digits(engine, SHOWN) == spelled(SHOWN)


def test_after_a_restart_nothing_of_what_was_seen_is_left(engine):
    digits(engine, [2, 2, 2, 2, 2, 2])
    engine.restart()
    assert digits(engine, [1, 0, 0, 1, 2]) == spelled([1, 0, 0, 1, 2])


def test_what_comes_beside_the_scores_is_the_same_windows():
    plain = flight_manifest()
    encoder, head = plain.parts
    box = dataclasses.replace(head.outputs[0], name="box", shape=(1, FRAMES, 2), scale=0.5, zero_point=1)
    parts = (encoder, dataclasses.replace(head, outputs=(head.outputs[0], box, head.outputs[1])))
    manifest = dataclasses.replace(plain, parts=parts, values=(Value(name="box", size=2),))

    def run(inputs):
        scores, state = count_in_base_ten(inputs)
        return [scores, scores[..., :2], state]

    engine = Engine(bundle_for(manifest), backend=Fake({"encoder": encode, "head": run}))
    assert engine.values == []
    for shown, answer in zip(SHOWN, spelled(SHOWN), strict=True):
        (got,) = digits(engine, [shown])
        assert got == answer
        if answer is not None:
            assert engine.values[0].tolist() == [(answer // 100 - 1) / 2, (answer % 100 - 1) / 2]
    engine.restart()
    assert engine.values == []


def test_a_decision_costs_one_invocation_of_the_head():
    bundle = bundle_for(flight_manifest())
    calls = []
    engine = Engine(
        bundle, backend=Fake({"encoder": encode, "head": lambda inputs: calls.append(1) or count_in_base_ten(inputs)})
    )
    digits(engine, [1] * 9)
    assert len(calls) == 9
