"""The source that needs no camera."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from edgevid.capture.synthetic import GestureSource
from edgevid.errors import UsageError


def test_frames_have_the_size_the_count_and_the_times_asked_for() -> None:
    with GestureSource(seed=1, height_px=48, width_px=80, fps=10, duration_s=2) as source:
        seen = [(frame.data.shape, frame.color, frame.index, frame.timestamp_ns) for frame in source.frames()]
    assert len(seen) == 20
    assert seen[3] == ((48, 80, 3), "rgb", 3, 300_000_000)
    assert not source.live


def test_one_buffer_serves_every_frame() -> None:
    places = {frame.data.ctypes.data for frame in GestureSource(duration_s=1).frames()}
    assert len(places) == 1


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others() -> None:
    first, again, other = (
        [frame.data.copy() for frame in GestureSource(seed=seed, duration_s=1).frames()] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (np.array(first) != np.array(other)).any()


def test_the_truth_is_the_same_at_every_size_and_frame_rate() -> None:
    assert (
        GestureSource(seed=4, height_px=32, fps=5).truth
        == GestureSource(seed=4, height_px=120, width_px=160).truth
        != ()
    )


def test_the_picture_moves_more_while_a_gesture_is_made_than_on_average() -> None:
    source = GestureSource(seed=3, fps=10)
    frames = np.array([frame.data.copy() for frame in source.frames()]).astype(float)
    motion = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    times = np.arange(1, len(frames)) / 10
    making = np.any([(times > g.start_s + 0.2) & (times < g.end_s - 0.2) for g in source.truth], axis=0)
    assert motion[making].mean() > 1.1 * motion[~making].mean()


def test_a_live_stream_keeps_time_on_the_monotonic_clock() -> None:
    before_ns = time.monotonic_ns()
    stamps = [
        (frame.timestamp_ns, time.monotonic_ns())
        for frame in GestureSource(fps=100, duration_s=0.1, realtime=True).frames()
    ]
    assert stamps[0][0] >= before_ns
    assert all(given_ns >= due_ns for due_ns, given_ns in stamps)
    assert np.diff([due_ns for due_ns, _ in stamps]).tolist() == [10_000_000] * 9


@pytest.mark.parametrize("options", [{"fps": 0}, {"duration_s": -1.0}, {"height_px": 0}])
def test_an_empty_stream_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="above 0"):
        GestureSource(**options)


def test_it_needs_no_opencv() -> None:
    code = (
        "import sys; from edgevid.capture.synthetic import GestureSource; "
        "next(GestureSource().frames()); sys.exit('cv2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_frame_that_came_at_its_time_is_not_drawn_over_while_it_is_looked_at():
    frames = GestureSource(seed=1, fps=200, duration_s=1, realtime=True).frames()
    held = next(frames)
    before = held.data.copy()
    for _ in range(20):
        next(frames)
    assert (held.data == before).all()
