"""The harness itself: a known sleep, jitter, drift or delay shows up as that much, in the right place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from edgevid.backends.fake import Fake
from edgevid.bench.measuring.loop import MOST_ROWS, NOISE, Measured, Punctuality, Samples, Task, measure
from edgevid.bench.stages import stage_statistics
from edgevid.capture.noise import NoiseSource
from edgevid.capture.paced import PacedSource
from edgevid.capture.source import ClosingSource, Source
from edgevid.errors import SourceError
from edgevid.events.decide import Decision
from edgevid.frames import Frame
from edgevid.inference.engine import Engine
from edgevid.telemetry.latency import NONE
from edgevid.telemetry.telemetry import STAGES
from tests.models.bundles import bundle_for, window_manifest
from tests.streams import Script, answer, encode

Part = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]


def task(**changes: object) -> Task:
    fields: dict[str, object] = {
        "bundle": "", "threads": 1, "delegate": "auto", "source": NOISE, "fps": None, "size": (), "deadline_s": None,
        "min_time_s": 0.0, "min_frames": 200, "warm_up_s": 0.0, "seed": 0, "affinity": (), "samples": "",
    }  # fmt: skip
    return Task(**{**fields, **changes})  # type: ignore[arg-type]


def noise() -> Source:
    return NoiseSource(window_manifest(), count=1_000_000)


def measured(part: Part = encode, head: Part = answer, **changes: object) -> Measured:
    engine = Engine(bundle_for(window_manifest()), backend=Fake({"encoder": part, "head": head}))
    return measure(engine, noise, task(**changes))


def p50_ms(found: Measured, stage: str) -> float:
    return float(np.median(found.samples.rows[:, list(STAGES).index(stage)])) / 1e6


def sleeping(part: Part, seconds: Callable[[int], float]) -> Part:
    calls = iter(range(1_000_000))

    def run(inputs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        time.sleep(seconds(next(calls)))
        return part(inputs)

    return run


def test_a_sleep_in_the_encoder_shows_in_the_encoder_and_the_total_alone() -> None:
    found = measured(part=sleeping(encode, lambda _call: 0.005), min_frames=40)
    assert 5 <= p50_ms(found, "encode") < p50_ms(found, "total")
    assert p50_ms(found, "head") < 2.5
    assert p50_ms(found, "outside") < 2.5


def test_a_sleep_in_the_head_shows_in_the_head() -> None:
    found = measured(head=sleeping(answer, lambda _call: 0.005), min_frames=40)
    assert 5 <= p50_ms(found, "head") < p50_ms(found, "total")
    assert p50_ms(found, "encode") < 2.5


def test_a_jitter_shows_in_the_spread_and_not_as_outliers() -> None:
    found = measured(part=sleeping(encode, lambda call: 0.002 + 0.001 * (call % 5)), min_frames=100)
    stage = stage_statistics([found.samples.rows], dict.fromkeys(STAGES, 0), window=4)["encode"]
    assert stage.percentiles["p90"].value - stage.percentiles["p5"].value > 3.5
    assert stage.cv > 0.1


def test_a_drift_shows_as_a_drift() -> None:
    found = measured(part=sleeping(encode, lambda call: 0.002 + call * 4e-5), min_frames=100)
    stage = stage_statistics([found.samples.rows], dict.fromkeys(STAGES, 0), window=4)["total"]
    assert stage.drift > 0.5
    # What rule R7 asks for: blocks of a run that wanders are few, so it is never certain.
    assert stage.drift_p < 0.01


class Late(ClosingSource):
    """A live source whose frames arrive a fixed time after their time stamps."""

    live, name = True, "late"

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def frames(self) -> Iterator[Frame]:
        for index, frame in enumerate(noise().frames()):
            time.sleep(0.01)
            stamp_ns = time.monotonic_ns() - round(self._delay_s * 1e9)
            yield Frame(frame.data.copy(), frame.color, stamp_ns, index)


def test_a_source_that_delivers_late_shows_in_the_age_and_misses_the_deadlines() -> None:
    engine = Engine(
        bundle_for(window_manifest(window=type(window_manifest().window)(frames=4, interval_s=0.01))),
        backend=Fake({"encoder": encode, "head": answer}),
    )
    found = measure(engine, lambda: Late(0.2), task(deadline_s=0.1, min_frames=20))
    assert p50_ms(found, "age") >= 200
    assert p50_ms(found, "total") < 50
    punctuality = found.punctuality
    assert punctuality is not None
    assert punctuality.misses == punctuality.due == punctuality.longest_run >= found.samples.seen


def test_a_model_that_is_slower_than_its_frames_misses_them() -> None:
    manifest = window_manifest(window=type(window_manifest().window)(frames=4, interval_s=0.01))
    slow = sleeping(encode, lambda _call: 0.03)
    engine = Engine(bundle_for(manifest), backend=Fake({"encoder": slow, "head": answer}))
    found = measure(
        engine, lambda: PacedSource(NoiseSource(manifest, count=1_000_000)), task(deadline_s=0.01, min_frames=20)
    )
    punctuality = found.punctuality
    assert punctuality is not None
    # Two of three frames are never answered, and all others late.
    assert punctuality.misses == punctuality.due == punctuality.longest_run
    assert punctuality.due > 1.5 * found.samples.seen


def test_a_model_that_never_answers_in_real_time_ends_all_the_same() -> None:
    window = type(window_manifest().window)(frames=4, interval_s=0.01)
    manifest = window_manifest(window=window)
    # So slow that every frame is too old for the next: each window begins anew.
    stuck = sleeping(encode, lambda _call: 0.2)
    engine = Engine(bundle_for(manifest), backend=Fake({"encoder": stuck, "head": answer}))
    found = measure(
        engine,
        lambda: PacedSource(NoiseSource(manifest, count=1_000_000)),
        task(deadline_s=0.01, fps=100.0, min_frames=10, min_time_s=0.2),
    )
    assert found.punctuality is not None
    assert found.punctuality.misses == found.punctuality.due > 100


def test_a_recording_is_played_again_until_there_are_enough_answers() -> None:
    engine = Engine(bundle_for(window_manifest()), backend=Fake({"encoder": encode, "head": answer}))
    opened: list[Script] = []

    def open_again() -> Source:
        opened.append(Script([0] * 10))
        return opened[-1]

    found = measure(engine, open_again, task(min_frames=20))
    # Seven answers of ten frames: one turn to warm up, two whole ones and six answers of a third.
    assert (found.samples.seen, len(opened)) == (20, 4)


def test_a_recording_without_an_answer_is_rejected() -> None:
    engine = Engine(bundle_for(window_manifest()), backend=Fake({"encoder": encode, "head": answer}))
    with pytest.raises(SourceError, match="Expected answers from script, got none"):
        measure(engine, lambda: Script([]), task())


def rows_of(count: int, *, first: int = 0) -> np.ndarray:
    rows = np.full((count, len(STAGES)), NONE, np.int64)
    rows[:, list(STAGES).index("age")] = first + np.arange(count)
    return rows


def test_samples_are_thinned_evenly_and_the_largest_is_kept() -> None:
    samples = Samples()
    for block in range(50):
        samples.add(rows_of(2048, first=block * 2048))
    ages = samples.rows[:, list(STAGES).index("age")]
    assert len(ages) <= MOST_ROWS
    assert samples.kept_every == 9
    assert samples.seen == 50 * 2048
    assert set(np.diff(ages).tolist()) == {9}
    assert len(ages) == -(-samples.seen // samples.kept_every)
    assert samples.max_ns[list(STAGES).index("age")] == 50 * 2048 - 1


def test_frames_without_an_answer_are_no_samples() -> None:
    rows = rows_of(6)
    rows[:3, list(STAGES).index("age")] = NONE
    samples = Samples()
    samples.add(rows)
    assert samples.seen == len(samples.rows) == 3


def decision(t_s: float, age_ms: float) -> Decision:
    return Decision(t_s, "none", 1.0, [1.0], age_ms, ("none",), "tiny", {}, (), None, ())


def test_misses_are_late_answers_and_due_times_without_one() -> None:
    punctuality = Punctuality(0.1)
    for t_s, age_ms in ((0.0, 5), (0.1, 150), (0.2, 150), (0.5, 150), (0.6, 5)):
        punctuality.decided(decision(t_s, age_ms))
    # Two late ones, two that never came, and one more late one; then all is well.
    assert (punctuality.due, punctuality.misses, punctuality.longest_run) == (7, 5, 5)
    punctuality.restart()
    punctuality.decided(decision(9.0, 5))
    assert punctuality.due == 8
    punctuality.expect(20)
    assert (punctuality.due, punctuality.misses, punctuality.longest_run) == (20, 17, 12)


def test_a_last_turn_that_is_cut_off_before_its_first_answer_is_no_error() -> None:
    engine = Engine(bundle_for(window_manifest()), backend=Fake({"encoder": encode, "head": answer}))
    turns = iter([Script([0] * 10), Script([0] * 10), *[Script([0] * 2)] * 50])
    found = measure(engine, lambda: next(turns), task(min_frames=1, min_time_s=0.0))
    assert found.samples.seen >= 1
