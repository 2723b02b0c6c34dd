"""The golden vectors, on this machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from edgevid.backends.fake import Fake
from edgevid.bundle import Bundle, Golden
from edgevid.engine import Engine
from edgevid.errors import SelftestFailed
from edgevid.manifest import Manifest
from edgevid.selftest import selftest
from tests.builders import LABELS, bundle_for, tensor, window_manifest

STEP = 1 / 256
# Raw int8 scores for each of the three classes a frame may show: clear, and for the last one nearly a draw.
ROWS = np.array([[100, -118, -128], [-118, 100, -128], [-1, 0, -128]], np.int8)


class Machine:
    """A backend whose head looks its answer up, and which a test can bend."""

    def __init__(self, rows: np.ndarray = ROWS) -> None:
        self.rows = rows
        self.drift = 0
        self.calls = 0

    def encode(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [inputs[0].reshape(1, -1)[:, :5]]

    def head(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.calls += 1
        row = self.rows[int(inputs[0][0, -1, 0]) + 128].astype(np.int16) + (self.drift if self.calls > 4 else 0)
        return [row.clip(-128, 127).astype(np.int8)[None]]

    def engine(self, bundle: Bundle) -> Engine:
        return Engine(bundle, backend=Fake({"encoder": self.encode, "head": self.head}))


def bundle(manifest: Manifest | None = None) -> Bundle:
    """Seven frames, four golden answers: classes 0, 1, 2, 1."""
    manifest = manifest or window_manifest()
    frames = np.zeros((7, *manifest.input.shape), np.uint8)
    shown = [0, 0, 0, 0, 1, 2, 1]
    for frame, index in zip(frames, shown, strict=True):
        frame.fill(index)
    answers = ((ROWS[shown[3:]].astype(np.float32) + 128) * np.float32(STEP)).astype(np.float32)
    return dataclasses.replace(bundle_for(manifest), golden=Golden(frames, answers, answers, "fake 1.0"))


def test_the_same_answers_are_called_identical() -> None:
    found = selftest(Machine().engine(bundle()))
    assert (found.answers, found.identical, found.max_steps, found.windows) == (4, True, 0.0, 4)
    assert (found.engine, found.golden_engine) == ("fake", "fake 1.0")


@pytest.mark.parametrize("steps", [1, 3])
def test_answers_within_three_steps_pass_and_are_not_called_identical(steps: int) -> None:
    found = selftest(Machine(ROWS - np.array([[0, 0, -steps]], np.int8)).engine(bundle()))
    assert (found.identical, found.max_steps) == (False, float(steps))


def test_answers_four_steps_off_fail_and_say_which_class() -> None:
    with pytest.raises(SelftestFailed, match="golden answer 0 to give 'swipe'") as caught:
        selftest(Machine(ROWS + np.array([[0, 0, 4]], np.int8)).engine(bundle()))
    assert caught.value.exit_code == 3


def test_another_class_in_front_fails_even_within_three_steps() -> None:
    rows = ROWS.copy()
    rows[2] = [1, -1, -128]
    close = dataclasses.replace(bundle(), golden=dataclasses.replace(bundle().golden, scores=bundle().golden.scores.copy()))
    close.golden.scores[2] = np.array([127, 129, 0], np.float32) * np.float32(STEP)
    with pytest.raises(SelftestFailed, match="to be 'wave', got 'none'"):
        selftest(Machine(rows).engine(close))


def test_two_classes_one_step_apart_are_a_draw() -> None:
    rows = ROWS.copy()
    rows[2] = [0, -1, -128]
    assert not selftest(Machine(rows).engine(bundle())).identical


def test_an_answer_that_is_no_number_fails() -> None:
    head = window_manifest().part("head")
    floating = dataclasses.replace(head, precision="float32", outputs=(tensor(1, 3, name="scores", dtype="float32"),))
    manifest = window_manifest(parts=(window_manifest().part("encoder"), floating))
    machine = Machine()
    machine.head = lambda inputs: [np.full((1, len(LABELS)), np.nan, np.float32)]
    with pytest.raises(SelftestFailed, match="got nan"):
        selftest(machine.engine(bundle(manifest)))


def test_a_stream_that_is_not_its_window_fails() -> None:
    machine = Machine()
    machine.drift = 1
    with pytest.raises(SelftestFailed, match="equal its window worked out from scratch"):
        selftest(machine.engine(bundle()))


def test_the_engine_is_left_restarted() -> None:
    engine = Machine().engine(bundle())
    selftest(engine)
    assert engine.step() is None
