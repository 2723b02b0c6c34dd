"""Filters over time: a low pass, and the one-euro filter, whose cut-off follows the speed.

Source: Casiez, Roussel and Vogel, "1 € Filter", CHI 2012; MediaPipe, one_euro_filter.cc and
landmarks_smoothing_calculator_utils.cc.
"""

from __future__ import annotations

import math

import numpy as np

from edgevid.frames import Array

# MediaPipe's Python solutions stamp pictures 33,333 us apart, whenever they come. Models were trained
# on rows that were smoothed so, and so they are smoothed here, at any rate.
INTERVAL_S = 0.033333
# `min_allowed_object_scale`: smaller objects are not smoothed.
_SMALLEST = 1e-6


class LowPass:
    """An exponential mean.

    Args:
        alpha: Weight of the newest value, above 0 to 1.
    """

    def __init__(self, alpha: float) -> None:
        self._alpha = alpha
        self._mean: Array | None = None

    def apply(self, values: Array) -> Array:
        """Return the mean after new values; the first are returned as they are."""
        mean = values if self._mean is None else self._alpha * values + (1.0 - self._alpha) * self._mean
        self._mean = mean
        return mean

    def reset(self) -> None:
        """Forget all values."""
        self._mean = None


class OneEuro:
    """A one-euro filter for each of several numbers.

    Args:
        min_cutoff: Cut-off at rest, in Hz.
        beta: Growth of the cut-off with the speed.
        derivate_cutoff: Cut-off of the speed, in Hz.
        interval_s: Time between two calls, in seconds.
    """

    def __init__(
        self, *, min_cutoff: float, beta: float, derivate_cutoff: float = 1.0, interval_s: float = INTERVAL_S
    ) -> None:
        self._min_cutoff, self._beta, self._interval_s = min_cutoff, beta, interval_s
        self._alpha_of_speed = float(self._alpha(np.array(derivate_cutoff)))
        self._raw: Array | None = None
        self._speed: Array | None = None
        self._smooth: Array | None = None

    def apply(self, values: Array, *, scale: float) -> Array:
        """Return the smoothed values.

        Args:
            values: Any shape, always the same.
            scale: Size of the object; speeds are in sizes a second.
        """
        if scale < _SMALLEST:
            return values
        if self._raw is None or self._speed is None or self._smooth is None:
            self._raw, self._speed, self._smooth = values, np.zeros_like(values), values
            return values
        speed = (values - self._raw) / (scale * self._interval_s)
        self._speed = self._alpha_of_speed * speed + (1.0 - self._alpha_of_speed) * self._speed
        alpha = self._alpha(self._min_cutoff + self._beta * np.abs(self._speed))
        self._smooth = alpha * values + (1.0 - alpha) * self._smooth
        self._raw = values
        return self._smooth

    def reset(self) -> None:
        """Forget all values."""
        self._raw = self._speed = self._smooth = None

    def _alpha(self, cutoff: Array) -> Array:
        return 1.0 / (1.0 + 1.0 / (2 * math.pi * cutoff * self._interval_s))
