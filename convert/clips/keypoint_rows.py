"""Rows of key points from clips of pictures, as files for training and conversion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.clips.clip import ClipRef
from convert.clips.sources import clip_frames
from edgevid.atomic import replacing
from edgevid.errors import ClipsError, ContractError, SourceError
from edgevid.frames import Array
from edgevid.frames.sampling import IntervalSampler, Sample
from edgevid.keypoints.stage import KeypointStage
from edgevid.units import NS_PER_S


@dataclass(frozen=True)
class RowFile:
    """The rows of one clip.

    Attributes:
        path: The `.npy` file.
        rows: Number of rows.
        seen: Rows with any point.
        interval_s: Mean time between two rows; 0 for a single row.
    """

    path: Path
    rows: int
    seen: int
    interval_s: float


@dataclass(frozen=True)
class RowFolder:
    """What was written.

    Attributes:
        files: One for each clip that could be read.
        skipped: Path and reason of each other clip.
    """

    files: tuple[RowFile, ...]
    skipped: tuple[tuple[Path, str], ...]


def write_rows(
    refs: Sequence[ClipRef],
    root: Path,
    out: Path,
    *,
    stage: KeypointStage,
    length: int,
    interval_s: float | None = None,
    progress: Callable[[Sequence[ClipRef]], Iterator[ClipRef]] = iter,
) -> RowFolder:
    """Write the key points of each clip as `<class>/<clip>.npy`.

    Args:
        refs: The clips.
        root: The folder or list that names them.
        out: The folder to write; missing ones are created.
        stage: Finds the key points.
        length: Numbers in a row.
        interval_s: Time between two rows, as the device's sampler keeps it; None for every frame.
        progress: Wraps the iteration, to show a bar.

    Raises:
        ClipsError: Two clips would have one file, or no clip can be read.
        AssetError: A network is missing or altered.
    """
    places = _places(refs, root, out)
    files, skipped = [], []
    for ref in progress(refs):
        try:
            rows, stamps_ns = _read(ref, stage, length, interval_s)
        except (SourceError, ContractError) as error:
            skipped.append(ref.unreadable(error))
            continue
        places[ref].parent.mkdir(parents=True, exist_ok=True)
        with replacing(places[ref]) as temporary:
            np.save(temporary, rows)
        step_ns = (stamps_ns[-1] - stamps_ns[0]) / max(len(stamps_ns) - 1, 1)
        files.append(RowFile(places[ref], len(rows), int(rows.any(axis=1).sum()), step_ns / NS_PER_S))
    if not files:
        reason = skipped[0][1] if skipped else "there are none"
        raise ClipsError(expected="clips that can be read", found=f"none of {len(refs)}: {reason}")
    return RowFolder(tuple(files), tuple(skipped))


def _read(ref: ClipRef, stage: KeypointStage, length: int, interval_s: float | None) -> tuple[Array, list[int]]:
    sampler = None if interval_s is None else IntervalSampler(interval_s)
    rows, stamps_ns = [], []
    # Nobody is followed from one clip to the next.
    stage.restart()
    for frame in clip_frames(ref, "frames"):
        if sampler is not None and sampler.offer(frame.timestamp_ns) is Sample.SKIP:
            continue
        row = np.zeros(length, np.float32)
        stage.write(frame, row)
        rows.append(row)
        stamps_ns.append(frame.timestamp_ns)
    return np.stack(rows), stamps_ns


def _places(refs: Sequence[ClipRef], root: Path, out: Path) -> dict[ClipRef, Path]:
    """Return the file of each clip.

    Raises:
        ClipsError: Two clips have the same.
    """
    places = {ref: out / (ref.label or "") / f"{_name(ref, root)}.npy" for ref in refs}
    by_place: dict[Path, ClipRef] = {}
    for ref, place in places.items():
        other = by_place.setdefault(place, ref)
        ClipsError.unless(
            other is ref,
            expected="clips whose names differ in more than their suffix",
            found=f"{other.name} and {ref.name}",
            hint="Rename one of them.",
        )
    return places


def _name(ref: ClipRef, root: Path) -> str:
    path = ref.path.relative_to(root) if root.is_dir() and ref.path.is_relative_to(root) else Path(ref.path.name)
    parts = [*path.parts[:-1], path.stem if path.suffix else path.name]
    if len(parts) > 1 and parts[0] == ref.label:
        del parts[0]
    times = "" if ref.segment is None else f"_{ref.segment.start_s:g}-{ref.segment.end_s:g}"
    return "_".join(parts) + times
