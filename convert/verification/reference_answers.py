"""Interface of the models that a bundle's answers are compared with."""

from __future__ import annotations

from typing import Protocol

from convert.rows import AnyRows
from edgevid.frames import Array


class ReferenceAnswers(Protocol):
    """Scores and values of the model before its conversion.

    `convert.verification.reference.Reference` runs a trained model in float;
    `convert.prebuilt.FileReference` runs a `.tflite` file that was converted elsewhere.
    Every method takes windows (N, T, *frame) of prepared frames, and holds a few of them at a time.

    Attributes:
        name: Name of the model's own answers, the first stage of the proof.
    """

    name: str

    def scores(self, windows: AnyRows) -> Array:
        """Return the probabilities (N, classes) float32 of the model as it was loaded."""
        ...

    def stream_scores(self, frames: Array, window: int) -> Array:
        """Return the probabilities (N - window + 1, classes) float32 in a stream of frames (N, *frame).

        After each frame from the first full window on.
        """
        ...

    def split_scores(self, windows: AnyRows) -> Array:
        """Return the probabilities (N, classes) float32 of its parts, run as on the device."""
        ...

    def split_stream_scores(self, frames: Array, window: int) -> Array:
        """Return the same as `stream_scores`, by the parts: each frame is encoded once."""
        ...

    def values(self, windows: AnyRows) -> list[Array]:
        """Return the other outputs of the model, each as (N, size) float32."""
        ...

    def split_values(self, windows: AnyRows) -> list[Array]:
        """Return the other outputs of the parts, each as (N, size) float32."""
        ...

    def rounding(self, windows: AnyRows) -> float:
        """Return how far the rounding of float32 alone can move a probability."""
        ...

    def value_rounding(self, windows: AnyRows) -> list[float]:
        """Return how far the rounding of float32 alone can move each other output."""
        ...
