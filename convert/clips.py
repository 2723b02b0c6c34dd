"""Clips as people keep them, and the windows of prepared frames that a model sees of them.

A folder of clips holds `<class>/<clip>`; clips directly in the folder have no label. A CSV file with a header `path,label[,group]` says
the same for clips that lie elsewhere. What cannot be read is skipped, named and counted; it never ends a run unless nothing is left.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgevid.bundle.manifest import Window
from edgevid.capture.features import FeatureFile
from edgevid.capture.opencv import VIDEO_SUFFIXES, VideoFile
from edgevid.errors import ClipsError, ContractError, SourceError, UsageError
from edgevid.frames import Array, sampling
from edgevid.frames.preprocess import InputSpec, Kind, Preprocessor
from edgevid.quant import pixels_to_float

# Frames that are held in memory: of 150 clips of 5 s at 224x224 there are 3 GiB, and a window is a tenth of its clip.
MOST_HELD_BYTES = 256 * 2**20
SUFFIXES: dict[Kind, tuple[str, ...]] = {"frames": VIDEO_SUFFIXES, "features": (".npy",)}


@dataclass(frozen=True)
class ClipRef:
    """Where a clip lies and what is known of it.

    Attributes:
        path: The file.
        label: Its class, or None.
        group: What must not be split between training and test, such as the person filmed.
    """

    path: Path
    label: str | None = None
    group: str = ""


@dataclass(frozen=True)
class Clip:
    """A decoded clip.

    Attributes:
        ref: Where it came from.
        frames: (N, *frame) prepared frames, uint8 pixels or float32 features.
        timestamps_ns: (N,) int64.
    """

    ref: ClipRef
    frames: Array
    timestamps_ns: Array

    @property
    def duration_s(self) -> float:
        """Time from the first frame to the end of the last one."""
        count = len(self.timestamps_ns)
        return float(self.timestamps_ns[-1] - self.timestamps_ns[0]) / 1e9 * count / max(count - 1, 1)


@dataclass(frozen=True)
class ClipSet:
    """The clips of a folder that could be read.

    Attributes:
        clips: In the order of their paths.
        skipped: Path and reason of each that could not.
    """

    clips: tuple[Clip, ...]
    skipped: tuple[tuple[Path, str], ...] = field(default=())

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes found, sorted; empty when any clip has none."""
        found = {clip.ref.label for clip in self.clips}
        return () if None in found else tuple(sorted(label for label in found if label is not None))


def find_clips(root: str | Path, *, kind: Kind = "frames", group: Callable[[Path], str] | None = None) -> list[ClipRef]:
    """List the clips of a folder or CSV file.

    Args:
        root: A folder `<class>/<clip>` or of unlabelled clips, or a CSV file with the columns path and label, and optionally group; its
            paths are relative to it.
        kind: "frames" for videos, "features" for `.npy` arrays.
        group: Gives the group of a clip from its path; a CSV's own column wins.

    Returns:
        References sorted by path.

    Raises:
        UsageError: There is no such folder or file.
        ClipsError: It holds no clip of the kind, or the CSV lacks a column.
    """
    root = Path(root)
    if not root.exists():
        raise UsageError(expected="a folder of clips", found=f"nothing at {root}", path=root)
    name_group = group or (lambda _path: "")
    if root.is_file():
        return _from_csv(root, name_group)
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES[kind] and path.is_file())
    if not files:
        raise ClipsError(
            expected=f"clips ({', '.join(SUFFIXES[kind])}) in {root}, as <class>/<clip>", found="none", path=root
        )
    return [
        ClipRef(path, None if path.parent == root else path.relative_to(root).parts[0], name_group(path))
        for path in files
    ]


def _from_csv(path: Path, group: Callable[[Path], str]) -> list[ClipRef]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ClipsError(
            expected="a CSV file with the columns path and label",
            found=f"{path}, which cannot be read: {error}",
            path=path,
        ) from error
    if not rows or not {"path", "label"} <= set(rows[0]):
        raise ClipsError(expected="a CSV file with the columns path and label", found=f"{path}", path=path)
    if any(not row["path"] for row in rows):
        raise ClipsError(expected=f"a path in each row of {path}", found="a row without one", path=path)
    refs = [
        ClipRef(path.parent / row["path"], row["label"] or None, row.get("group") or group(path.parent / row["path"]))
        for row in rows
    ]
    return sorted(refs, key=lambda ref: str(ref.path))


def decode(ref: ClipRef, spec: InputSpec, *, interval_s: float = 0.1) -> Clip:
    """Read a clip and prepare each of its frames as the device would.

    Args:
        ref: The clip.
        spec: What the model expects of a frame.
        interval_s: Time between rows of a feature sequence; videos carry their own.

    Returns:
        The clip.

    Raises:
        SourceError: It cannot be read.
        ContractError: Its frames are not of the model's kind.
    """
    prepare = Preprocessor(spec)
    frames: list[Array] = []
    stamps: list[int] = []
    with FeatureFile(ref.path, interval_s=interval_s) if spec.kind == "features" else VideoFile(ref.path) as source:
        for frame in source.frames():
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
    """Read clips; skip, name and count those that cannot be read.

    Args:
        refs: The clips.
        spec: What the model expects of a frame.
        interval_s: Time between rows of feature sequences.
        progress: Wraps the iteration, to show how far it is.

    Returns:
        The clips.

    Raises:
        ClipsError: Not one could be read.
    """
    clips: list[Clip] = []
    skipped: list[tuple[Path, str]] = []
    on_disk = 0
    for ref in progress(refs):
        try:
            clips.append(decode(ref, spec, interval_s=interval_s))
        except (SourceError, ContractError) as error:
            skipped.append((ref.path, str(error)))
        if sum(clip.frames.nbytes for clip in clips[on_disk:]) > MOST_HELD_BYTES:
            clips[on_disk:] = _from_disk(clips[on_disk:])
            on_disk = len(clips)
    if not clips:
        reason = skipped[0][1] if skipped else "there are none"
        raise ClipsError(expected="clips that can be read", found=f"none of {len(refs)}: {reason}")
    return ClipSet(tuple(clips), tuple(skipped))


def _from_disk(clips: Sequence[Clip]) -> list[Clip]:
    """Give clips whose frames lie in a file, which has no name and goes with the last of them; the system keeps in memory what it has room for."""
    with tempfile.TemporaryFile(prefix="edgevid-frames-") as file:
        for clip in clips:
            file.write(np.ascontiguousarray(clip.frames).data)
        file.flush()
        held = np.asarray(np.memmap(file, np.uint8, "r"))
    ends = np.cumsum([clip.frames.nbytes for clip in clips])
    pieces = np.split(held, ends[:-1])
    return [
        replace(clip, frames=piece.view(clip.frames.dtype).reshape(clip.frames.shape))
        for clip, piece in zip(clips, pieces, strict=True)
    ]


def window_indices(clip: Clip, window: Window, *, start: int = 0) -> list[int]:
    """Return the frames of one window of a clip.

    Args:
        clip: Any clip.
        window: The model's view of time.
        start: Index of the first frame, for "interval" sampling.

    Returns:
        `window.frames` indices; a clip that ends early holds its last frame.
    """
    return sampling.window_indices(
        clip.timestamps_ns.tolist(), frames=window.frames, interval_s=_interval_s(window), start=start
    )


def centre_window(clip: Clip, window: Window) -> Array:
    """Return the window in the middle of a clip, which evaluation and conversion look at.

    Args:
        clip: Any clip.
        window: The model's view of time.

    Returns:
        (T, *frame) of the clip's type.
    """
    return clip.frames[
        sampling.centre_indices(clip.timestamps_ns.tolist(), frames=window.frames, interval_s=_interval_s(window))
    ]


def _interval_s(window: Window) -> float | None:
    return None if window.sampling == "uniform" else window.interval_s


def evenly_spread(count: int, wanted: int) -> Array:
    """Return indices spread evenly over a sequence, both ends included.

    Args:
        count: Length of the sequence.
        wanted: Number of indices; fewer are returned where two fall together.

    Returns:
        Sorted indices, int64.
    """
    return np.unique(np.linspace(0, count - 1, wanted).astype(int))


def to_real(frames: Array, spec: InputSpec) -> Array:
    """Give prepared frames as the trained model takes them.

    Args:
        frames: uint8 pixels or float32 features, any leading axes.
        spec: The model's frames.

    Returns:
        float32 of the same shape.
    """
    out = np.empty(frames.shape, np.float32)
    if spec.kind == "features":
        out[...] = frames
    else:
        pixels_to_float(frames, *spec.range, out)
    return out
