"""The motion gate: no encoder runs on a still scene."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest

from edgevid.backends.fake import Fake
from edgevid.commands.run_options import models
from edgevid.errors import UsageError
from edgevid.frames.motion import SHARE, MotionGate
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.engine import Engine
from edgevid.lane import Lane
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from tests.edgevid.test_pipeline import SHARP_MANIFEST
from tests.models.bundles import bundle_for, features_manifest, stack_manifest
from tests.streams import Script, answer, encode

SPEC = InputSpec(height=40, width=50, channels=3)


def picture(level: int = 100) -> np.ndarray:
    return np.full(SPEC.shape, level, np.uint8)


def noisy(rng: np.random.Generator, level: int = 100) -> np.ndarray:
    return np.clip(rng.normal(level, 3.0, SPEC.shape), 0, 255).astype(np.uint8)


def test_noise_is_still_and_a_thing_that_comes_in_is_not() -> None:
    rng, gate = np.random.default_rng(0), MotionGate(SPEC)
    assert [gate.is_still(noisy(rng)) for _ in range(20)] == [False] + [True] * 19
    came_in = noisy(rng)
    came_in[5:10, 5:10] = 200
    assert not gate.is_still(came_in)
    assert gate.is_still(came_in)


def test_a_change_too_slow_to_see_adds_up_until_it_counts() -> None:
    gate = MotionGate(SPEC)
    still = [gate.is_still(picture(100 + step)) for step in range(40)]
    assert still.count(False) == 3
    assert not still[17]


@pytest.mark.parametrize(("changed", "still"), [(12, True), (13, False)])
def test_a_share_of_the_frame_may_differ(changed: int, still: bool) -> None:
    gate = MotionGate(SPEC, share=12 / 6000)
    gate.is_still(picture())
    other = picture()
    other.reshape(-1)[:changed] = 255
    assert gate.is_still(other) is still


def test_an_encoder_that_looks_back_sees_still_frames_only_before_its_answer_stands() -> None:
    gate = MotionGate(SPEC, lookback=2)
    assert [gate.is_still(picture()) for _ in range(6)] == [False, False, False, True, True, True]
    gate.is_still(picture(200))
    assert [gate.is_still(picture(200)) for _ in range(4)] == [False, False, True, True]


def test_after_a_gap_the_first_frame_is_encoded() -> None:
    gate = MotionGate(SPEC)
    gate.is_still(picture())
    gate.restart()
    assert not gate.is_still(picture())


def test_nothing_of_a_frames_size_is_allocated() -> None:
    spec = InputSpec(height=240, width=320, channels=3)
    gate, frames = MotionGate(spec), np.random.default_rng(0).integers(0, 256, (4, *spec.shape), np.uint8)
    gate.is_still(frames[0])
    tracemalloc.start()
    for frame in [*frames] * 5:
        gate.is_still(frame)
    grown = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert grown < 10_000


class Counted(Fake):
    """Counts the encoder's runs."""

    def __init__(self) -> None:
        self.runs = 0
        super().__init__({"encoder": self._encode, "head": answer})

    def _encode(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.runs += 1
        return encode(inputs)


def test_a_still_scene_is_answered_without_the_encoder_and_the_answers_are_the_same() -> None:
    shown = [0] * 10 + [100] * 10 + [0] * 10
    backend, gated, every = Counted(), Collector(), Collector()
    lane = Lane(Engine(bundle_for(SHARP_MANIFEST), backend=backend), motion_gate=0.0)
    telemetry = Pipeline(lane, Script(shown), [gated]).run()
    Pipeline(Lane(Engine(bundle_for(SHARP_MANIFEST), backend=Counted())), Script(shown), [every]).run()
    assert backend.runs == 3
    assert telemetry.still == 27
    assert [(one.t_s, one.label, one.score) for one in gated.decisions] == [
        (one.t_s, one.label, one.score) for one in every.decisions
    ]


def test_a_gap_ends_what_stood_still() -> None:
    backend = Counted()
    Pipeline(
        Lane(Engine(bundle_for(SHARP_MANIFEST), backend=backend), motion_gate=0.0), Script([1] * 6 + [None] + [1] * 6)
    ).run()
    assert backend.runs == 2


@pytest.mark.parametrize("manifest", [stack_manifest(), features_manifest()], ids=["a whole model", "feature vectors"])
def test_a_model_without_an_encoder_over_pictures_is_refused(manifest: object) -> None:
    with pytest.raises(UsageError, match="motion gate"):
        Lane(
            Engine(bundle_for(manifest), backend=Fake({part.role: encode for part in manifest.parts})), motion_gate=0.1
        )


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="share"):
        MotionGate(SPEC, share=share)


def test_the_default_that_the_help_names_is_the_gates() -> None:
    assert models.SHARE == SHARE
