"""The trained float model, whole and split: the reference for every later stage."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from convert.clips import to_real
from convert.rows import BATCH_BYTES, AnyRows, sliding
from convert.splitting.split import Split
from convert.splitting.stepping import last_answer, last_answers
from edgevid.bundle.manifest import Scores
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.probabilities import to_probabilities

# A batch holds as many windows as fit into `BATCH_BYTES` in float32, and at most these.
_MAX_BATCH = 4
# A depthwise convolution uses only one processor, whatever TensorFlow's settings, so calls run in parallel. More
# of them would cost memory.
_MAX_THREADS = min(os.cpu_count() or 1, 4)
# Frames of a stream that one thread encodes at a time.
_PIECE = 16
# Relative change of an input that float32 cannot resolve in a product.
_NUDGE = np.float32(1 + 2**-22)


class Reference:
    """Runs the trained model in float with TensorFlow. Each graph is traced once.

    Args:
        model: Keras model of either framework.
        parts: The same model, split.
        spec: Format of the prepared frames.
        kind: What the model's output is.
        name: Name of the model's own answers in the proof.
    """

    def __init__(self, model: Any, parts: Split, spec: InputSpec, kind: Scores, *, name: str = "float Keras") -> None:
        import tensorflow as tf

        self.name = name

        self._parts, self._spec = parts, spec
        self._probabilities = to_probabilities(kind)
        self._model = tf.function(lambda batch: model(batch, training=False))
        # Autograph would wrap our own errors in one of its own.
        self._whole = tf.function(parts.whole.function, autograph=False)
        self._encoder = tf.function(parts.encoder.function, autograph=False) if parts.encoder is not None else None
        self._head = tf.function(parts.head.function, autograph=False) if parts.head is not None else None
        self._values = tf.function(lambda batch: model.values(batch), reduce_retracing=True)

    def scores(self, windows: AnyRows) -> Array:
        """Run the trained model as it was loaded.

        Args:
            windows: Prepared frames (N, T, *frame).

        Returns:
            Probabilities (N, classes) float32.
        """
        size = int(np.clip(BATCH_BYTES // (math.prod(windows.shape[1:]) * 4), 1, _MAX_BATCH))
        return self._collect(
            lambda start: self._batch(np.stack(list(windows[start : start + size])), size),
            range(0, len(windows), size),
        )

    def stream_scores(self, frames: Array, window: int) -> Array:
        """Run the trained model on each window of a stream.

        Args:
            frames: Prepared frames (N, *frame).
            window: Frames in a window.

        Returns:
            Probabilities (N - window + 1, classes) float32.
        """
        return self.scores(sliding(frames, window))

    def _batch(self, windows: Array, size: int) -> Any:
        # Always a full batch: TimeDistributed unrolls its layer over the frames, so each new size takes seconds to
        # trace.
        full = np.concatenate([windows, np.repeat(windows[-1:], size - len(windows), axis=0)])
        return self._model(to_real(full, self._spec))[: len(windows)]

    def split_scores(self, windows: AnyRows) -> Array:
        """Run the float parts as the device does: the encoder once per frame, then the head.

        Args:
            windows: Prepared frames (N, T, *frame).

        Returns:
            Probabilities (N, classes) float32.
        """
        head, run = self._parts.head, self._head
        if head is None or run is None:
            return self._collect_each(lambda window: self._whole(self._real(window))[0], windows)
        return self._collect_each(lambda window: last_answer(head, run, self.features(window)), windows)

    def split_stream_scores(self, frames: Array, window: int) -> Array:
        """Run the float parts over a stream: the encoder once per frame, the head on every window.

        Args:
            frames: Prepared frames (N, *frame), N at least a window.
            window: Frames in a window.

        Returns:
            Probabilities (N - window + 1, classes) float32.
        """
        head, run = self._parts.head, self._head
        if head is None or run is None:
            return self.split_scores(sliding(frames, window))
        windows = sliding(self._stream_features(frames), window - self._parts.lookback)
        return self._collect(lambda place: last_answer(head, run, windows[place]), range(len(windows)))

    def _stream_features(self, frames: Array) -> Array:
        lookback = self._parts.lookback
        starts = range(0, len(frames) - lookback, _PIECE)
        first, *rest = [frames[start : start + _PIECE + lookback] for start in starts]
        # The first call traces, as in `_collect`.
        features = self.features(first)
        with ThreadPoolExecutor(_MAX_THREADS) as pool:
            return np.concatenate([features, *pool.map(self.features, rest)])

    def rounding(self, windows: AnyRows) -> float:
        """Measure how much of the trained model's output is float32 rounding.

        A deep network that was not trained well amplifies rounding: it differs as much when it runs one
        window at a time, or its sums in another order.

        Args:
            windows: Prepared frames (N, T, *frame).

        Returns:
            The largest change of a probability when every input changes by less than float32 can resolve,
            or when windows run one at a time.
        """
        nudged = self._collect_each(lambda window: self._model(self._real(window) * _NUDGE), windows)
        single = self._collect_each(lambda window: self._model(self._real(window)), windows)
        batched = self.scores(windows)
        return float(max(np.abs(nudged - batched).max(), np.abs(single - batched).max()))

    def value_rounding(self, windows: AnyRows) -> list[float]:
        """Measure how much of each auxiliary output of the trained model is float32 rounding.

        Args:
            windows: Prepared frames (N, T, *frame).

        Returns:
            The largest change of each when every input changes by less than float32 can resolve.
        """
        rows = ([np.asarray(each)[0] for each in self._values(self._real(window) * _NUDGE)] for window in windows)
        pairs = zip(_columns(rows), self.values(windows), strict=True)
        return [float(np.abs(nudged - plain).max()) for nudged, plain in pairs]

    def values(self, windows: AnyRows) -> list[Array]:
        """Return the trained model's auxiliary outputs.

        Args:
            windows: Prepared frames (N, T, *frame).

        Returns:
            (N, size) float32 for each auxiliary output.
        """
        return _columns([np.asarray(each)[0] for each in self._values(self._real(window))] for window in windows)

    def split_values(self, windows: AnyRows) -> list[Array]:
        """Return the auxiliary outputs of the float parts.

        Args:
            windows: Prepared frames (N, T, *frame).

        Returns:
            (N, size) float32 for each auxiliary output.
        """
        return _columns([np.asarray(each)[0] for each in self._split_outputs(window)[1:]] for window in windows)

    def _split_outputs(self, window: Array) -> Sequence[Any]:
        head, run = self._parts.head, self._head
        if head is None or run is None:
            return self._whole(self._real(window))
        return last_answers(head, run, self.features(window))

    def features(self, window: Array) -> Array:
        """Run the float encoder over a window.

        Args:
            window: Prepared frames (T, *frame).

        Returns:
            (T - lookback, F) float32.
        """
        assert self._encoder is not None and self._parts.encoder is not None
        real, shape, seen = to_real(window, self._spec), self._parts.encoder.input_shapes[0], self._parts.lookback + 1
        rows = [self._encoder(real[start : start + seen].reshape(shape))[0] for start in range(len(window) - seen + 1)]
        return np.concatenate([np.asarray(row) for row in rows])

    def _real(self, window: Array) -> Array:
        """Return one window as a batch of real numbers (1, T, *frame)."""
        return to_real(window[None], self._spec)

    def _collect_each(self, run: Callable[[Array], Any], windows: AnyRows) -> Array:
        # By place: the pool takes its items at once, and each thread reads its own window.
        return self._collect(lambda place: run(windows[place]), range(len(windows)))

    def _collect(self, run: Callable[[int], Any], items: Sequence[int]) -> Array:
        # The first call traces, in the thread that loaded the model: Keras keeps some of its settings per thread.
        first = np.asarray(run(items[0]))
        with ThreadPoolExecutor(_MAX_THREADS) as pool:
            rest = pool.map(lambda item: np.asarray(run(item)), items[1:])
            return self._probabilities(np.concatenate([first, *rest]))


def _columns(rows: Iterable[list[Array]]) -> list[Array]:
    return [np.stack(column).astype(np.float32) for column in zip(*rows, strict=True)]
