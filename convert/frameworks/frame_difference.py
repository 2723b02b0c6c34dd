"""Keras layers of edgevid, which the converter can stream.

Import this module before loading a `.keras` file that uses them; the import registers them with Keras.
"""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="edgevid")
class FrameDifference(keras.layers.Layer):  # type: ignore[misc]  # keras is not typed
    """Subtract each frame from the one after it, so that motion is the input.

    Static pixels cancel, so a small network need not learn to ignore backgrounds and clothes. The layer does not
    pad: T frames give T - 1 differences, each a function of two neighbouring frames. A stream therefore needs one
    frame of look-back. The layer only uses a slice, a subtraction and, with `keep`, a concatenation, which all
    exist in int8.

    Args:
        keep: Whether to append the newer frame, as further channels after the difference.
        gain: Factor on the difference.
        offset: Added to the difference after `gain`.
        limits: The range that a difference is clipped to, (low, high); None for no limits. With `gain` and
            `offset`, differences get the range and the middle of the pictures that a pretrained encoder knows.
        **kwargs: As for every Keras layer.

    Attributes:
        lookback: Frames before the newest that one output depends on.

    Source: temporal differences as input, Wang et al., "Temporal Segment Networks", ECCV 2016, section 3.2
        (RGB difference).
    """

    lookback = 1

    def __init__(
        self,
        *,
        keep: bool = False,
        gain: float = 1.0,
        offset: float = 0.0,
        limits: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keep = keep
        self.gain = float(gain)
        self.offset = float(offset)
        # A configuration in JSON has a list.
        self.limits = None if limits is None else (float(limits[0]), float(limits[1]))

    def call(self, frames: Any) -> Any:
        """Return the differences.

        Args:
            frames: (B, T, H, W, C) float, T >= 2.

        Returns:
            (B, T - 1, H, W, C) float, or with `keep` (B, T - 1, H, W, 2 C): difference, newer frame.
        """
        newer = frames[:, 1:]
        difference = newer - frames[:, :-1]
        if (self.gain, self.offset) != (1.0, 0.0):
            difference = difference * self.gain + self.offset
        if self.limits is not None:
            difference = keras.ops.clip(difference, *self.limits)
        return keras.ops.concatenate([difference, newer], axis=-1) if self.keep else difference

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        own = {"keep": self.keep, "gain": self.gain, "offset": self.offset, "limits": self.limits}
        return {**super().get_config(), **own}
