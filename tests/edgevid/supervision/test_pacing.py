"""A pipeline at a lower pace: first fewer answers, each still exact; then frames further apart."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edgevid import bundle
from edgevid.backends.fake import Fake, FakeModel
from edgevid.events.decide import Decision
from edgevid.events.rule import DecisionRule
from edgevid.frames.sampling import IntervalSampler, Sample
from edgevid.inference.engine import Engine
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from edgevid.supervision.pace import LEVELS
from tests.models.bundles import bundle_for, stack_manifest, stateful_manifest, window_manifest
from tests.streams import Script, engine_for

SHARP = DecisionRule(smoothing_s=0, enter=0.6, exit=0.4, min_duration_s=0.1, cooldown_s=0, background=("none",))
SHIPPED = Path(str(resources.files("edgevid") / "data" / "gestures.edgevid"))


class Changing(Collector):
    """Sets the pace after so many decisions."""

    pipeline: Pipeline

    def __init__(self, levels: dict[int, int]) -> None:
        super().__init__()
        self._levels = levels

    def decided(self, decision: Decision) -> None:
        super().decided(decision)
        if len(self.decisions) in self._levels:
            self.pipeline.keep_pace(self._levels[len(self.decisions)])


def run(levels: dict[int, int], *, frames: int = 40, step_s: float = 0.1) -> tuple[Changing, Pipeline]:
    collector = Changing(levels)
    collector.pipeline = Pipeline(
        engine_for(window_manifest(decision=SHARP)), Script([1] * frames, step_s=step_s), [collector]
    )
    collector.pipeline.run()
    return collector, collector.pipeline


def times(collector: Collector) -> list[float]:
    return [round(decision.t_s, 3) for decision in collector.decisions]


def test_a_longer_stride_answers_after_every_second_frame() -> None:
    collector, pipeline = run({3: 1}, frames=13)
    assert times(collector) == [0.3, 0.4, 0.5, 0.7, 0.9, 1.1]
    telemetry = pipeline.telemetry
    assert (
        telemetry.taken,
        telemetry.decisions,
        telemetry.unanswered,
        telemetry.pace_level,
        telemetry.pace_changes,
    ) == (13, 6, 4, 1, 1)
    assert "pace" not in telemetry.drops
    assert "now at level 1" in telemetry.as_table()


def test_a_lower_rate_begins_a_new_window_of_frames_further_apart() -> None:
    collector, pipeline = run({3: 2}, frames=30)
    # The first window at twice the interval begins with the frame after the change, at 0.6, and is
    # complete with its fourth frame, at 1.2.
    assert times(collector)[:3] == [0.3, 0.4, 0.5]
    assert times(collector)[3] >= 1.2
    assert set(np.diff(times(collector)[3:]).round(3)) == {0.4}
    assert pipeline.telemetry.drops["pace"] == pipeline.telemetry.taken - 6
    assert pipeline.telemetry.gaps == 0


def test_the_open_event_ends_where_the_time_base_changes_and_none_is_lost() -> None:
    collector, _ = run({3: 2}, frames=40)
    assert (
        [event.label for event in collector.starts] == [event.label for event in collector.events] == ["wave", "wave"]
    )
    # An event is early by half of a window: 0.15 s, and twice that at twice the interval.
    assert collector.events[0].end_s == pytest.approx(0.35)
    assert collector.events[1].announced_s - collector.events[1].start_s == pytest.approx(0.4 + 0.3)


def test_the_pace_is_taken_back_to_what_was_trained() -> None:
    collector, pipeline = run({3: 2, 5: 0}, frames=60)
    assert set(np.diff(times(collector)[-5:]).round(3)) == {0.1}
    assert (pipeline.telemetry.pace_level, pipeline.telemetry.pace_changes) == (0, 2)
    assert "pace: changed 2 times" in pipeline.telemetry.as_table()


def test_a_run_at_full_pace_does_not_speak_of_it() -> None:
    assert "pace" not in run({})[1].telemetry.as_table()
    assert run({})[1].telemetry.as_json()["pace"] == {"level": 0, "changes": 0, "unanswered": 0}


@pytest.mark.parametrize("wanted", [[True, False], [False, True, False, False], [False] * 20 + [True]])
def test_an_answer_is_the_same_whether_or_not_those_before_it_were_wanted(wanted: list[bool]) -> None:
    """With the shipped bundle, whose head may keep a state, and with a head over a ring."""
    for every, some in ((Engine(bundle.read(SHIPPED)), Engine(bundle.read(SHIPPED))), (engine_for(), engine_for())):
        compare(every, some, wanted)


def compare(every: Engine, some: Engine, wanted: list[bool]) -> None:
    frames = np.random.default_rng(3).integers(0, 256, (60, *every.bundle.manifest.input.shape)).astype(np.uint8)
    answers = 0
    for index, frame in enumerate(frames):
        is_wanted = wanted[index % len(wanted)]
        for engine in (every, some):
            np.copyto(engine.input_buffer(), frame)
        full, thinned = every.step(), some.step(answer=is_wanted)
        if is_wanted:
            assert (thinned is None) == (full is None)
        if thinned is not None:
            assert full is not None
            np.testing.assert_array_equal(thinned, full)
            answers += 1
    assert answers


def test_an_unwanted_answer_costs_no_head() -> None:
    runs = {"encoder": 0, "head": 0, "whole": 0, "step": 0}
    for manifest, ran, spared in ((window_manifest(), "encoder", "head"), (stack_manifest(), None, "whole")):
        engine = counting(manifest, runs)
        for _ in range(10):
            engine.step(answer=False)
        assert runs[spared] == 0
        assert ran is None or runs[ran] == 10


def test_an_unwanted_answer_of_a_whole_model_does_not_even_copy_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    monkeypatch.setattr(FakeModel, "write", lambda _model, index, _values: writes.append(index))
    engine = counting(stack_manifest(), {"whole": 0})
    for _ in range(10):
        engine.step(answer=False)
    assert writes == []
    engine.step()
    assert writes == [0]


def test_a_state_sees_every_frame_whether_or_not_its_answer_is_wanted() -> None:
    runs = {"encoder": 0, "step": 0}
    engine = counting(stateful_manifest(), runs)
    assert all(engine.step(answer=False) is not None for _ in range(5))
    assert runs["step"] == 5


def counting(manifest, runs: dict[str, int]) -> Engine:
    def role(name: str):
        part = next(part for part in manifest.parts if part.role == name)

        def compute(_inputs):
            runs[name] += 1
            return [np.zeros(tensor.shape, tensor.dtype) for tensor in part.outputs]

        return compute

    return Engine(bundle_for(manifest), backend=Fake({part.role: role(part.role) for part in manifest.parts}))


def test_a_sampler_that_is_slowed_down_keeps_to_its_own_grid() -> None:
    sampler = IntervalSampler(0.1)
    offer = [sampler.offer(ms * 1_000_000) for ms in range(0, 400, 50)]
    assert offer.count(Sample.TAKE) == 3
    sampler.slow_down(4)
    offers = {ms: sampler.offer(ms * 1_000_000) for ms in range(400, 1700, 50)}
    assert offers[400] is Sample.RESTART
    assert [ms for ms, sample in offers.items() if sample is Sample.TAKE] == [800, 1200, 1600]
    assert sampler.gaps == 0
    sampler.slow_down(1)
    assert [sampler.offer(ms * 1_000_000) for ms in (1650, 1700, 1750)] == [Sample.RESTART, Sample.SKIP, Sample.TAKE]


def test_every_level_can_be_kept() -> None:
    for level in range(len(LEVELS)):
        collector, pipeline = run({1: level}, frames=80)
        assert pipeline.telemetry.pace_level == level
        assert len(collector.decisions) > 3
