"""The trained float model, whole and in parts: what every later stage is held against."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from convert.clips import to_real
from convert.frameworks.tensorflow_setup import run_graphs_as_they_are
from convert.splitting.split import Split
from convert.splitting.stepping import last_answer, last_answers
from edgevid.bundle.manifest import Scores
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.probabilities import to_probabilities

_BATCH_BYTES = 32 * 2**20
_BATCH = 4
# Depthwise convolutions use one processor whatever TensorFlow is given; several calls at a time use as many as there are. More would take memory.
_AT_A_TIME = min(os.cpu_count() or 1, 4)


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

        run_graphs_as_they_are()
        self._parts, self._spec = parts, spec
        self._probabilities = to_probabilities(kind)
        self._model = tf.function(lambda batch: model(batch, training=False))
        # Without autograph, which would put an error of its own in the place of ours.
        self._whole = tf.function(parts.whole.function, autograph=False)
        self._encoder = tf.function(parts.encoder.function, autograph=False) if parts.encoder is not None else None
        self._head = tf.function(parts.head.function, autograph=False) if parts.head is not None else None
        self._beside = tf.function(lambda batch: model.values(batch), reduce_retracing=True)

    def scores(self, windows: Array) -> Array:
        """Ask the trained model as it was loaded.

        Args:
            windows: (N, T, *frame) prepared frames.

        Returns:
            (N, classes) float32 probabilities.
        """
        size = int(np.clip(_BATCH_BYTES // (windows[0].size * 4), 1, _BATCH))
        return self._collect(
            lambda start: self._batch(windows[start : start + size], size), range(0, len(windows), size)
        )

    def _batch(self, windows: Array, size: int) -> Any:
        """Ask about a batch, filled up to its size: TimeDistributed writes its layer once a frame, and the graph of another size takes seconds to trace."""
        full = np.concatenate([windows, np.repeat(windows[-1:], size - len(windows), axis=0)])
        return self._model(to_real(full, self._spec))[: len(windows)]

    def split_scores(self, windows: Array) -> Array:
        """Ask the float parts as the device does: the encoder once a frame, then the head.

        Args:
            windows: (N, T, *frame) prepared frames.

        Returns:
            (N, classes) float32 probabilities.
        """
        head = self._parts.head
        if head is None or self._head is None:
            return self._collect(lambda window: self._whole(to_real(window[None], self._spec))[0], windows)
        run = self._head
        return self._collect(lambda window: last_answer(head, run, self.features(window)), windows)

    def rounding(self, windows: Array) -> float:
        """Tell how much of the trained model's answer is float32's own rounding.

        Args:
            windows: (N, T, *frame) prepared frames.

        Returns:
            The greatest change of a probability when every input is moved by less than float32 can tell of a product: a deep network that was not
            trained well makes much of that, and the same network run one window at a time or in another order differs as much.
        """
        moved = self._collect(
            lambda window: self._model(to_real(window[None], self._spec) * np.float32(1 + 2**-22)), windows
        )
        alone = self._collect(lambda window: self._model(to_real(window[None], self._spec)), windows)
        together = self.scores(windows)
        return float(max(np.abs(moved - together).max(), np.abs(alone - together).max()))

    def values(self, windows: Array) -> list[Array]:
        """Ask the trained model for what it gives beside its scores.

        Args:
            windows: (N, T, *frame) prepared frames.

        Returns:
            (N, size) float32 for each value.
        """
        return _columns(
            [np.asarray(each)[0] for each in self._beside(to_real(window[None], self._spec))] for window in windows
        )

    def split_values(self, windows: Array) -> list[Array]:
        """Ask the float parts for what the model gives beside its scores.

        Args:
            windows: (N, T, *frame) prepared frames.

        Returns:
            (N, size) float32 for each value.
        """
        head = self._parts.head
        if head is None or self._head is None:
            return _columns(
                [np.asarray(each)[0] for each in self._whole(to_real(window[None], self._spec))[1:]]
                for window in windows
            )
        return _columns(
            [each[0] for each in last_answers(head, self._head, self.features(window))[1:]] for window in windows
        )

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

    def _collect(self, ask: Callable[[Any], Any], items: Sequence[Any] | Array) -> Array:
        # The first call traces, in the thread that loaded the model: Keras keeps some of its settings a thread.
        first = np.asarray(ask(items[0]))
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            return self._probabilities(
                np.concatenate([first, *pool.map(lambda item: np.asarray(ask(item)), items[1:])])
            )


def _columns(rows: Iterable[list[Array]]) -> list[Array]:
    return [np.stack(column).astype(np.float32) for column in zip(*rows, strict=True)]
