"""Labelled clips in folders named after their labels, as the device reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgevid.bundle import Bundle
from edgevid.capture.video.containers import PICTURE_SUFFIXES, VIDEO_SUFFIXES, in_order
from edgevid.errors import ClipsError, UsageError


@dataclass(frozen=True, kw_only=True)
class LabelledClip:
    """A clip and its true label.

    Attributes:
        path: A video, a folder of pictures, or a `.npy` file of features.
        label: Its label, one of the model's.
    """

    path: str
    label: str


def find_labelled_clips(folder: Path, bundle: Bundle) -> tuple[LabelledClip, ...]:
    """Return the clips of a folder `<label>/<clip>`, sorted by path.

    Args:
        folder: The folder. Hidden files are left out.
        bundle: The model, whose labels the folders are named after.

    Raises:
        UsageError: There is no such folder.
        ClipsError: A folder is not named after a label, or there is no clip.
    """
    if not folder.is_dir():
        raise UsageError(expected="a folder of clips", found=f"nothing at {folder}", path=folder)
    is_rows = bundle.manifest.input.kind == "features"
    suffixes = (".npy",) if is_rows else VIDEO_SUFFIXES
    labels = bundle.manifest.labels
    classes = in_order((each for each in folder.iterdir() if each.is_dir()), folder)
    unknown = [each.name for each in classes if each.name not in labels]
    if unknown:
        raise ClipsError(
            expected=f"folders named after the model's labels ({', '.join(labels)}) in {folder}",
            found=", ".join(unknown),
            path=folder,
        )
    found = [LabelledClip(path=str(path), label=each.name) for each in classes for path in _clips(each, suffixes)]
    if not found:
        kind = "rows (.npy)" if is_rows else "videos or folders of pictures"
        raise ClipsError(expected=f"{kind} in folders named after labels in {folder}", found="none", path=folder)
    return tuple(found)


def _clips(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for path in in_order(folder.iterdir(), folder):
        is_file = path.is_file() and path.suffix.lower() in suffixes
        if is_file or (".npy" not in suffixes and _has_pictures(path)):
            yield path


def _has_pictures(path: Path) -> bool:
    return path.is_dir() and any(each.suffix.lower() in PICTURE_SUFFIXES for each in path.iterdir())
