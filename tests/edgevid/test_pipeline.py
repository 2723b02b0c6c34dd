"""The loop from frames to events."""

from __future__ import annotations

import dataclasses
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from edgevid.bundle.manifest import Window
from edgevid.capture.noise import NoiseSource
from edgevid.capture.source import ClosingSource
from edgevid.errors import ContractError, SourceError, SourceStalled, UsageError
from edgevid.events.decide import Decision, Event
from edgevid.events.rule import DecisionRule
from edgevid.frames import Frame
from edgevid.frames.preprocess import InputSpec
from edgevid.lane import Lane
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from tests.models.bundles import PIXEL_SCALE, pixels, window_manifest
from tests.streams import PROBABILITY, Script, engine_for

NONE, WAVE, SWIPE = 0, 1, 2
SHARP = DecisionRule(smoothing_s=0, enter=0.6, exit=0.4, min_duration_s=0.1, cooldown_s=0, background=("none",))
SHARP_MANIFEST = window_manifest(decision=SHARP)


def run(source: object, *, manifest: object = SHARP_MANIFEST, **options: object) -> tuple[Collector, Pipeline]:
    collector = Collector()
    pipeline = Pipeline(engine_for(manifest), source, [collector])
    pipeline.run(**options)
    return collector, pipeline


def test_frames_become_decisions_from_the_first_full_window_on() -> None:
    collector, pipeline = run(Script([NONE] * 3 + [WAVE] * 3))
    assert [decision.label for decision in collector.decisions] == ["wave"] * 3
    assert [decision.t_s for decision in collector.decisions] == pytest.approx([0.3, 0.4, 0.5])
    assert collector.decisions[0].score == pytest.approx(PROBABILITY)
    assert pipeline.telemetry.decisions == 3
    assert pipeline.telemetry.taken == 6


@pytest.mark.parametrize(("step_s", "is_slow"), [(0.2, True), (0.125, True), (1.0, True), (0.1, False), (0.04, False)])
def test_a_source_slower_than_the_models_interval_is_a_warning_within_a_second(
    step_s: float, is_slow: bool, caplog: pytest.LogCaptureFixture
) -> None:
    _, pipeline = run(Script([NONE] * (round(1 / step_s) + 1), step_s=step_s))
    assert pipeline.telemetry.is_starved is is_slow
    assert ("the source delivers too few frames; training had one every 0.1 s" in caplog.text) is is_slow
    assert (pipeline.telemetry.missed > 0) is is_slow


def test_a_source_that_becomes_fast_enough_is_said_to_be(caplog: pytest.LogCaptureFixture) -> None:
    class Recovering(Script):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                slow_s = min(frame.index, 10) * 0.1
                yield Frame(frame.data, frame.color, frame.timestamp_ns + round(slow_s * 1e9), frame.index)

    _, pipeline = run(Recovering([NONE] * 40))
    assert pipeline.telemetry.is_starved is False
    assert [record.message.split("; ")[0] for record in caplog.records] == [
        f"{pipeline.lanes[0].name}: the source delivers {what}" for what in ("too few frames", "enough frames again")
    ]


def test_an_event_has_the_sensor_times_of_what_was_shown() -> None:
    collector, pipeline = run(Script([NONE] * 5 + [WAVE] * 5 + [NONE] * 5))
    (event,) = collector.events
    # A window lasts 0.3 s: an answer is taken to be late by half of it.
    assert (event.label, event.start_s, event.end_s) == ("wave", pytest.approx(0.35), pytest.approx(0.75))
    assert event.announced_s == pytest.approx(0.6)
    assert pipeline.telemetry.events == 1


def test_a_stream_that_ends_within_an_event_reports_it() -> None:
    collector, _ = run(Script([NONE] * 5 + [SWIPE] * 5))
    assert [event.label for event in collector.events] == ["swipe"]


def test_only_frames_that_are_due_are_taken() -> None:
    collector, pipeline = run(Script([WAVE] * 40, step_s=0.025))
    assert pipeline.telemetry.taken == 10
    assert pipeline.telemetry.skipped == 30
    assert [decision.t_s for decision in collector.decisions] == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])


def test_a_gap_empties_the_window_and_ends_the_event() -> None:
    collector, pipeline = run(Script([WAVE] * 6 + [None] + [WAVE] * 6))
    assert [round(decision.t_s, 3) for decision in collector.decisions] == [0.3, 0.4, 0.5, 1.9, 2.0, 2.1]
    assert [(event.start_s, event.end_s) for event in collector.events] == [
        pytest.approx((0.15, 0.35)),
        pytest.approx((1.75, 1.95)),
    ]
    assert pipeline.telemetry.gaps == 1


def test_a_video_that_changes_size_goes_on() -> None:
    pytest.importorskip("cv2")
    collector, _ = run(Script([WAVE] * 10, sizes=[(6, 8)] * 5 + [(12, 16)]))
    assert len(collector.decisions) == 7
    assert {decision.label for decision in collector.decisions} == {"wave"}


def test_max_frames_counts_the_frames_of_the_source() -> None:
    _, pipeline = run(Script([WAVE] * 100, step_s=0.05), max_frames=11)
    assert pipeline.telemetry.seen == 11
    assert pipeline.telemetry.taken == 6


def test_frames_that_the_source_lost_are_counted() -> None:
    class Lossy(Script):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                yield dataclasses.replace(frame, index=frame.index * 3)

    _, pipeline = run(Lossy([WAVE] * 4))
    assert pipeline.telemetry.drops == {"source": 6, "late": 0}


def test_a_source_that_stalls_is_left_and_the_open_event_is_kept() -> None:
    forever = threading.Event()

    class Stuck(Script):
        def frames(self) -> Iterator[Frame]:
            yield from super().frames()
            forever.wait(30)

    collector = Collector()
    pipeline = Pipeline(engine_for(SHARP_MANIFEST), Stuck([WAVE] * 8), [collector], stall_s=0.05)
    try:
        with pytest.raises(SourceStalled, match=r"script within 0\.05 s"):
            pipeline.run()
    finally:
        forever.set()
    assert len(collector.events) == 1


def test_an_error_of_the_source_reaches_the_caller_as_it_is() -> None:
    class Broken(Script):
        def frames(self) -> Iterator[Frame]:
            yield from super().frames()
            raise SourceError("Expected a frame, the cable is out.")

    with pytest.raises(SourceError, match="cable"):
        run(Broken([WAVE] * 8))


def test_stop_ends_the_run_even_while_the_source_blocks() -> None:
    forever = threading.Event()

    class Stuck(Script):
        def frames(self) -> Iterator[Frame]:
            yield from super().frames()
            pipeline.stop()
            forever.wait(30)

    collector = Collector()
    pipeline = Pipeline(engine_for(SHARP_MANIFEST), Stuck([WAVE] * 8), [collector])
    threading.Timer(1.5, forever.set).start()
    telemetry = pipeline.run()
    assert telemetry.seen == 8
    assert len(collector.events) == 1


def test_a_frame_is_done_with_before_the_next_is_asked_for() -> None:
    class OneBuffer(Script):
        def frames(self) -> Iterator[Frame]:
            buffer = np.zeros((6, 8, 3), np.uint8)
            for frame in super().frames():
                np.copyto(buffer, frame.data)
                yield dataclasses.replace(frame, data=buffer)
                buffer.fill(NONE)

    collector, _ = run(OneBuffer([WAVE] * 8))
    assert {decision.label for decision in collector.decisions} == {"wave"}


def test_outputs_are_closed_once_whatever_ended_the_run() -> None:
    class Closing(Collector):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    good, bad = Closing(), Closing()
    Pipeline(engine_for(), Script([WAVE] * 5), [good]).run()
    with pytest.raises(ContractError):
        Pipeline(engine_for(), FeatureRows(), [bad]).run()
    assert (good.closed, bad.closed) == (1, 1)


def test_the_ongoing_event_is_shown_to_outputs_before_it_ends() -> None:
    class Watcher(Collector):
        def __init__(self) -> None:
            super().__init__()
            self.ongoing: list[Event | None] = []

        def decided(self, decision: Decision) -> None:
            self.ongoing.append(decision.ongoing)

    watcher = Watcher()
    Pipeline(engine_for(SHARP_MANIFEST), Script([WAVE] * 6), [watcher]).run()
    assert watcher.ongoing[0] is None
    assert watcher.ongoing[1] is not None
    assert watcher.ongoing[1].label == "wave"


def test_an_event_is_announced_when_it_starts_and_when_it_ends() -> None:
    class Order(Collector):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[tuple[str, str, float]] = []

        def started(self, event: Event) -> None:
            self.calls.append(("started", event.label, round(event.start_s, 3)))

        def ended(self, event: Event) -> None:
            self.calls.append(("ended", event.label, round(event.start_s, 3)))

    order = Order()
    Pipeline(engine_for(SHARP_MANIFEST), Script([WAVE] * 6 + [SWIPE] * 6), [order]).run()
    assert order.calls == [
        ("started", "wave", 0.15),
        ("ended", "wave", 0.15),
        ("started", "swipe", 0.45),
        ("ended", "swipe", 0.45),
    ]


def test_several_models_see_each_frame_once_and_answer_for_themselves() -> None:
    slow = dataclasses.replace(SHARP_MANIFEST, window=Window(frames=4, interval_s=0.2))
    source, collector = Counting([WAVE] * 20), Collector()
    pipeline = Pipeline(
        [Lane(engine_for(SHARP_MANIFEST), name="quick"), Lane(engine_for(slow), name="slow")], source, [collector]
    )
    pipeline.run()
    assert source.delivered == 20
    alone = {
        name: run(Script([WAVE] * 20), manifest=manifest)[0]
        for name, manifest in (("quick", SHARP_MANIFEST), ("slow", slow))
    }
    for name, one in alone.items():
        own = [decision for decision in collector.decisions if decision.model == name]
        assert [(each.t_s, each.label, each.score) for each in own] == [
            (each.t_s, each.label, each.score) for each in one.decisions
        ]
        assert [event.end_s for event in collector.events if event.model == name] == [
            event.end_s for event in one.events
        ]
    assert [(lane.name, lane.telemetry.seen, lane.telemetry.taken) for lane in pipeline.lanes] == [
        ("quick", 20, 20),
        ("slow", 20, 10),
    ]


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
def test_models_that_want_frames_alike_have_each_prepared_once_with_the_same_answers(
    resize: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare three models together with each alone: two of equal size and colour, one of another colour."""
    import cv2

    whole, resized = cv2.resize, []

    def counted(pixels: np.ndarray, size: tuple[int, int], *options: object) -> np.ndarray:
        resized.append(size)
        return whole(pixels, size, *options)

    monkeypatch.setattr(cv2, "resize", counted)
    spec = InputSpec(height=6, width=8, channels=3, resize=resize)
    manifests = {
        "quick": window_manifest(input=spec, decision=SHARP),
        "slow": window_manifest(
            input=dataclasses.replace(spec, range=(-1.0, 1.0)), window=Window(frames=4, interval_s=0.2), decision=SHARP
        ),
        "swapped": window_manifest(input=dataclasses.replace(spec, color="bgr"), decision=SHARP),
    }

    def answers(names: Sequence[str]) -> dict[str, list[tuple[float, tuple[float, ...]]]]:
        noise = NoiseSource(window_manifest(), count=40, size=(31, 23), color="rgb", seed=4)
        collector = Collector()
        Pipeline([Lane(engine_for(manifests[name]), name=name) for name in names], noise, [collector]).run()
        return {
            name: [(each.t_s, tuple(each.probabilities)) for each in collector.decisions if each.model == name]
            for name in names
        }

    together = answers(list(manifests))
    assert len(resized) == 40 + 40, "two models share one resize"
    resized.clear()
    alone = {name: answers([name])[name] for name in manifests}
    assert len(resized) == 40 + 20 + 40
    assert together == alone
    assert len({tuple(each) for each in together.values()}) == 3, "otherwise equal answers would prove nothing"


def test_a_spoilt_frame_is_none_for_every_model_that_shares_its_preparation() -> None:
    class Camera(Script):
        live = True

    lanes = [Lane(engine_for(SHARP_MANIFEST), name="one"), Lane(engine_for(SHARP_MANIFEST), name="two")]
    Pipeline(lanes, Spoilt(Camera([WAVE] * 8)), [], policy="live").run()
    assert [lane.telemetry.drops.get("torn") for lane in lanes] == [1, 1]


class Spoilt(ClosingSource):
    """Delivers frames one by one, each after the pipeline released the last; frame 3 lacks an axis."""

    name = "spoilt"
    live = True

    def __init__(self, source: Script) -> None:
        self._source = source
        self._seen = threading.Semaphore()

    def frames(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            self._seen.acquire(timeout=20)
            yield dataclasses.replace(frame, data=frame.data[0]) if frame.index == 3 else frame

    def release(self, frame: Frame) -> None:
        self._seen.release()


@pytest.mark.parametrize("names", [[], ["same", "same"]], ids=["no model", "two of one name"])
def test_models_that_cannot_be_told_apart_are_refused(names: list[str]) -> None:
    with pytest.raises(UsageError, match="a name of its own"):
        Pipeline([Lane(engine_for(), name=name) for name in names], Script([]))


def test_a_tap_sees_every_frame_before_the_models_do() -> None:
    class Paint:
        seen = 0

        def saw(self, frame: Frame) -> None:
            self.seen += 1
            frame.data[...] = SWIPE

    paint, collector = Paint(), Collector()
    Pipeline(engine_for(SHARP_MANIFEST), Script([WAVE] * 8, step_s=0.05), [collector], taps=[paint]).run()
    assert paint.seen == 8
    assert {decision.label for decision in collector.decisions} == {"swipe"}


def test_the_age_of_a_live_answer_is_counted_from_the_sensor() -> None:
    class Late(Script):
        live = True

        def frames(self) -> Iterator[Frame]:
            start_ns = time.monotonic_ns() - 5_000_000_000
            for frame in super().frames():
                yield dataclasses.replace(frame, timestamp_ns=start_ns + frame.timestamp_ns)

    live = Collector()
    Pipeline(engine_for(SHARP_MANIFEST), Late([WAVE] * 4), [live], policy="file").run()
    recorded, _ = run(Script([WAVE] * 4))
    # Five seconds late, and the fourth frame is three tenths of a second younger than the first.
    assert live.decisions[0].age_ms >= 4700
    assert recorded.decisions[0].age_ms < live.decisions[0].age_ms


@pytest.mark.parametrize("stall_s", [0, -1, float("nan"), float("inf"), 1e300])
def test_a_wait_of_no_time_or_without_an_end_is_refused(stall_s: float) -> None:
    with pytest.raises(UsageError, match="above 0"):
        Pipeline(engine_for(), Script([]), stall_s=stall_s)


def test_every_stage_is_timed_for_every_decision() -> None:
    _, pipeline = run(Script([WAVE] * 10))
    counts = {name: latency.count for name, latency in pipeline.telemetry.stages().items()}
    assert counts == {
        "preprocess": 10,
        "encode": 10,
        "head": 7,
        "decide": 7,
        "emit": 7,
        "outside": 10,
        "total": 10,
        "age": 7,
        "phase": 10,
    }


@pytest.mark.parametrize(
    ("size", "scale"),
    [(None, PIXEL_SCALE), ((640, 480), PIXEL_SCALE), (None, 0.02)],
    ids=["the model's size", "resized", "another grid than the pixels'"],
)
def test_nothing_of_a_frames_size_is_allocated_per_frame(size: tuple[int, int] | None, scale: float) -> None:
    if size:
        pytest.importorskip("cv2")
    height, width = 240, 320
    frame = dataclasses.replace(pixels(1, height, width, 3), scale=scale)
    manifest = window_manifest(
        window=Window(frames=4, interval_s=0.1),
        input=InputSpec(height=height, width=width, channels=3, color="bgr"),
        parts=(dataclasses.replace(window_manifest().part("encoder"), inputs=(frame,)), window_manifest().part("head")),
    )
    source = Traced(NoiseSource(manifest, count=550, size=size, color="rgb"), warm_up=50)
    telemetry = Pipeline(engine_for(manifest), source).run()
    assert telemetry.decisions == 547
    assert source.growth_bytes < height * width * 3 / 4


class Counting(Script):
    """Counts the frames that were taken from it."""

    delivered = 0

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            self.delivered += 1
            yield frame


class Traced(ClosingSource):
    """Measures the growth of memory from frame `warm_up` to the last frame."""

    live = False
    name = "traced"

    def __init__(self, source: NoiseSource, *, warm_up: int) -> None:
        self.growth_bytes = -1
        self._source = source
        self._warm_up = warm_up

    def frames(self) -> Iterator[Frame]:
        start = 0
        for frame in self._source.frames():
            if frame.index == self._warm_up:
                tracemalloc.start()
                start = tracemalloc.get_traced_memory()[0]
            yield frame
        self.growth_bytes = tracemalloc.get_traced_memory()[1] - start
        tracemalloc.stop()


class FeatureRows(ClosingSource):
    """A source of feature vectors, which a model over pictures rejects."""

    live = False
    name = "rows"

    def frames(self) -> Iterator[Frame]:
        yield Frame(np.zeros(5, np.float32), "none", 0, 0)
