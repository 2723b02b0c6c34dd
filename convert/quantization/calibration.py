"""Calibration samples: the inputs from which the converter derives the grid of each tensor.

Three ranges are pinned rather than observed:

- Frames: the range of pixels 0 to 255, whether or not a clip reaches it. Quantising a pixel is then one bit flip.
- Features: the grid of the encoder's output, to its ends. The head's input then has the same grid, and a
  feature passes from part to part as the same integer.
- States: the range of the step's own output states, which are its next input states.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from convert.clips import Clip, evenly_spread, to_real, window_indices
from convert.rows import AnyRows, Rows
from convert.splitting.split import PartFunction
from convert.splitting.stepping import steps
from edgevid.bundle.manifest import Window
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.quant import QuantParams, dequantize
from edgevid.units import NS_PER_S

MAX_CLIPS = 32
MAX_ENCODER_SAMPLES = 256
# Samples of a step in memory, where their states are stretched: a hundred for a ConvLSTM of 64x64 over 20 frames.
_MAX_SAMPLE_BYTES = 128 * 2**20
_MIN_SAMPLES = 8
# Each round brings the ranges of input and output states closer (four were enough for LSTM and GRU). A state
# that only grows never converges.
_MAX_ROUNDS = 16
# Input states are stretched this little beyond output states. On exactly equal grids a gate's 256 levels times a
# state often end in a half, which XNNPACK rounds one way on x86 and another on ARM. At this distance no product
# does, and every stored number is still the same on both grids.
_STRETCH = np.float32(1 + 2**-14)


@dataclass(frozen=True)
class Calibration:
    """Windows that the converter may observe.

    Attributes:
        windows: Prepared frames (N, T, *frame).
        clips: Indices of the clips that the windows come from.
    """

    windows: AnyRows
    clips: tuple[int, ...]


def choose(clips: Sequence[Clip], window: Window) -> Calibration:
    """Choose calibration windows from clips spread evenly over all clips.

    Args:
        clips: All clips in the order of their paths, so that an even spread includes every class.
        window: The model's window.

    Returns:
        Windows of at most `MAX_CLIPS` clips: one per clip, or two for interval sampling.
    """
    chosen = _spread(len(clips), MAX_CLIPS)
    places = [(clips[index], indices) for index in chosen for indices in _windows(clips[index], window)]
    windows = Rows(lambda place: places[place][0].frames[places[place][1]], range(len(places)))
    return Calibration(windows, tuple(chosen))


def _windows(clip: Clip, window: Window) -> Iterator[list[int]]:
    """Yield the frames of a clip's first window and, for interval sampling, of its last."""
    yield window_indices(clip, window)
    if window.sampling == "interval":
        last_start_ns = clip.timestamps_ns[-1] - window.frames * window.interval_s * NS_PER_S
        start = int(np.searchsorted(clip.timestamps_ns, last_start_ns))
        if start > 0:
            yield window_indices(clip, window, start=min(start, len(clip.frames) - 1))


def frame_samples(calibration: Calibration, spec: InputSpec, seen_frames: int) -> Rows:
    """Return representative inputs of the first part.

    Args:
        calibration: The windows.
        spec: Format of the prepared frames.
        seen_frames: Number of frames in one input of the part.

    Returns:
        (*frame) or (seen_frames, *frame) float32 each. Pixels are pinned to the trained range.
    """
    windows = calibration.windows
    positions = windows.shape[1] - seen_frames + 1
    # Neighbouring samples are of one window, which is read once for them.
    window = lru_cache(maxsize=1)(windows.__getitem__)

    def sample(place: int) -> Array:
        index, start = divmod(place, positions)
        real = to_real(window(index)[start : start + seen_frames], spec)
        return real[0] if seen_frames == 1 else real

    samples = Rows(sample, _spread(len(windows) * positions, MAX_ENCODER_SAMPLES))
    return pin(samples, *spec.range) if spec.kind == "frames" else samples


def _spread(count: int, limit: int) -> list[int]:
    # Over the whole list: clips are sorted by class, so the first ones alone would leave classes out.
    return evenly_spread(count, limit)


def pin(samples: AnyRows, low: float, high: float) -> Rows:
    """Return samples that reach exactly from `low` to `high`, by setting one number to each.

    Args:
        samples: (N, ...) float32, at least two numbers.
        low: Smallest number of the grid.
        high: Largest number of the grid.

    Returns:
        The samples, clipped to the range.
    """
    clipped = Rows.of(samples).map(lambda row: np.clip(row, np.float32(low), np.float32(high)))
    ends = _places_of_ends(clipped, low)

    def pinned(place: int) -> Array:
        row = np.ascontiguousarray(clipped[place])
        for (at, number), end in zip(ends, (low, high), strict=True):
            if at == place:
                row.reshape(-1)[number] = end
        return row

    return Rows(pinned, range(len(clipped)))


def _places_of_ends(samples: Rows, low: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return row and position of the first smallest number, and of the first largest one of the others."""
    least = most = (0, 0)
    smallest, largest = np.inf, -np.inf
    for place, row in enumerate(samples):
        if row.min() < smallest:
            smallest, least = row.min(), (place, int(row.argmin()))
        if row.max() > largest:
            largest, most = row.max(), (place, int(row.argmax()))
    if least == most and smallest > low:
        # All numbers are equal, and the first one is taken.
        return least, (0, 1) if samples[0].size > 1 else (1, 0)
    return least, most


def on_grid(features: AnyRows, params: QuantParams) -> AnyRows:
    """Pin features to the ends of the encoder's output grid, so that the head's input gets the same grid.

    Args:
        features: (N, ...) float32.
        params: The encoder's output grid.

    Returns:
        float32; the features themselves for a float encoder.
    """
    if params.is_float:
        return features
    low, high = (float(dequantize(np.array([limit], params.dtype), params)[0]) for limit in params.limits)
    return pin(features, low, high)


def on_own_grid(step: PartFunction, inputs: list[AnyRows]) -> list[AnyRows]:
    """Stretch a step's input states to the range of its output states, so that both get the same stored numbers.

    A state then stays the same integer from frame to frame. On two grids it was rounded twice per frame, and
    clipped where the input grid is shorter. The output of a tanh, as in a SimpleRNN, keeps the grid that
    TensorFlow Lite fixes for it.

    Args:
        step: The float part.
        inputs: From `step_samples`.

    Returns:
        The same features, and states with a few numbers moved. If the ranges do not converge, as with a state
        that counts, `inputs` itself.
    """
    import tensorflow as tf

    run = tf.function(step.function, autograph=False)
    features, states = inputs[0], [np.array(state) for state in inputs[1:]]
    after = [np.empty_like(state) for state in states]
    stale = set(range(len(features)))
    for _ in range(_MAX_ROUNDS):
        for row in stale:
            outputs = run(*(tf.constant(each[row][None]) for each in (features, *states)))
            # The states are the last outputs.
            for state, output in zip(after, outputs[len(outputs) - len(after) :], strict=True):
                state[row] = output[0]
        stale = {row for state, output in zip(states, after, strict=True) for row in _stretch(state, output)}
        if not stale:
            return [features, *states]
    return inputs


def _stretch(state: Array, after: Array) -> list[int]:
    """Stretch `state` in place to the range of `after`; return the indices of the samples that changed."""
    low, high = after.min() * _STRETCH, after.max() * _STRETCH
    if (state.min(), state.max()) == (low, high) or after.size < 2:
        return []
    before = state.copy()
    np.clip(state, low, high, out=state)
    # Where the output is near the middle, an extreme input state rarely produces a new extreme output.
    places = np.argpartition(np.abs(after - (low + high) / 2), 1, axis=None)[:2]
    state.reshape(-1)[places] = low, high
    return np.flatnonzero((state != before).reshape(len(state), -1).any(axis=1)).tolist()


def step_samples(step: PartFunction, features: AnyRows, *, limit: int = MAX_ENCODER_SAMPLES) -> list[Array]:
    """Return representative inputs of a step, or of a head of windows in flight.

    The float part runs over the windows, so the states are those that occur in use.

    Args:
        step: The float part.
        features: (N, T, F) float32.
        limit: Maximum number of samples; fewer if they would take more than `_MAX_SAMPLE_BYTES`.

    Returns:
        For each input of the part an array (M, *shape).
    """
    import tensorflow as tf

    run = tf.function(step.function, autograph=False)
    fitting = _MAX_SAMPLE_BYTES // (4 * sum(map(math.prod, step.input_shapes)))
    picked = _spread(features.shape[0] * features.shape[1], min(limit, max(fitting, _MIN_SAMPLES)))
    columns = [np.empty((len(picked), *shape[1:]), np.float32) for shape in step.input_shapes]
    samples = (inputs for window in features for inputs, _ in steps(step, run, window))
    wanted = np.isin(np.arange(features.shape[0] * features.shape[1]), picked)
    for row, inputs in enumerate(itertools.compress(samples, wanted)):
        for column, values in zip(columns, inputs, strict=True):
            column[row] = values[0]
    return columns
