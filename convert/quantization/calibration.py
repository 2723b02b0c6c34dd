"""What the converter is shown of each tensor, so that its ranges fit real use.

Three ranges are pinned rather than observed. Frames: pixels reach from 0 to 255 whether or not a calibration clip does, and with the range
exact, quantising a pixel is one bit flip. Features: the encoder's int8 output grid is the head's input grid, to the last step, so that a
feature passes from part to part as the integer it is. States are pinned to themselves: what goes into a step came out of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convert.clips import Clip, to_real, window_indices
from convert.splitting.split import PartFunction
from convert.splitting.stepping import steps
from edgevid.bundle.manifest import Window
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.quant import QuantParams, dequantize

MAX_CLIPS = 32
MAX_ENCODER_SAMPLES = 256
# Each round brings what goes in and what comes out nearer; four were enough for LSTM and GRU. A state that only ever grows is never there.
_ROUNDS = 16
# Where both grids are one to the last bit, a gate's 256 levels times a state's end in a half every so often, which XNNPACK rounds one way on x86 and
# another on ARM. This little apart no product does, and every stored number is still the same number on both.
_APART = np.float32(1 + 2**-14)


@dataclass(frozen=True)
class Calibration:
    """Windows that the converter may look at.

    Attributes:
        windows: (N, T, *frame) prepared frames.
        clips: Indices of the clips they are from.
    """

    windows: Array
    clips: tuple[int, ...]


def choose(clips: Sequence[Clip], window: Window) -> Calibration:
    """Choose calibration windows evenly over the clips, and at both ends of each where sampling has a start.

    Args:
        clips: All clips, in the order of their paths, so that even steps meet every class.
        window: The model's view of time.

    Returns:
        One or two windows of each of at most `MAX_CLIPS` clips.
    """
    chosen = _evenly(len(clips), MAX_CLIPS)
    windows = [clips[index].frames[indices] for index in chosen for indices in _windows(clips[index], window)]
    return Calibration(np.stack(windows), tuple(chosen))


def _windows(clip: Clip, window: Window) -> Iterator[list[int]]:
    yield window_indices(clip, window)
    if window.sampling == "interval":
        later = int(
            np.searchsorted(clip.timestamps_ns, clip.timestamps_ns[-1] - window.frames * window.interval_s * 1e9)
        )
        if later > 0:
            yield window_indices(clip, window, start=min(later, len(clip.frames) - 1))


def frame_samples(calibration: Calibration, spec: InputSpec, seen: int) -> Array:
    """Give inputs of the first part.

    Args:
        calibration: The windows.
        spec: The model's frames.
        seen: Frames that the part sees at once.

    Returns:
        (N, *frame) or (N, seen, *frame) float32, with the pixel range pinned.
    """
    windows = calibration.windows
    positions = windows.shape[1] - seen + 1
    picked = [divmod(index, positions) for index in _evenly(len(windows) * positions, MAX_ENCODER_SAMPLES)]
    samples = to_real(np.stack([windows[clip, start : start + seen] for clip, start in picked]), spec)
    samples = samples[:, 0] if seen == 1 else samples
    return pin(samples, *spec.range) if spec.kind == "frames" else samples


def _evenly(count: int, limit: int) -> list[int]:
    """Pick indices over the whole of a list: clips are in the order of their classes, and the last class counts as the first does."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).astype(int)).tolist()


def pin(samples: Array, low: float, high: float) -> Array:
    """Make samples reach from `low` to `high` exactly, by setting one number to each.

    Args:
        samples: (N, ...) float32, at least two numbers.
        low: Least value of the grid.
        high: Greatest value.

    Returns:
        A copy, clipped to the range.
    """
    pinned = np.ascontiguousarray(np.clip(samples, np.float32(low), np.float32(high)))
    flat = pinned.reshape(-1)
    flat[flat.argmin()], flat[flat.argmax()] = low, high
    return pinned


def on_grid(features: Array, params: QuantParams) -> Array:
    """Make features reach over the whole grid of the encoder's output, so that the head's input gets the same grid.

    Args:
        features: (N, ...) float32.
        params: The encoder's output grid.

    Returns:
        float32; the same where the encoder is in float.
    """
    if params.is_float:
        return features
    low, high = (float(dequantize(np.array([limit], params.dtype), params)[0]) for limit in params.limits)
    return pin(features, low, high)


def on_own_grid(step: PartFunction, inputs: list[Array]) -> list[Array]:
    """Make the states that go into a step reach as far as those that come out of it, but for a hair, so that both have the same stored numbers.

    A state then goes round as the integer it is: on grids of their own it was rounded twice a frame, and cut off where the one that goes in is shorter.
    What comes out of a tanh, as in a SimpleRNN, keeps the grid that TensorFlow Lite has for that.

    Args:
        step: The float part.
        inputs: As from `step_samples`.

    Returns:
        The features as they are and states with a few numbers moved; `inputs` where that leads nowhere, as with a state that counts.
    """
    import tensorflow as tf

    run = tf.function(step.function, autograph=False)
    given = [inputs[0], *(np.array(state) for state in inputs[1:])]
    after = [np.empty_like(state) for state in given[1:]]
    stale = set(range(len(inputs[0])))
    for _ in range(_ROUNDS):
        for row in stale:
            outputs = run(*(tf.constant(each[row][None]) for each in given))
            for kept, output in zip(after, outputs[len(outputs) - len(after) :], strict=True):
                kept[row] = output[0]
        stale = {row for state, output in zip(given[1:], after, strict=True) for row in _reach(state, output)}
        if not stale:
            return given
    return inputs


def _reach(state: Array, after: Array) -> list[int]:
    """Give `state`, in place, the least and greatest number of `after`, and say which samples that changed."""
    low, high = after.min() * _APART, after.max() * _APART
    if (state.min(), state.max()) == (low, high) or after.size < 2:
        return []
    before = state.copy()
    np.clip(state, low, high, out=state)
    # Where the answer is in the middle an extreme that goes in hardly ever makes another that comes out.
    places = np.argpartition(np.abs(after - (low + high) / 2), 1, axis=None)[:2]
    state.reshape(-1)[places] = low, high
    return np.flatnonzero((state != before).reshape(len(state), -1).any(axis=1)).tolist()


def step_samples(step: PartFunction, features: Array, *, limit: int = MAX_ENCODER_SAMPLES) -> list[Array]:
    """Give inputs of a step, or of a head of windows in flight, with the states that really occur, by running the float part over the windows.

    Args:
        step: The float part.
        features: (N, T, F) float32.
        limit: Most samples to return.

    Returns:
        For each input of the part an array (M, *shape).
    """
    import tensorflow as tf

    run = tf.function(step.function, autograph=False)
    picked = set(_evenly(features.shape[0] * features.shape[1], limit))
    shown = (inputs for window in features for inputs, _ in steps(step, run, window))
    rows = [[each[0] for each in inputs] for index, inputs in enumerate(shown) if index in picked]
    return [np.stack(column) for column in zip(*rows, strict=True)]
