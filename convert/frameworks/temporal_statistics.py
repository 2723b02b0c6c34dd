"""A Keras layer that sums a sequence of features up, for linear heads that learn from few clips."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="edgevid")
class TemporalStatistics(keras.layers.Layer):  # type: ignore[misc]  # keras is not typed
    """Replace a sequence by the mean, the spread and the mean absolute change of each feature.

    With tens of clips, a linear layer on these three beats recurrent layers: it has no order of
    frames to learn.

    Args:
        spread: Whether to append the standard deviation over time and the mean absolute difference
            of neighbouring steps. Without it the layer returns the mean alone.
        **kwargs: As for every Keras layer.
    """

    def __init__(self, *, spread: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spread = spread

    def call(self, features: Any) -> Any:
        """Return the statistics.

        Args:
            features: (B, T, F) float, T >= 2 with `spread`.

        Returns:
            (B, 3 F) float: means, standard deviations, mean absolute changes; (B, F) without
            `spread`.
        """
        mean = keras.ops.mean(features, axis=1)
        if not self.spread:
            return mean
        deviation = features - mean[:, None]
        # The epsilon keeps the gradient of a constant feature finite.
        spread = keras.ops.sqrt(keras.ops.mean(deviation * deviation, axis=1) + 1e-8)
        change = keras.ops.mean(keras.ops.abs(features[:, 1:] - features[:, :-1]), axis=1)
        return keras.ops.concatenate([mean, spread, change], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, 3 F), or (B, F) without `spread`."""
        batch, _, width = input_shape
        return (batch, width if width is None or not self.spread else 3 * width)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration."""
        return {**super().get_config(), "spread": self.spread}
