"""The windows of prepared frames that a model reads from a decoded clip."""

from __future__ import annotations

import dataclasses

import numpy as np

from convert.clips.clip import Clip
from edgevid.bundle.manifest import Window
from edgevid.frames import Array, sampling
from edgevid.frames.preprocess import InputSpec
from edgevid.quant import pixels_to_float
from edgevid.units import NS_PER_S


def evenly_spread(count: int, wanted: int) -> list[int]:
    """Return indices spread evenly over a list, from its first to its last element.

    Args:
        count: Length of the list; 0 for no indices.
        wanted: Indices to return, if the list is long enough.

    Returns:
        min(count, wanted) ascending indices.
    """
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(int)).tolist()


def window_indices(clip: Clip, window: Window, *, start: int = 0) -> list[int]:
    """Return the frame indices of one window of a clip.

    Args:
        clip: Any clip.
        window: Length and sampling of the window.
        start: Index of the first frame; ignored for "uniform" sampling.

    Returns:
        `window.frames` indices; a clip that ends early repeats its last frame.
    """
    return sampling.window_indices(
        clip.timestamps_ns.tolist(), frames=window.frames, interval_s=_interval_s(window), start=start
    )


def centre_window(clip: Clip, window: Window) -> Array:
    """Return the frames of the window in the middle of a clip, which evaluation and conversion use.

    Args:
        clip: Any clip.
        window: Length and sampling of the window.

    Returns:
        (T, *frame) of the clip's dtype.
    """
    return clip.frames[
        sampling.centre_indices(clip.timestamps_ns.tolist(), frames=window.frames, interval_s=_interval_s(window))
    ]


def random_window(clip: Clip, window: Window, rng: np.random.Generator, *, speed: float) -> Array:
    """Return a window that starts at a random frame from which it still fits into the clip.

    Args:
        clip: The clip.
        window: Window of the network.
        rng: The random generator.
        speed: Factor on the sampling interval.

    Returns:
        (T, *frame) of the clip's dtype. In a clip shorter than the window, it starts at the first
        frame and repeats the last one.
    """
    paced, start = random_start(clip, window, rng, speed=speed)
    return clip.frames[window_indices(clip, paced, start=start)]


def random_start(clip: Clip, window: Window, rng: np.random.Generator, *, speed: float) -> tuple[Window, int]:
    """Draw a window of a clip, as `random_window` does.

    Returns:
        The window at its speed, and the index of its first frame.
    """
    paced = dataclasses.replace(window, interval_s=window.interval_s * speed)
    latest_ns = clip.timestamps_ns[-1] - round((paced.frames - 1) * paced.interval_s * NS_PER_S)
    # Count by time, not by index: videos may have an uneven frame rate.
    starts = max(1, int(np.searchsorted(clip.timestamps_ns, latest_ns, side="right")))
    return paced, int(rng.integers(starts))


def varied_rows(clip: Clip, window: Window, rng: np.random.Generator, *, speed: float) -> Array:
    """Return a window of rows that starts at a random time, at another speed.

    Rows are as far apart as the window's frames, so the nearest ones would repeat or skip some: they
    are interpolated. A zero stands for a point that is not seen, and has no neighbour to be mixed with.

    Args:
        clip: A clip of rows.
        window: Window of the network.
        rng: The random generator.
        speed: Factor on the sampling interval.

    Returns:
        (T, F) float32. A clip shorter than the window repeats its last row.
    """
    stamps = clip.timestamps_ns
    steps_ns = np.arange(window.frames) * window.interval_s * speed * NS_PER_S
    spare_ns = max(float(stamps[-1] - stamps[0]) - steps_ns[-1], 0.0)
    times_ns = np.minimum(stamps[0] + rng.uniform(0.0, spare_ns) + steps_ns, stamps[-1])
    after = np.clip(np.searchsorted(stamps, times_ns), 1, max(len(stamps) - 1, 1))
    before = np.minimum(after, len(stamps) - 1) - (len(stamps) > 1)
    first, second = clip.frames[before], clip.frames[np.minimum(after, len(stamps) - 1)]
    share = (times_ns - stamps[before]) / np.maximum(stamps[np.minimum(after, len(stamps) - 1)] - stamps[before], 1)
    share = np.clip(share, 0.0, 1.0)[:, None]
    mixed = (1 - share) * first + share * second
    is_seen_in_both = (first != 0) & (second != 0)
    return np.where(is_seen_in_both, mixed, np.where(share < 0.5, first, second)).astype(np.float32)


def _interval_s(window: Window) -> float | None:
    return None if window.sampling == "uniform" else window.interval_s


def to_real(frames: Array, spec: InputSpec) -> Array:
    """Convert prepared frames to the numbers that the trained model was trained on.

    Args:
        frames: uint8 pixels or float32 features, with any leading axes.
        spec: The model's input frame.

    Returns:
        float32 of the same shape.
    """
    out = np.empty(frames.shape, np.float32)
    if spec.kind == "features":
        out[...] = frames
    else:
        pixels_to_float(frames, *spec.range, out)
    return out
