import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevid.errors import ContractError
from edgevid.frames.sampling import (
    MAX_GAP_INTERVALS,
    IntervalSampler,
    Sample,
    hold_last,
    interval_indices,
    uniform_indices,
)

MS = 1_000_000


def stamps(fps: float, count: int) -> list[int]:
    """Exact times of frames."""
    return [round(index * 1e9 / fps) for index in range(count)]


def container_stamps(fps: float, count: int) -> list[int]:
    """Times as a container stores them: cut to whole milliseconds."""
    return [stamp // MS * MS for stamp in stamps(fps, count)]


@pytest.mark.parametrize(
    ("fps", "interval_s", "wanted"),
    [
        (
            25,
            0.1,
            [0, 3, 5, 8, 10, 13, 15, 18, 20],
        ),  # the first frame at or after 0, 100, 200 ms ...: 120 and 80 ms in turn
        (30, 0.1, [0, 3, 6, 9, 12, 15, 18]),
        (10, 0.1, list(range(20))),
        (5, 0.1, list(range(20))),  # slower than asked: every frame
        (20, 0.1, list(range(0, 20, 2))),
    ],
)
@pytest.mark.parametrize("times", [stamps, container_stamps])
def test_the_first_frame_at_or_after_each_due_time_is_taken(fps, interval_s, wanted, times):
    taken = interval_indices(times(fps, 20 if fps < 25 else wanted[-1] + 1), interval_s)
    assert taken == wanted


def test_a_frame_that_its_container_dates_a_millisecond_early_is_still_the_one_that_is_due():
    assert interval_indices([0, 33 * MS, 66 * MS, 99 * MS, 133 * MS], 0.1) == [0, 3]
    assert interval_indices([0, 33 * MS, 66 * MS, 98 * MS, 133 * MS], 0.1) == [0, 4]


@given(fps=st.floats(20, 120), interval_s=st.sampled_from([0.08, 0.1, 0.25]), seed=st.integers(0, 99))
def test_the_rate_does_not_drift_over_a_minute_however_the_camera_jitters(fps, interval_s, seed):
    jitter = np.random.default_rng(seed).uniform(0, 0.3 / fps, int(60 * fps))
    times = [round((index / fps + wobble) * 1e9) for index, wobble in enumerate(jitter)]
    taken = interval_indices(times, interval_s)
    assert abs(len(taken) - (times[-1] - times[0]) / (interval_s * 1e9)) <= 1.01
    for position, index in enumerate(taken):
        late_ns = times[index] - times[0] - position * interval_s * 1e9
        assert -1.001 * MS <= late_ns <= 1.31e9 / fps


def test_the_first_frame_restarts_the_window_and_is_no_gap():
    sampler = IntervalSampler(0.1)
    assert sampler.offer(5) is Sample.RESTART
    assert sampler.gaps == 0


@pytest.mark.parametrize(
    ("hole_ms", "answer"),
    [
        (100, Sample.TAKE),
        (MAX_GAP_INTERVALS * 100, Sample.TAKE),
        (MAX_GAP_INTERVALS * 100 + 1, Sample.RESTART),
        (-1, Sample.RESTART),
        (0, Sample.SKIP),
    ],
)
def test_a_wide_hole_and_time_running_backwards_restart_the_window(hole_ms, answer):
    sampler = IntervalSampler(0.1)
    sampler.offer(0)
    assert sampler.offer(100 * MS) is Sample.TAKE
    assert sampler.offer((100 + hole_ms) * MS) is answer
    assert sampler.gaps == (answer is Sample.RESTART)


def test_after_a_gap_the_grid_is_anchored_at_the_frame_that_ended_it():
    sampler = IntervalSampler(0.1)
    times_ms = [0, 100, 1042, 1100, 1142, 1242]
    assert [sampler.offer(time * MS).value for time in times_ms] == [
        "restart",
        "take",
        "restart",
        "skip",
        "take",
        "take",
    ]


def test_after_a_short_hole_the_grid_stays_where_it_was():
    sampler = IntervalSampler(0.1)
    times_ms = [0, 100, 350, 380, 400, 500]
    assert [sampler.offer(time * MS).value for time in times_ms] == ["restart", "take", "take", "skip", "take", "take"]


@pytest.mark.parametrize("interval_s", [0, -0.1, 1e-12, 0.0019, float("nan"), float("inf"), 86_401])
def test_an_interval_that_has_no_grid_of_due_times_is_refused(interval_s):
    with pytest.raises(ContractError, match=r"Expected a sampling interval of 0\.002 to 86400 s, got"):
        IntervalSampler(interval_s)


@pytest.mark.parametrize(
    ("count", "frames", "wanted"),
    [
        (20, 5, [0, 4, 8, 12, 16]),
        (23, 5, [0, 4, 8, 12, 16]),  # whole steps: the rest of the clip is not seen
        (5, 5, [0, 1, 2, 3, 4]),
        (9, 5, [0, 1, 2, 3, 4]),
        (3, 5, [0, 1, 2, 2, 2]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_uniform_indices_step_through_the_clip_as_the_tutorials_do(count, frames, wanted):
    assert uniform_indices(count, frames) == wanted


@given(count=st.integers(1, 500), frames=st.integers(1, 60))
def test_uniform_indices_are_always_as_many_as_asked_and_lie_in_the_clip(count, frames):
    indices = uniform_indices(count, frames)
    assert len(indices) == frames
    assert indices == sorted(indices)
    assert indices[0] == 0
    assert indices[-1] < count


def test_uniform_indices_of_no_frames_are_refused():
    with pytest.raises(ContractError, match="at least one frame"):
        uniform_indices(0, 5)


@pytest.mark.parametrize(("given_indices", "wanted"), [([4, 5, 6], [4, 5]), ([4, 5], [4, 5]), ([4], [4, 4])])
def test_hold_last_cuts_or_repeats(given_indices, wanted):
    assert hold_last(given_indices, 2) == wanted


@pytest.mark.parametrize(("step_ms", "missed"), [(10, 0), (50, 0), (100, 0), (200, 20), (125, 5), (1000, 36)])
def test_due_times_that_pass_without_a_frame_are_counted(step_ms: int, missed: int) -> None:
    sampler = IntervalSampler(0.1)
    for stamp_ms in range(0, 4001, step_ms):
        sampler.offer(stamp_ms * 1_000_000)
    assert sampler.missed == pytest.approx(missed, abs=3 if step_ms == 125 else 0)


def test_the_error_of_the_time_base_is_how_late_a_frame_is_that_is_taken() -> None:
    sampler = IntervalSampler(0.1)
    stamps_ms = (0, 40, 80, 120, 160, 200, 240, 900, 1000)
    late_ms = [
        sampler.late_ns / 1e6 for stamp_ms in stamps_ms if sampler.offer(stamp_ms * 1_000_000) is not Sample.SKIP
    ]
    # 0 is taken, then 120 for 100, 200 for 200; 900 begins again, and 1000 is on time.
    assert late_ms == [0, 20, 0, 0, 0]
