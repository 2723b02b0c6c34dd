"""Calibration samples."""

from pathlib import Path

import numpy as np
import pytest

from convert.clips import Clip, ClipRef
from convert.quantization.calibration import (
    MAX_CLIPS,
    MAX_ENCODER_SAMPLES,
    Calibration,
    choose,
    frame_samples,
    on_grid,
    on_own_grid,
    pin,
    step_samples,
)
from convert.splitting.split import PartFunction
from edgevid.bundle.manifest import Window
from edgevid.frames.preprocess import InputSpec
from edgevid.quant import QuantParams, quantize

SPEC = InputSpec(height=2, width=2, channels=3, color="rgb", range=(-1.0, 1.0))


def clip(number, count=40):
    """A clip whose frames hold its number and their own."""
    frames = np.zeros((count, 2, 2, 3), np.uint8)
    frames[:, 0, 0, 0], frames[:, 0, 0, 1] = number, np.arange(count)
    return Clip(ClipRef(Path(f"{number}.avi")), frames, np.arange(count, dtype=np.int64) * 100_000_000)


def test_calibration_clips_reach_from_the_first_to_the_last():
    made = choose([clip(number) for number in range(100)], Window(frames=5, interval_s=0.1))
    assert len(made.clips) == MAX_CLIPS
    assert (made.clips[0], made.clips[-1]) == (0, 99)
    assert np.diff(made.clips).max() <= 4
    assert sorted({int(window[0, 0, 0, 0]) for window in made.windows}) == list(made.clips)


def test_both_ends_of_a_clip_are_looked_at_where_sampling_has_a_start():
    made = choose([clip(1)], Window(frames=5, interval_s=0.2))
    assert np.stack(list(made.windows))[:, :, 0, 0, 1].tolist() == [[0, 2, 4, 6, 8], [29, 31, 33, 35, 37]]
    assert len(choose([clip(1)], Window(frames=5, interval_s=0.2, sampling="uniform")).windows) == 1


def test_a_clip_shorter_than_the_window_holds_its_last_frame():
    (window,) = choose([clip(1, count=3)], Window(frames=5, interval_s=0.1)).windows
    assert window[:, 0, 0, 1].tolist() == [0, 1, 2, 2, 2]


def calibration(windows, frames):
    """Windows that hold their own number each."""
    made = np.zeros((windows, frames, 2, 2, 3), np.uint8)
    made[...] = np.arange(windows).reshape(-1, 1, 1, 1, 1)
    return Calibration(made, tuple(range(windows)))


@pytest.mark.parametrize(
    ("windows", "frames", "seen"), [(64, 20, 1), (64, 15, 1), (40, 8, 2), (64, 5, 5), (1, 1, 1), (3, 4, 1)]
)
def test_encoder_samples_reach_over_all_windows_and_stay_within_the_limit(windows, frames, seen):
    samples = np.stack(list(frame_samples(calibration(windows, frames), SPEC, seen)))
    count = min(windows * (frames - seen + 1), MAX_ENCODER_SAMPLES)
    assert samples.shape == ((count, 2, 2, 3) if seen == 1 else (count, seen, 2, 2, 3))
    middle = samples.reshape(count, -1)[:, 5]
    met = set(np.rint((middle + 1) * 127.5).astype(int).tolist())
    assert met == set(range(windows)), "every window is met, the last as the first"


def test_frame_samples_are_in_the_trained_range_to_its_ends():
    samples = np.stack(list(frame_samples(calibration(4, 3), SPEC, 1)))
    assert (samples.min(), samples.max()) == (-1.0, 1.0)


def test_pinning_sets_one_number_to_each_end_and_clips_the_rest():
    samples = np.array([[0.2, 0.5], [0.9, 3.0]], np.float32)
    np.testing.assert_array_equal(pin(samples, 0.0, 1.0), np.array([[0.0, 0.5], [0.9, 1.0]], np.float32))
    assert samples[1, 1] == 3.0, "a copy"


@pytest.mark.parametrize("seed", range(40))
def test_samples_pinned_row_by_row_are_those_pinned_together(seed):
    """Few different numbers, so that rows share their ends, and are sometimes all alike."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(-2, 1 + seed % 4, (3, 4)).astype(np.float32)
    together = np.clip(samples, np.float32(-1), np.float32(1)).reshape(-1)
    together[together.argmin()], together[together.argmax()] = -1, 1
    np.testing.assert_array_equal(np.stack(list(pin(samples, -1.0, 1.0))).reshape(-1), together)


@pytest.mark.parametrize("value", [-2.0, -1.0, 0.0, 1.0, 2.0])
def test_samples_that_are_all_alike_still_reach_both_ends(value):
    pinned = np.stack(list(pin(np.full((3, 2), value, np.float32), -1.0, 1.0)))
    assert (pinned.min(), pinned.max()) == (-1.0, 1.0)


def test_samples_in_any_memory_order_are_pinned():
    samples = np.asfortranarray(np.random.default_rng(0).random((5, 4), np.float32) * 0.5)
    pinned = np.stack(list(pin(samples, -1.0, 1.0)))
    assert (pinned.min(), pinned.max()) == (-1.0, 1.0)


@pytest.mark.parametrize(
    "params", [QuantParams("int8", 0.02, -128), QuantParams("int8", 0.1, 5), QuantParams("int8", 0.003, 127)]
)
def test_features_reach_over_the_whole_grid_of_the_encoder(params):
    features = np.random.default_rng(0).uniform(-0.1, 0.1, (4, 6)).astype(np.float32)
    stored = quantize(np.stack(list(on_grid(features, params))), params)
    assert (stored.min(), stored.max()) == (-128, 127)


def test_features_of_a_float_encoder_are_left_alone():
    features = np.ones((2, 3), np.float32)
    assert on_grid(features, QuantParams("float32")) is features


@pytest.mark.tf
def test_a_step_is_shown_the_states_that_really_occur():
    step = PartFunction("step", lambda x, total: [x * 0.0, total + x], ((1, 2), (1, 2)))
    features = np.arange(2 * 5 * 2, dtype=np.float32).reshape(2, 5, 2)
    inputs, states = step_samples(step, features)
    np.testing.assert_array_equal(inputs, features.reshape(10, 2))
    before = np.concatenate([np.zeros((2, 1, 2), np.float32), np.cumsum(features, axis=1)[:, :-1]], axis=1)
    np.testing.assert_array_equal(states, before.reshape(10, 2))


@pytest.mark.tf
@pytest.mark.parametrize("limit", [1, 7, 9])
def test_step_samples_stay_within_the_limit_and_reach_the_end(limit):
    step = PartFunction("step", lambda x, total: [x, total], ((1, 1), (1, 1)))
    inputs, _ = step_samples(step, np.arange(12, dtype=np.float32).reshape(3, 4, 1), limit=limit)
    assert len(inputs) == limit
    assert limit == 1 or inputs[-1] == 11


@pytest.mark.tf
def test_states_that_go_in_are_shown_as_far_as_those_that_come_out():
    step = PartFunction("step", lambda x, kept: [x * 0.0, 0.9 * kept + x], ((1, 2), (1, 2)))
    features = np.random.default_rng(3).uniform(-1, 1, (2, 5, 2)).astype(np.float32)
    inputs = step_samples(step, features)
    rows, states = on_own_grid(step, inputs)
    after = 0.9 * states + rows
    assert (states.min(), states.max()) == (pytest.approx(after.min(), rel=1e-4), pytest.approx(after.max(), rel=1e-4))
    assert states.max() > after.max(), "one grid to the last bit makes ties"
    assert (states.min(), states.max()) != (inputs[1].min(), inputs[1].max())
    assert (states != inputs[1]).sum() <= 6, "what really occurs is what calibration is for"
    assert rows is inputs[0]


@pytest.mark.tf
def test_a_state_that_only_ever_grows_is_shown_as_it_occurs():
    step = PartFunction("step", lambda x, count: [x, count + 1.0], ((1, 1), (1, 1)))
    inputs = step_samples(step, np.zeros((1, 6, 1), np.float32))
    assert on_own_grid(step, inputs) is inputs
    np.testing.assert_array_equal(inputs[1][:, 0], np.arange(6))
