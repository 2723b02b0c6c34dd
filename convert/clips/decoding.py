"""Decoding of clips into prepared frames. Those beyond the memory limit move to a temporary file."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from convert.clips.clip import Clip, ClipRef, ClipSet
from convert.clips.find import list_clips
from convert.clips.reading import DEFAULT, Reading
from convert.clips.row_format import keypoints_of
from convert.clips.sources import clip_frames
from convert.progress import Progress
from convert.rows import Store, StoredArray
from edgevid.errors import ClipsError, ContractError, SourceError
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec, Preprocessor

# Decoded frames beyond this move to a temporary file, those of a longer clip as they are decoded: 150
# clips of 5 s at 224x224 take 3 GiB, and a window reads a tenth of its clip.
MOST_HELD_BYTES = 64 * 2**20


def decode(ref: ClipRef, spec: InputSpec, *, interval_s: float = 0.1, store: Store | None = None) -> Clip:
    """Decode a clip and prepare each frame as the device does.

    Args:
        ref: The clip.
        spec: The model's input frame.
        interval_s: Time between the rows of a feature sequence; ignored for videos, which have
            timestamps.
        store: Takes the frames of a long clip; None for a file of their own.

    Raises:
        SourceError: The file cannot be read.
        ContractError: Its frames do not fit `spec`.
    """
    prepare = Preprocessor(spec)
    stamps: list[int] = []

    def prepared() -> Iterator[Array]:
        for frame in clip_frames(ref, spec.kind, interval_s=interval_s):
            row = np.empty(spec.shape, spec.dtype)
            prepare.write(frame, row)
            stamps.append(frame.timestamp_ns)
            yield row

    frames = _gather(prepared(), store)
    return Clip(ref, frames, np.array(stamps, np.int64))


def _gather(rows: Iterator[Array], store: Store | None) -> Array | StoredArray:
    """Stack rows, at least one, in memory; in the store if they are many."""
    first = next(rows)
    few = [first, *itertools.islice(rows, MOST_HELD_BYTES // first.nbytes)]
    following = next(rows, None)
    if following is None:
        return np.stack(few)
    return (store or Store()).add(itertools.chain(few, [following], rows))


def decode_all(
    refs: Sequence[ClipRef],
    spec: InputSpec,
    *,
    interval_s: float = 0.1,
    progress: Callable[[Sequence[ClipRef]], Iterator[ClipRef]] = iter,
) -> ClipSet:
    """Decode clips and skip those that cannot be read.

    Args:
        refs: The clips.
        spec: The model's input frame.
        interval_s: Time between the rows of feature sequences.
        progress: Wraps the iteration over `refs`, to show a bar.

    Raises:
        ClipsError: No clip could be read.
    """
    clips: list[Clip] = []
    skipped: list[tuple[Path, str]] = []
    # clips[:on_disk] have moved to the file already.
    on_disk, store = 0, Store()
    for ref in progress(refs):
        try:
            clips.append(decode(ref, spec, interval_s=interval_s, store=store))
        except (SourceError, ContractError) as error:
            skipped.append(ref.unreadable(error))
        if sum(clip.frames.nbytes for clip in clips[on_disk:]) > MOST_HELD_BYTES:
            clips[on_disk:] = [replace(clip, frames=_stored(clip.frames, store)) for clip in clips[on_disk:]]
            on_disk = len(clips)
    if not clips:
        reason = skipped[0][1] if skipped else "there are none"
        raise ClipsError(expected="clips that can be read", found=f"none of {len(refs)}: {reason}")
    return ClipSet(tuple(clips), tuple(skipped))


def read_folder(
    root: Path,
    spec: InputSpec,
    *,
    interval_s: float = 0.1,
    reading: Reading = DEFAULT,
    progress: Progress,
    task: str = "reading clips",
) -> ClipSet:
    """Find and decode the clips of a folder or list, with a bar.

    Args:
        root: As for `find_clips`.
        spec: The model's input frame.
        interval_s: Time between the rows of feature sequences that state none; the default is that of
            training.
        reading: How a list, and folders of pictures, are read.
        progress: Shows the bar.
        task: Words next to the bar.

    Raises:
        ClipsError: There are no clips, or none can be read.
    """
    listing = list_clips(root, kind=spec.kind, reading=reading)
    keypoints = keypoints_of(listing.refs) if spec.kind == "features" else None
    bar = lambda items: iter(progress.track(items, task))  # noqa: E731
    read = decode_all(listing.refs, spec, interval_s=interval_s, progress=bar)
    return replace(read, skipped=(*read.skipped, *listing.passed_over), notes=listing.notes, keypoints=keypoints)


def _stored(frames: Array | StoredArray, store: Store) -> StoredArray:
    return frames if isinstance(frames, StoredArray) else store.add(frames)
