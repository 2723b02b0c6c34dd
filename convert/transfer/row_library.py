"""Clips of rows as features: windows of key points go to the head as they are, without an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from convert.clips import Clip, ClipRef, ClipSet, clip_frames, decode_all
from convert.clips.row_checks import check_row_intervals, check_row_lengths
from convert.encoders.frame_encoder import FrameEncoder, rows_as_features
from convert.progress import Progress
from convert.splits.near_duplicates import fingerprint
from convert.transfer.encoding.windows import WindowPlan
from convert.transfer.feature_bank import FeatureBank
from convert.transfer.library import EncodedClips, check_classes, clip_digests
from convert.transfer.streams import Stream
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, ContractError, SourceError
from edgevid.frames import Array


def open_rows(refs: Sequence[ClipRef], window: Window) -> FrameEncoder:
    """Check that clips of rows fit together and the window, and return the encoder that changes nothing.

    Args:
        refs: Clips of rows.
        window: Window of the model.

    Raises:
        ClipsError: Rows differ in length, or no clip can be read.
        UsageError: Rows are further apart than the frames of the window.
    """
    first: dict[int, ClipRef] = {}
    reason = ""
    for ref in refs:
        try:
            first.setdefault(len(next(clip_frames(ref, "features")).data), ref)
        except (SourceError, ContractError) as error:
            _, reason = ref.unreadable(error)
    if not first:
        raise ClipsError(expected="clips of rows that can be read", found=f"none of {len(refs)}: {reason}")
    check_row_lengths(first)
    check_row_intervals(refs, window.interval_s)
    return rows_as_features(next(iter(first)))


class RowLibrary:
    """The windows of clips of rows.

    Args:
        plan: The windows of each clip.
        progress: Shows what is done.
    """

    def __init__(self, plan: WindowPlan, *, progress: Progress) -> None:
        self._plan, self._progress = plan, progress

    def read(self, refs: Sequence[ClipRef], streams: Sequence[Stream], *, classes: tuple[str, ...]) -> EncodedClips:
        """Return the windows of clips.

        Args:
            refs: The clips, with labels.
            streams: "frames" for rows, "differences" for those of neighbouring rows, each by itself.
            classes: Names of the classes, in the order of the scores.

        Raises:
            ClipsError: No clip of a class can be read.
        """
        skipped: list[tuple[Path, str]] = []
        digests = clip_digests(refs, skipped)
        read = decode_all(
            list(digests),
            self._plan.input,
            interval_s=self._plan.window.interval_s,
            progress=lambda items: iter(self._progress.track(items, "reading rows")),
        )
        read = replace(read, skipped=(*skipped, *read.skipped))
        check_classes([clip.ref for clip in read.clips], classes, read.skipped)
        bank = self._bank(read.clips, [digests[clip.ref] for clip in read.clips], streams, classes)
        return EncodedClips(
            bank,
            ClipSet(tuple(replace(clip, frames=clip.frames[:0]) for clip in read.clips), read.skipped),
            # Rows of zeros, in which nobody is seen, are no copies of each other.
            tuple(fingerprint(clip, "none") for clip in read.clips if np.any(clip.frames[:])),
            cosine=None,
            cached=0,
            encoded=len(read.clips),
        )

    def _bank(
        self, clips: Sequence[Clip], digests: Sequence[str], streams: Sequence[Stream], classes: tuple[str, ...]
    ) -> FeatureBank:
        windows = np.stack(
            [
                np.stack([rows for rows, _ in self._plan.draw(clip, digest)])
                for clip, digest in zip(clips, digests, strict=True)
            ]
        )
        shown = [[classes.index(str(clip.ref.label))] * windows.shape[1] for clip in clips]
        trained = {stream: _seen(windows, stream) for stream in streams}
        centre = {stream: each[:, 0] for stream, each in trained.items()}
        return FeatureBank(tuple(clip.ref for clip in clips), classes, np.array(shown), trained, centre)


def _seen(windows: Array, stream: Stream) -> Array:
    """Return what a head sees of windows (N, W, T, F): rows, or the T - 1 differences."""
    return windows if stream == "frames" else np.diff(windows, axis=2)
