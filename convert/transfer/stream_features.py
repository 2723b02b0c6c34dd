"""The features of every frame of a long recording, and the answers of any head to them.

The encoder is frozen, so a recording is encoded once. A head that was fitted anew answers an hour in
seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from convert.clips import ClipRef
from convert.event_metrics import ScoreTrace, Segment
from convert.transfer.cache import FeatureCache, key_of
from convert.transfer.encoding.interpreter import OpenedEncoder
from convert.transfer.encoding.windows import content_digest, packed
from convert.transfer.head_fitting.heads import Head
from convert.transfer.streams import Stream, lookback
from convert.watching.timed import check_length
from convert.watching.watch_keras import keras_watch
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.probabilities import softmax
from edgevid.schema import to_json

# Windows whose features a head reads at once.
_BATCH = 256


@dataclass(frozen=True)
class StreamEncoders:
    """Encoders of some streams, as the device runs them.

    Attributes:
        opened: The encoder of each stream.
        digest: Of their files.
    """

    opened: Mapping[Stream, OpenedEncoder]
    digest: str

    @property
    def lookback(self) -> int:
        """Frames before the newest that a row of features depends on."""
        return lookback(tuple(self.opened))

    def encode(self, frames: Array) -> Array:
        """Return the features (N - lookback, F) of frames (N, H, W, C), joined as heads read them."""
        rows = [
            encoder.encode(frames)[self.lookback - lookback((stream,)) :] for stream, encoder in self.opened.items()
        ]
        return np.concatenate(rows, axis=-1)


class RecordedFeatures:
    """Features of recordings, kept on disk as those of clips are.

    Args:
        encoders: What to encode frames with.
        spec: Input frames of the model.
        window: Window of the model.
        cache: The folder on disk.
        framing: What the model sees of the pictures.
    """

    def __init__(
        self,
        encoders: StreamEncoders,
        spec: InputSpec,
        window: Window,
        cache: FeatureCache,
        *,
        framing: Framing = PLAIN,
    ) -> None:
        self._encoders, self._spec, self._window, self._cache = encoders, spec, window, cache
        self._framing = framing

    def answers(self, path: Path, head: Head) -> ScoreTrace:
        """Return the answers of a head to every window of a recording.

        Args:
            path: The video.
            head: Any head over these features.

        Raises:
            SourceError: The recording cannot be read.
            TruthError: It is shorter than a window.
        """
        features = self._features(path)
        steps = self._window.frames - self._encoders.lookback
        trace = _answer(features, head, steps)
        check_length(
            path,
            self._window,
            taken=len(features.times_s) + self._encoders.lookback,
            answers=len(trace.times_s),
            duration_s=trace.duration_s,
        )
        return trace

    def _features(self, path: Path) -> ScoreTrace:
        key = key_of(
            {
                "recording": content_digest(path),
                "encoders": self._encoders.digest,
                "interval_s": self._window.interval_s,
                "input": to_json(self._spec),
                **({} if self._framing.is_plain else {"framing": str(self._framing)}),
            }
        )
        entry = self._cache.read(key)
        if entry is None:
            entry = _pack(self._encode(path), path)
            self._cache.write(key, entry)
        return _unpack(entry)

    def _encode(self, path: Path) -> ScoreTrace:
        # A window of what one row of features depends on: the "scores" of such a window are its features.
        seen = replace(self._window, frames=self._encoders.lookback + 1)
        return keras_watch(self._encoders.encode, self._spec, seen, classes=0, dtype=np.float32)(path, self._framing)


def _answer(features: ScoreTrace, head: Head, steps: int) -> ScoreTrace:
    times_s, scores, segments, count = [], [], [], 0
    for segment, piece in features.pieces():
        rows = features.scores[piece]
        if len(rows) < steps:
            continue
        # A view (N, T', F): windows share their rows until a head reads them.
        windows = np.moveaxis(sliding_window_view(rows, steps, axis=0), -1, 1)
        segments.append(Segment(count, segment.began_s))
        times_s.append(features.times_s[piece][steps - 1 :])
        scores += [_probabilities(head, windows[first : first + _BATCH]) for first in range(0, len(windows), _BATCH)]
        count += len(windows)
    return ScoreTrace(
        times_s=np.concatenate(times_s) if times_s else np.zeros(0),
        scores=np.concatenate(scores) if scores else np.zeros((0, 0)),
        segments=tuple(segments),
        duration_s=features.duration_s,
    )


def _probabilities(head: Head, windows: Array) -> Array:
    return softmax(head.logits(windows.astype(np.float32)).astype(np.float64))


def _pack(trace: ScoreTrace, path: Path) -> dict[str, Array]:
    return {
        "features": packed(trace.scores, ClipRef(path)),
        "times_s": trace.times_s,
        "firsts": np.array([segment.first for segment in trace.segments], np.int64),
        "began_s": np.array([segment.began_s for segment in trace.segments]),
        "duration_s": np.array(trace.duration_s),
    }


def _unpack(entry: Mapping[str, Array]) -> ScoreTrace:
    segments = zip(entry["firsts"].tolist(), entry["began_s"].tolist(), strict=True)
    return ScoreTrace(
        times_s=entry["times_s"],
        scores=entry["features"],
        segments=tuple(Segment(first, began_s) for first, began_s in segments),
        duration_s=float(entry["duration_s"]),
    )
