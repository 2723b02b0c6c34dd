"""The trained float model, whole and in parts: what every later stage is held against."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from convert.calibrate import to_real
from convert.split import Split
from convert.stepping import last_answer
from edgevid.frame import Array
from edgevid.manifest import Scores
from edgevid.preprocess import InputSpec
from edgevid.scores import to_probabilities

_BATCH_BYTES = 64 * 2**20
_BATCH = 8


class Reference:
    """Answers in float, by TensorFlow, each graph traced once.

    Args:
        model: Keras model of either framework.
        parts: The same model taken apart.
        spec: The model's frames.
        kind: What its output is.
    """

    def __init__(self, model: Any, parts: Split, spec: InputSpec, kind: Scores) -> None:
        import tensorflow as tf

        self._parts, self._spec = parts, spec
        self._probabilities = to_probabilities(kind)
        self._model = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
        # Without autograph, which would put an error of its own in the place of ours.
        self._whole = tf.function(parts.whole.function, autograph=False)
        self._encoder = tf.function(parts.encoder.function, autograph=False) if parts.encoder is not None else None
        self._head = tf.function(parts.head.function, autograph=False) if parts.head is not None else None

    def scores(self, windows: Array) -> Array:
        """Ask the trained model as it was loaded.

        Args:
            windows: (N, T, *frame) prepared frames.

        Returns:
            (N, classes) float32 probabilities.
        """
        size = int(np.clip(_BATCH_BYTES // (windows[0].size * 4), 1, _BATCH))
        return self._collect(self._model(to_real(windows[start : start + size], self._spec)) for start in range(0, len(windows), size))

    def split_scores(self, windows: Array) -> Array:
        """Ask the float parts as the device does: the encoder once a frame, then the head.

        Args:
            windows: (N, T, *frame) prepared frames.

        Returns:
            (N, classes) float32 probabilities.
        """
        head = self._parts.head
        if head is None or self._head is None:
            return self._collect(self._whole(to_real(window[None], self._spec))[0] for window in windows)
        return self._collect(last_answer(head, self._head, self.features(window)) for window in windows)

    def features(self, window: Array) -> Array:
        """Run the float encoder over a window.

        Args:
            window: (T, *frame) prepared frames.

        Returns:
            (T - lookback, F) float32.
        """
        assert self._encoder is not None and self._parts.encoder is not None
        real, shape, seen = to_real(window, self._spec), self._parts.encoder.input_shapes[0], self._parts.lookback + 1
        rows = [self._encoder(real[start : start + seen].reshape(shape))[0] for start in range(len(window) - seen + 1)]
        return np.concatenate([np.asarray(row) for row in rows])

    def _collect(self, batches: Iterable[Any]) -> Array:
        return self._probabilities(np.concatenate([np.asarray(batch) for batch in batches]))
