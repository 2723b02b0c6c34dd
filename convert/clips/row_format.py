"""What a folder of rows states about them: how far they are apart, and which key points they are.

An array of rows has no time. `edgevid keypoints` therefore writes `rows.json` next to the folders of
the classes, and whoever reads the rows reads it first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid import atomic
from edgevid.errors import ClipsError, ContractError, ManifestInvalid
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.schema import from_json, optional, to_json

if TYPE_CHECKING:
    from convert.clips.clip import ClipRef

NAME = "rows.json"
# Folders above a clip: those of a session, of the class, and the root.
_DEEPEST = 3
# A clip of a few rows is off by a part of a frame; means that differ by less are one time.
_NEAR, _SAME = 0.1, 0.02


@dataclass(frozen=True, kw_only=True)
class RowFormat:
    """What is known of the rows in a folder.

    Attributes:
        keypoints: The key points and their normalisation; None for other rows.
        interval_s: Time between two rows; None if it is unknown or differs.
        intervals_s: The time of each clip, by its path in the folder, where they differ.

    Raises:
        ContractError: A time is not above 0.
    """

    keypoints: KeypointRows | None = optional(None)  # noqa: RUF009  # it returns a field
    interval_s: float | None = optional(None)
    intervals_s: Mapping[str, float] | None = optional(None)

    def __post_init__(self) -> None:
        times = [*(self.intervals_s or {}).values(), *([] if self.interval_s is None else [self.interval_s])]
        ContractError.unless(all(each > 0 for each in times), expected="a time between two rows above 0", got=times)

    def interval_of(self, name: str) -> float | None:
        """Return the time between two rows of a clip, by its path in the folder; None if it is unknown."""
        return (self.intervals_s or {}).get(name, self.interval_s)


UNKNOWN = RowFormat()


def written_format(keypoints: KeypointRows, measured_s: Mapping[str, float], wanted_s: float | None) -> RowFormat:
    """Return what is known of rows that were written.

    Args:
        keypoints: What they are.
        measured_s: Mean time between two rows of each clip, by its path in the folder; 0 for a single row.
        wanted_s: The time that was asked for; clips near it have it.
    """
    times = {name: _rounded(each, wanted_s) for name, each in measured_s.items() if each > 0}
    if not times:
        return RowFormat(keypoints=keypoints, interval_s=wanted_s)
    if max(times.values()) <= min(times.values()) * (1 + _SAME):
        return RowFormat(keypoints=keypoints, interval_s=wanted_s or sorted(times.values())[len(times) // 2])
    return RowFormat(keypoints=keypoints, intervals_s=times)


def _rounded(interval_s: float, wanted_s: float | None) -> float:
    return wanted_s if wanted_s and abs(interval_s / wanted_s - 1) < _NEAR else round(interval_s, 6)


def write_format(folder: Path, rows: RowFormat) -> None:
    """Write what is known of the rows in a folder."""
    atomic.write(folder / NAME, [json.dumps(to_json(rows), indent=1).encode()], durable=False)


def with_intervals(refs: Sequence[ClipRef]) -> tuple[ClipRef, ...]:
    """Return clips of rows with the rate that their folders state.

    Args:
        refs: Clips of rows.

    Raises:
        ClipsError: A statement is damaged.
    """
    stated = _stated(refs)
    return tuple(_with_interval(ref, stated) for ref in refs)


def _with_interval(ref: ClipRef, stated: Mapping[Path, RowFormat]) -> ClipRef:
    for folder in _folders(ref):
        if folder in stated:
            interval_s = stated[folder].interval_of(ref.path.resolve().relative_to(folder).as_posix())
            return ref if interval_s is None else replace(ref, fps=1 / interval_s)
    return ref


def keypoints_of(refs: Sequence[ClipRef]) -> KeypointRows | None:
    """Return the key points that the folders of rows state; None if they state none.

    Args:
        refs: Clips of rows.

    Raises:
        ClipsError: A statement is damaged, or two contradict each other.
    """
    stated = {folder: each.keypoints for folder, each in _stated(refs).items() if each.keypoints is not None}
    first = next(iter(stated), None)
    for folder, keypoints in stated.items():
        if first is not None and keypoints != stated[first]:
            raise ClipsError(
                expected="rows of one kind",
                found=f"{stated[first]} in {first} and {keypoints} in {folder}",
                path=folder,
            )
    return None if first is None else stated[first]


def _folders(ref: ClipRef) -> list[Path]:
    return list(ref.path.resolve().parents)[:_DEEPEST]


def _stated(refs: Sequence[ClipRef]) -> dict[Path, RowFormat]:
    folders = dict.fromkeys(folder for ref in refs for folder in _folders(ref))
    return {folder: _read(folder / NAME) for folder in folders if (folder / NAME).is_file()}


def _read(path: Path) -> RowFormat:
    try:
        return from_json(RowFormat, json.loads(path.read_bytes()), NAME)
    # RecursionError: json follows brackets as deep as a damaged file nests them.
    except (OSError, ValueError, RecursionError, ManifestInvalid) as error:
        raise ClipsError(
            expected=f"{NAME} as edgevid keypoints writes it", found=f"{path}: {error}", path=path
        ) from error
