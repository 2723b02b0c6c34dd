"""Clips on disk, decoded clips, and the windows of prepared frames that a model reads from them.

A folder of clips holds `<class>/<clip>`; clips directly in the folder have no label. A CSV file
with the header `path,label[,group]` lists clips that are kept elsewhere. Clips that cannot be read
are skipped, named and counted; a run ends only if none is left.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from convert.progress import Progress
from convert.row_folders import RowFolder, gather
from convert.rows import Store, StoredArray
from edgevid.bundle.manifest import Window
from edgevid.capture.features import FeatureFile
from edgevid.capture.video.containers import VIDEO_SUFFIXES, in_order, natural_key
from edgevid.capture.video_files import VideoFile
from edgevid.errors import ClipsError, ContractError, SourceError, UsageError
from edgevid.frames import Array, sampling
from edgevid.frames.preprocess import InputSpec, Kind, Preprocessor
from edgevid.quant import pixels_to_float
from edgevid.units import NS_PER_S

# Decoded frames beyond this move to a temporary file, those of a longer clip as they are decoded: 150
# clips of 5 s at 224x224 take 3 GiB, and a window reads a tenth of its clip.
MOST_HELD_BYTES = 64 * 2**20
SUFFIXES: dict[Kind, tuple[str, ...]] = {"frames": VIDEO_SUFFIXES, "features": (".npy",)}


@dataclass(frozen=True)
class ClipRef:
    """A clip on disk.

    Attributes:
        path: The file.
        label: The class that the clip shows, or None.
        group: Clips of one group stay together in training or test, such as those of one person; ""
            for none.
    """

    path: Path
    label: str | None = None
    group: str = ""


@dataclass(frozen=True)
class Clip:
    """A decoded clip.

    Attributes:
        ref: The file that was decoded.
        frames: (N, *frame) prepared frames, uint8 pixels or float32 features; in a file if they are
            many.
        timestamps_ns: (N,) int64, ascending.
    """

    ref: ClipRef
    frames: Array | StoredArray
    timestamps_ns: Array

    @property
    def duration_s(self) -> float:
        """Time from the first frame to the end of the last one."""
        count = len(self.timestamps_ns)
        # A file has no end for its last frame; it is shown for as long as the average one.
        return float(self.timestamps_ns[-1] - self.timestamps_ns[0]) / NS_PER_S * count / max(count - 1, 1)


@dataclass(frozen=True)
class ClipSet:
    """The decoded clips of a folder.

    Attributes:
        clips: In the order of their paths.
        skipped: Path and reason of each clip that could not be read, and of each file that is none.
    """

    clips: tuple[Clip, ...]
    skipped: tuple[tuple[Path, str], ...] = field(default=())

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of the clips, sorted; empty if a clip has no class."""
        found = {clip.ref.label for clip in self.clips}
        return () if None in found else tuple(sorted(label for label in found if label is not None))


def find_clips(root: str | Path, *, kind: Kind = "frames", group: Callable[[Path], str] | None = None) -> list[ClipRef]:
    """List the clips of a folder or CSV file.

    Args:
        root: A folder `<class>/<clip>` or of unlabelled clips, or a CSV file. The file has the
            columns path and label, and optionally group; its paths are relative to the file.
        kind: "frames" for videos, "features" for `.npy` arrays, or folders of `.npy` rows.
        group: From a clip's path to its group; a group in the CSV file takes precedence.

    Returns:
        References sorted by path, numbers in it by their value. Hidden files are left out.

    Raises:
        UsageError: `root` does not exist.
        ClipsError: `root` holds no clip of the kind, or the CSV file lacks a column or a path.
    """
    root = Path(root)
    if not root.exists():
        raise UsageError(expected="a folder of clips", found=f"nothing at {root}", path=root)
    name_group = group or (lambda _path: "")
    if root.is_file():
        return _from_csv(root, name_group)
    files = [path for path in in_order(root.rglob("*"), root) if _is_clip(path, kind)]
    if not files:
        others = passed_over(root, kind=kind)
        raise ClipsError(
            expected=f"clips ({', '.join(SUFFIXES[kind])}) in {root}, as <class>/<clip>",
            found=f"{len(others)} other files, such as {others[0][0]}" if others else "none",
            path=root,
        )
    if kind == "features":
        files = gather(files, root)
    return [
        ClipRef(path, None if path.parent == root else path.relative_to(root).parts[0], name_group(path))
        for path in files
    ]


def passed_over(root: str | Path, *, kind: Kind = "frames") -> tuple[tuple[Path, str], ...]:
    """List the files of a folder that `find_clips` leaves out, apart from hidden ones.

    Args:
        root: As for `find_clips`; a CSV file leaves out nothing.
        kind: As for `find_clips`.

    Returns:
        Path and reason of each, sorted by path.
    """
    root = Path(root)
    if not root.is_dir():
        return ()
    reason = f"no clip ({', '.join(SUFFIXES[kind])})"
    others = (path for path in root.rglob("*") if not path.is_dir() and not _is_clip(path, kind))
    return tuple((path, reason) for path in in_order(others, root))


def _is_clip(path: Path, kind: Kind) -> bool:
    return path.suffix.lower() in SUFFIXES[kind] and path.is_file()


def _from_csv(path: Path, group: Callable[[Path], str]) -> list[ClipRef]:
    try:
        # Excel begins a CSV file with a byte order mark, which would become part of the first
        # column's name.
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ClipsError(
            expected="a CSV file with the columns path and label",
            found=f"{path}, which cannot be read: {error}",
            path=path,
        ) from error
    if not rows or not {"path", "label"} <= set(rows[0]):
        raise ClipsError(expected="a CSV file with the columns path and label", found=str(path), path=path)
    if any(not row["path"] for row in rows):
        raise ClipsError(expected=f"a path in each row of {path}", found="a row without one", path=path)
    refs = [
        ClipRef(path.parent / row["path"], row["label"] or None, row.get("group") or group(path.parent / row["path"]))
        for row in rows
    ]
    return sorted(refs, key=lambda ref: natural_key(ref.path))


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
    rows = RowFolder if ref.path.is_dir() else FeatureFile
    with rows(ref.path, interval_s=interval_s) if spec.kind == "features" else VideoFile(ref.path) as source:

        def prepared() -> Iterator[Array]:
            for frame in source.frames():
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
            skipped.append((ref.path, str(error)))
        if sum(clip.frames.nbytes for clip in clips[on_disk:]) > MOST_HELD_BYTES:
            clips[on_disk:] = [replace(clip, frames=_stored(clip.frames, store)) for clip in clips[on_disk:]]
            on_disk = len(clips)
    if not clips:
        reason = skipped[0][1] if skipped else "there are none"
        raise ClipsError(expected="clips that can be read", found=f"none of {len(refs)}: {reason}")
    return ClipSet(tuple(clips), tuple(skipped))


def read_folder(
    root: Path, spec: InputSpec, *, interval_s: float = 0.1, progress: Progress, task: str = "reading clips"
) -> ClipSet:
    """Find and decode the clips of a folder or list, with a bar.

    Args:
        root: As for `find_clips`.
        spec: The model's input frame.
        interval_s: Time between the rows of feature sequences; the default is that of training.
        progress: Shows the bar.
        task: Words next to the bar.

    Raises:
        ClipsError: There are no clips, or none can be read.
    """
    refs = find_clips(root, kind=spec.kind)
    read = decode_all(refs, spec, interval_s=interval_s, progress=lambda items: iter(progress.track(items, task)))
    return replace(read, skipped=(*read.skipped, *passed_over(root, kind=spec.kind)))


def _stored(frames: Array | StoredArray, store: Store) -> StoredArray:
    return frames if isinstance(frames, StoredArray) else store.add(frames)


def evenly_spread(count: int, wanted: int) -> list[int]:
    """Return indices spread evenly over a list, from its first to its last element.

    Args:
        count: Length of the list; 0 for no indices.
        wanted: Indices to return, if the list is long enough.

    Returns:
        min(count, wanted) ascending indices.
    """
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(int)).tolist()


def window_indices(clip: Clip, window: Window, *, start: int = 0) -> list[int]:
    """Return the frame indices of one window of a clip.

    Args:
        clip: Any clip.
        window: Length and sampling of the window.
        start: Index of the first frame; ignored for "uniform" sampling.

    Returns:
        `window.frames` indices; a clip that ends early repeats its last frame.
    """
    return sampling.window_indices(
        clip.timestamps_ns.tolist(), frames=window.frames, interval_s=_interval_s(window), start=start
    )


def centre_window(clip: Clip, window: Window) -> Array:
    """Return the frames of the window in the middle of a clip, which evaluation and conversion use.

    Args:
        clip: Any clip.
        window: Length and sampling of the window.

    Returns:
        (T, *frame) of the clip's dtype.
    """
    return clip.frames[
        sampling.centre_indices(clip.timestamps_ns.tolist(), frames=window.frames, interval_s=_interval_s(window))
    ]


def _interval_s(window: Window) -> float | None:
    return None if window.sampling == "uniform" else window.interval_s


def to_real(frames: Array, spec: InputSpec) -> Array:
    """Convert prepared frames to the numbers that the trained model was trained on.

    Args:
        frames: uint8 pixels or float32 features, with any leading axes.
        spec: The model's input frame.

    Returns:
        float32 of the same shape.
    """
    out = np.empty(frames.shape, np.float32)
    if spec.kind == "features":
        out[...] = frames
    else:
        pixels_to_float(frames, *spec.range, out)
    return out
