"""Decoding of clips into prepared frames. Those beyond the memory limit move to a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from convert.clips.clip import Clip, ClipRef, ClipSet
from convert.clips.find import list_clips
from convert.clips.reading import DEFAULT, Reading
from convert.clips.sources import clip_frames
from convert.progress import Progress
from edgevid.errors import ClipsError, ContractError, SourceError
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec, Preprocessor

# Decoded frames beyond this move to a temporary file: 150 clips of 5 s at 224x224 take 3 GiB, and a
# window reads a tenth of its clip.
MOST_HELD_BYTES = 256 * 2**20


def decode(ref: ClipRef, spec: InputSpec, *, interval_s: float = 0.1) -> Clip:
    """Decode a clip and prepare each frame as the device does.

    Args:
        ref: The clip.
        spec: The model's input frame.
        interval_s: Time between the rows of a feature sequence; ignored for videos, which have
            timestamps.

    Raises:
        SourceError: The file cannot be read.
        ContractError: Its frames do not fit `spec`.
    """
    prepare = Preprocessor(spec)
    frames: list[Array] = []
    stamps: list[int] = []
    for frame in clip_frames(ref, spec.kind, interval_s=interval_s):
        prepared = np.empty(spec.shape, spec.dtype)
        prepare.write(frame, prepared)
        frames.append(prepared)
        stamps.append(frame.timestamp_ns)
    return Clip(ref, np.stack(frames), np.array(stamps, np.int64))


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
    # clips[:on_disk] have moved to files already.
    on_disk = 0
    for ref in progress(refs):
        try:
            clips.append(decode(ref, spec, interval_s=interval_s))
        except (SourceError, ContractError) as error:
            where = f"{ref.origin}: " if ref.origin else ""
            skipped.append((ref.path, f"{where}{error}"))
        if sum(clip.frames.nbytes for clip in clips[on_disk:]) > MOST_HELD_BYTES:
            clips[on_disk:] = _move_to_disk(clips[on_disk:])
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
        interval_s: Time between the rows of feature sequences; the default is that of training.
        reading: How a list, and folders of pictures, are read.
        progress: Shows the bar.
        task: Words next to the bar.

    Raises:
        ClipsError: There are no clips, or none can be read.
    """
    listing = list_clips(root, kind=spec.kind, reading=reading)
    bar = lambda items: iter(progress.track(items, task))  # noqa: E731
    read = decode_all(listing.refs, spec, interval_s=interval_s, progress=bar)
    return replace(read, skipped=(*read.skipped, *listing.passed_over), notes=listing.notes)


def _move_to_disk(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips with frames that are memory-mapped from one temporary file."""
    # The file has no name: the system deletes it with the last clip, and keeps as much of it in
    # memory as fits.
    with tempfile.TemporaryFile(prefix="edgevid-frames-") as file:
        for clip in clips:
            file.write(np.ascontiguousarray(clip.frames).data)
        file.flush()
        mapped = np.asarray(np.memmap(file, np.uint8, "r"))
    ends = np.cumsum([clip.frames.nbytes for clip in clips])
    pieces = np.split(mapped, ends[:-1])
    return [
        replace(clip, frames=piece.view(clip.frames.dtype).reshape(clip.frames.shape))
        for clip, piece in zip(clips, pieces, strict=True)
    ]
