"""Addresses of cameras and streams, and the parts of them that stay hidden."""

from __future__ import annotations

import itertools

import pytest

from edgevid.capture import open_source
from edgevid.capture.address import POSITIVE, SIZE, SWITCH, split_options
from edgevid.capture.clock import MAX_AGE_NS, MAX_AHEAD_NS, FrameCounter, StreamClock, sensor_ns
from edgevid.errors import MissingDependency, UsageError
from tests.models.bundles import features_manifest, window_manifest

LEGAL = {"size": SIZE, "fps": POSITIVE, "hflip": SWITCH}


def test_options_stand_behind_a_question_mark() -> None:
    assert split_options("/dev/video0?size=640x480&fps=12.5&hflip=1", LEGAL) == (
        "/dev/video0",
        {"size": (640, 480), "fps": 12.5, "hflip": True},
    )
    assert split_options("0", LEGAL) == ("0", {})


@pytest.mark.parametrize(
    "query",
    [
        "depth=3",
        "size=640",
        "size=0x480",
        "size=640x480&size=1x1",
        "fps=0",
        "fps=nan",
        "fps=-1",
        "fps=",
        "hflip=yes",
        "size",
    ],
)
def test_options_that_are_unknown_or_illegal_are_refused(query: str) -> None:
    with pytest.raises(UsageError, match="Expected"):
        split_options(f"0?{query}", LEGAL)


@pytest.mark.parametrize(
    "text",
    [
        "v4l2:/dev/no-such-camera",
        "v4l2:/dev/null?size=1",
        "v4l2:/etc/passwd",
        "picamera2:first",
        "replay:/no/such.avi",
        "camera:0",
        "synthetic:x",
        "replay",
    ],
)
def test_a_source_that_is_not_there_is_a_usage_error(text: str) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(UsageError, match="Expected"):
        open_source(text, window_manifest())


def test_a_csi_camera_without_its_library_says_how_to_get_it() -> None:
    with pytest.raises(MissingDependency, match=r"apt install python3-picamera2.*system-site-packages"):
        open_source("picamera2", window_manifest())


def test_a_camera_is_no_source_of_feature_vectors() -> None:
    with pytest.raises(UsageError, match="feature vectors"):
        open_source("picamera2:0", features_manifest())


@pytest.mark.parametrize("stamp_ns", [None, 0, 1, 10**12 + MAX_AHEAD_NS + 1, 10**12 - MAX_AGE_NS - 1])
def test_a_drivers_time_that_cannot_be_on_our_clock_is_not_believed(stamp_ns: int | None) -> None:
    assert sensor_ns(stamp_ns, 10**12) is None


def test_a_drivers_time_on_our_clock_is_believed() -> None:
    assert sensor_ns(10**12 - 33_000_000, 10**12) == 10**12 - 33_000_000
    assert sensor_ns(10**12 + 33_000_000, 10**12) == 10**12 + 33_000_000


def test_a_stream_keeps_its_intervals_however_late_its_frames_come() -> None:
    clock = StreamClock()
    delays_ms = [30, 10, 80, 250, 210, 170, 10, 15]
    times = [
        clock.to_monotonic_ns(index * 40_000_000, 10**12 + (index * 40 + delay) * 1_000_000)
        for index, delay in enumerate(delays_ms)
    ]
    steps = [after - before for before, after in itertools.pairwise(times[1:])]
    assert all(abs(step - 40_000_000) < 100_000 for step in steps)


def test_a_stream_whose_clock_stands_still_jumps_or_drifts_stays_near_ours() -> None:
    clock = StreamClock()
    assert [clock.to_monotonic_ns(0, now) for now in (10, 20, 30)] == [10, 20, 30]
    clock = StreamClock()
    assert clock.to_monotonic_ns(1_000, 5_000_000_000) == 5_000_000_000
    # The sender started again: its clock is ten seconds behind what it was.
    assert clock.to_monotonic_ns(2_000, 15_000_000_000) == 15_000_000_000
    clock, now = StreamClock(), 0
    for index in range(100_000):  # an hour at 25 frames a second, 100 parts in a million slow
        now = index * 40_004_000
        stamp = clock.to_monotonic_ns(index * 40_000_000, now)
    assert abs(now - stamp) < 1_000_000


def test_frames_are_numbered_by_their_times() -> None:
    counter = FrameCounter()
    stamps_ms = [0, 33, 67, 100, 200, 233, 266, 400]
    assert [counter.index(stamp * 1_000_000) for stamp in stamps_ms] == [0, 1, 2, 3, 6, 7, 8, 12]


def test_a_camera_that_slows_down_is_not_losing_frames_for_ever() -> None:
    counter = FrameCounter()
    for index in range(60):
        counter.index(index * 33_000_000)
    before = [counter.index(60 * 33_000_000 + index * 66_000_000) for index in range(40)]
    assert [after - one for one, after in itertools.pairwise(before[-10:])] == [1] * 9
