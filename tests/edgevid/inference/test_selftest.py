"""The self-test on golden frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from edgevid.backends.fake import Fake
from edgevid.bundle import Bundle
from edgevid.bundle.golden import Golden
from edgevid.bundle.manifest import Manifest
from edgevid.errors import SelftestFailed
from edgevid.inference.engine import Engine
from edgevid.inference.selftest import selftest
from tests.models.bundles import LABELS, bundle_for, tensor, values_manifest, window_manifest

STEP = 1 / 256
# Raw int8 scores for each of the three classes a frame may show: clear, and for the last one nearly a draw.
ROWS = np.array([[100, -118, -128], [-118, 100, -128], [-1, 0, -128]], np.int8)


class Machine:
    """A backend whose head looks up its answer, which a test can change."""

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
    close = dataclasses.replace(
        bundle(), golden=dataclasses.replace(bundle().golden, scores=bundle().golden.scores.copy())
    )
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
    with pytest.raises(SelftestFailed, match="equal its window recomputed from scratch"):
        selftest(machine.engine(bundle()))


def test_the_engine_is_left_restarted() -> None:
    engine = Machine().engine(bundle())
    selftest(engine)
    assert engine.step() is None


class Measuring(Machine):
    """A machine whose head outputs a box and a speed besides its scores, all from the newest frame."""

    def __init__(self) -> None:
        super().__init__()
        self.box, self.speed = 0, 0.0

    def head(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        shown = int(inputs[0][0, -1, 0]) + 128
        drift = self.drift if self.calls >= 4 else 0
        box = np.full((1, 4), 10 * shown + self.box + drift, np.int8)
        return [*super().head(inputs), box, np.full((1, 1), 100.0 * shown + self.speed, np.float32)]


def measured(**changes: object) -> Bundle:
    """The same bundle with golden values: boxes of 0, 5, 10, 5 (in steps of 0.5) and speeds of 0, 100, 200, 100."""
    made = bundle(values_manifest())
    rows = np.array([[5.0 * shown] * 4 + [100.0 * shown] for shown in (0, 1, 2, 1)], np.float32)
    return dataclasses.replace(made, golden=dataclasses.replace(made.golden, **{"values": rows, **changes}))


def test_what_is_given_beside_the_scores_is_compared_too() -> None:
    found = selftest(Measuring().engine(measured()))
    assert (found.answers, found.values, found.identical, found.max_steps, found.windows) == (4, 20, True, 0.0, 4)


def test_values_within_three_steps_pass_and_are_not_called_identical() -> None:
    machine = Measuring()
    machine.box = 2
    found = selftest(machine.engine(measured()))
    assert (found.identical, found.max_steps) == (False, 2.0)


@pytest.mark.parametrize(
    ("box", "speed", "named"),
    [(4, 0.0, "number 0 of 'box'"), (0, 2.5, "number 0 of 'speed'"), (0, float("nan"), "got nan")],
)
def test_a_value_that_is_too_far_off_fails_though_every_score_is_right(box: int, speed: float, named: str) -> None:
    machine = Measuring()
    machine.box, machine.speed = box, speed
    with pytest.raises(SelftestFailed, match=named) as caught:
        selftest(machine.engine(measured()))
    assert caught.value.exit_code == 3


def test_values_that_the_stream_gives_and_the_window_does_not_fail() -> None:
    machine = Measuring()
    machine.drift = 1
    # Only the values drift; the scores stay as they are.
    head = machine.head
    machine.head = lambda inputs: [ROWS[int(inputs[0][0, -1, 0]) + 128][None], *head(inputs)[1:]]  # type: ignore[method-assign]
    with pytest.raises(SelftestFailed, match="equal its window recomputed from scratch"):
        selftest(machine.engine(measured()))


def test_a_bundle_that_proves_nothing_of_its_values_is_tested_as_far_as_it_goes() -> None:
    machine = Measuring()
    machine.box = 50
    found = selftest(machine.engine(measured(values=None)))
    assert (found.answers, found.values, found.identical) == (4, 0, True)
