"""The features of all clips, as heads and folds read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.clips import ClipRef
from convert.transfer.head_fitting.heads import Examples, balanced_weights
from convert.transfer.streams import Stream, Streams, lookback
from edgevid.frames import Array


@dataclass(frozen=True)
class Held:
    """Groups and files of held-out clips.

    Attributes:
        groups: Their groups, without "".
        files: Their files.
    """

    groups: frozenset[str]
    files: frozenset[Path]

    @classmethod
    def of(cls, refs: Iterable[ClipRef]) -> Held:
        """Return those of some clips."""
        clips = tuple(refs)
        groups = frozenset(ref.group for ref in clips if ref.group)
        return cls(groups, frozenset(ref.path.resolve() for ref in clips))

    def has(self, ref: ClipRef) -> bool:
        """Whether a clip is of one of the groups or files."""
        return ref.group in self.groups or ref.path.resolve() in self.files


@dataclass(frozen=True, eq=False)
class FeatureBank:
    """Features of the windows of N clips.

    Attributes:
        refs: The clips.
        classes: Names of the classes, in the order of the scores.
        shown: (N, W) index of the class that each window shows.
        trained: Features (N, W, T', F) to fit heads to, by stream: those that the device will see.
        centre: Float features (N, T', F) of the middle windows, by stream.
        mined: How many of the last clips are false alarms of an earlier head.
    """

    refs: tuple[ClipRef, ...]
    classes: tuple[str, ...]
    shown: Array
    trained: Mapping[Stream, Array]
    centre: Mapping[Stream, Array]
    mined: int = 0

    @property
    def given(self) -> Array:
        """Indices of the clips that the user gave."""
        return np.arange(len(self.refs) - self.mined)

    def mined_besides(self, held_out: Array) -> Array:
        """Return the indices of mined clips that share neither group nor file with held-out clips.

        Args:
            held_out: Indices of the held-out clips.
        """
        away = Held.of([self.refs[index] for index in held_out])
        mined = range(len(self.refs) - self.mined, len(self.refs))
        return np.array([index for index in mined if not away.has(self.refs[index])], dtype=int)

    def extended(self, other: FeatureBank) -> FeatureBank:
        """Return a bank with the clips of another one behind its own, as mined ones."""
        return FeatureBank(
            refs=(*self.refs, *other.refs),
            classes=self.classes,
            shown=np.concatenate([self.shown, other.shown]),
            trained={stream: np.concatenate([each, other.trained[stream]]) for stream, each in self.trained.items()},
            centre={stream: np.concatenate([each, other.centre[stream]]) for stream, each in self.centre.items()},
            mined=self.mined + len(other.refs),
        )

    @property
    def labels(self) -> list[str]:
        """Class of each clip."""
        return [str(ref.label) for ref in self.refs]

    @property
    def groups(self) -> list[str]:
        """Group of each clip."""
        return [ref.group for ref in self.refs]

    @property
    def truth(self) -> Array:
        """(N,) index of each clip's class."""
        return np.array([self.classes.index(label) for label in self.labels])

    def widths(self, streams: Streams) -> tuple[int, ...]:
        """Return the number of features of each stream."""
        return tuple(int(self.trained[stream].shape[-1]) for stream in streams)

    def examples(self, streams: Streams, clips: Array) -> Examples:
        """Return all windows of some clips, to fit a head to.

        Args:
            streams: The streams to join.
            clips: Indices of the clips.
        """
        windows = self.shown.shape[1]
        features = _join(self.trained, streams, clips)
        classes = self.shown[clips].reshape(-1)
        return Examples(
            features.reshape(-1, *features.shape[2:]),
            classes,
            balanced_weights(classes, np.repeat(clips, windows)),
            np.repeat(clips >= len(self.given), windows),
        )

    def middle(self, streams: Streams, clips: Array, *, int8: bool) -> Array:
        """Return the features (n, T', F) of the middle windows of some clips.

        Args:
            streams: The streams to join.
            clips: Indices of the clips.
            int8: Whether to return those of the device, else the float ones.
        """
        return _join(self.trained, streams, clips)[:, 0] if int8 else _join(self.centre, streams, clips)


def _join(features: Mapping[Stream, Array], streams: Sequence[Stream], clips: Array) -> Array:
    # The first frame has no difference: where both are read, it has no features at all.
    cut = {stream: lookback(tuple(streams)) - lookback((stream,)) for stream in streams}
    parts = [features[stream][clips][..., cut[stream] :, :] for stream in streams]
    return np.concatenate(parts, axis=-1).astype(np.float32)
