from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevid.capture.video.file_clock import MOST_HELD, FileClock
from edgevid.units import NS_PER_MS

USUAL_MS = 50


def times_ms(stamps_ms: list[int]) -> tuple[list[int], FileClock]:
    clock = FileClock(USUAL_MS * NS_PER_MS)
    settled = [stamp for raw_ms in stamps_ms for stamp in clock.offer(raw_ms * NS_PER_MS)]
    settled += clock.flush()
    return [round(stamp / NS_PER_MS) for stamp in settled], clock


def even(count: int, *, start: int = 0) -> list[int]:
    return [start + USUAL_MS * index for index in range(count)]


@pytest.mark.parametrize("stamp_ms", [40_000, 2_000_000, 0, -40_000])
@pytest.mark.parametrize("place", [1, 10, 28])
@pytest.mark.parametrize("run", [1, 3, MOST_HELD])
def test_a_file_clock_spreads_frames_with_damaged_stamps_between_their_neighbours(
    stamp_ms: int, place: int, run: int
) -> None:
    stamps = even(60)
    for index in range(place, place + run):
        stamps[index] = stamp_ms + (USUAL_MS * index if stamp_ms else 0)
    times, clock = times_ms(stamps)
    assert times == even(60)
    assert clock.assumed == run


@pytest.mark.parametrize("lengths", [(40, 40, 3), (20, 20), (12, 10, 11, 3), (200, 200)])
@pytest.mark.parametrize("start", [0, 80])
def test_a_file_clock_carries_its_times_over_stamps_that_begin_anew(lengths: tuple[int, ...], start: int) -> None:
    times, clock = times_ms([stamp for length in lengths for stamp in even(length, start=start)])
    assert times == even(sum(lengths), start=start)
    assert clock.assumed > 0


def test_a_file_clock_keeps_a_pause_of_the_camera() -> None:
    stamps = even(20) + even(20, start=60_000) + even(20, start=65_000)
    assert times_ms(stamps)[0] == stamps
    assert times_ms(stamps)[1].assumed == 0


def test_a_file_clock_keeps_a_pause_before_the_last_frames() -> None:
    stamps = even(20) + even(2, start=60_000)
    assert times_ms(stamps)[0] == stamps


def test_a_file_clock_uses_the_frame_rate_where_there_are_no_stamps() -> None:
    times, clock = times_ms([0] * 30)
    assert times == even(30)
    assert clock.missing == 29


def test_a_file_clock_is_not_shifted_by_two_frames_in_the_wrong_order() -> None:
    assert times_ms([0, 50, 150, 100, 200, 250])[0] == [0, 50, 150, 150, 200, 250]
    assert times_ms([0, 150, 50, 100, 200, 250])[0] == [0, 150, 150, 175, 200, 250]


def test_a_file_clock_begins_with_frames_before_time_zero() -> None:
    assert times_ms([-100, -50, 0, 50, 100])[0] == even(5)


@given(st.lists(st.integers(-100_000, 100_000), max_size=60))
def test_a_file_clock_gives_every_frame_one_time_later_than_the_one_before(stamps: list[int]) -> None:
    clock = FileClock(USUAL_MS * NS_PER_MS)
    times = [time for raw_ms in stamps for time in clock.offer(raw_ms * NS_PER_MS)] + clock.flush()
    assert len(times) == len(stamps)
    assert times == sorted(set(times))
    assert all(time >= 0 for time in times)
