"""The windows of clips as they enter the last blocks: what the frozen layers before them return, computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache as cached

import keras
import numpy as np

from convert.clips import ClipRef, decode, to_real
from convert.encoders.last_blocks import CutEncoder
from convert.progress import Progress
from convert.rows import Store, StoredArray
from convert.transfer.encoding.windows import WindowPlan, clip_digest, content_digest
from convert.transfer.streams import Stream, Streams, frame_differences, lookback
from edgevid.frames import Array


@dataclass(frozen=True, eq=False)
class WindowMaps:
    """Maps of the windows of N clips.

    Attributes:
        streams: The streams that they are of.
        windows: Windows of each clip, W; the first is the middle one, unvaried.
        rows: (N * W, streams, T, *map) float32, in a temporary file. The first step of a stream of differences has
            no map.
    """

    streams: Streams
    windows: int
    rows: StoredArray

    def read(self, windows: Array, streams: Streams) -> Array:
        """Return the maps of some windows, without the steps that one of the streams does not have.

        Args:
            windows: Their places, clip * W + window.
            streams: The streams to read.

        Returns:
            (n, streams, T', *map) float32.
        """
        wanted = [self.streams.index(stream) for stream in streams]
        return self.rows[windows][:, wanted, lookback(streams) :]


def encode_maps(
    refs: Sequence[ClipRef], cut: CutEncoder, plan: WindowPlan, streams: Streams, *, progress: Progress
) -> WindowMaps:
    """Run the frozen layers on the windows of clips; they are those whose features a head is fitted to.

    Args:
        refs: The clips.
        cut: The encoder, cut before its last blocks.
        plan: The windows of each clip.
        streams: What the encoder sees, each by itself.
        progress: Shows how many clips are done.

    Raises:
        SourceError: A clip cannot be read.
    """
    networks = [_of_window(cut, stream, plan.window.frames) for stream in streams]
    content = cached(content_digest)

    def rows() -> Iterator[Array]:
        for ref in progress.track(refs, "encoding clips up to the last blocks"):
            yield from _of_clip(ref, content(ref.path), plan, networks)

    return WindowMaps(streams, plan.windows, Store().add(rows()))


def _of_clip(ref: ClipRef, content: str, plan: WindowPlan, networks: Sequence[keras.Model]) -> Iterator[Array]:
    clip = decode(ref, plan.input)
    windows = np.stack([frames for frames, _ in plan.draw(clip, clip_digest(ref, content))])
    maps = [np.asarray(network.predict_on_batch(to_real(windows, plan.input))) for network in networks]
    most = max(each.shape[1] for each in maps)
    padded = [np.pad(each, [(0, 0), (most - each.shape[1], 0), *[(0, 0)] * (each.ndim - 2)]) for each in maps]
    yield from np.stack(padded, axis=1)


def _of_window(cut: CutEncoder, stream: Stream, frames: int) -> keras.Model:
    """Return a model from windows (B, T, H, W, C) to maps (B, T', *map) of one stream."""
    window = keras.Input((frames, *cut.encoder.input.shape), name="window")
    seen = frame_differences(cut.encoder, keep=False)(window) if stream == "differences" else window
    maps = cut.front(keras.ops.reshape(seen, (-1, *seen.shape[2:])))
    return keras.Model(window, keras.ops.reshape(maps, (-1, seen.shape[1], *maps.shape[1:])))
