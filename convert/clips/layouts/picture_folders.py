"""Clips that are kept as a folder of pictures: `<class>/<clip>/<frame>.jpg`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from edgevid.capture.video.containers import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from edgevid.capture.video_files import PictureFolder
from edgevid.errors import SourceError

_LAST_NUMBER = re.compile(r"^(.*?)(\d+)$")


class ClipPictures(PictureFolder):
    """The pictures of a clip at a fixed interval, in the order of their numbers.

    Args:
        path: The folder.
        interval_s: Time between two pictures, in seconds.

    Raises:
        SourceError: The folder contains no picture, or lacks one within its numbers.
    """

    def __init__(self, path: Path, *, interval_s: float) -> None:
        super().__init__(path, interval_s=interval_s)
        _check_numbers(self.files, path)


def picture_clips(files: Iterable[Path], root: Path) -> list[Path]:
    """Return the folders of which each is one clip.

    Args:
        files: All files below `root`.
        root: The folder of clips.

    Returns:
        Folders below those of the classes that hold two pictures at least, and no video: pictures
        next to videos are previews.
    """
    pictures: dict[Path, int] = {}
    with_video: set[Path] = set()
    for file in files:
        suffix = file.suffix.lower()
        if suffix in VIDEO_SUFFIXES:
            with_video.add(file.parent)
        elif suffix in PICTURE_SUFFIXES and len(file.relative_to(root).parts) > 2:
            pictures[file.parent] = pictures.get(file.parent, 0) + 1
    return [folder for folder, count in pictures.items() if count > 1 and folder not in with_video]


def why_no_clip(path: Path, root: Path) -> str:
    """Explain why a picture belongs to no clip; "" for another file.

    Args:
        path: A file below `root` that no clip holds.
        root: The folder of clips.
    """
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        return ""
    if len(path.relative_to(root).parts) <= 2:
        return "a picture outside of a folder <class>/<clip>"
    return "a single picture, or one next to videos"


def _check_numbers(files: Sequence[Path], folder: Path) -> None:
    """Reject numbered pictures at equal steps that lack some: time would jump there."""
    names = [_LAST_NUMBER.match(file.stem) for file in files]
    if len({name[1] if name else None for name in names}) > 1 or names[0] is None:
        return
    numbers = [int(name[2]) for name in names if name]
    steps = np.diff(numbers)
    # The lower one of two middle steps: of 1, 2, 4 that is 1.
    usual = int(np.sort(steps)[(len(steps) - 1) // 2]) if len(steps) else 0
    gaps = np.flatnonzero(steps > usual)
    # Other steps than multiples are times of day, not counts.
    if usual > 0 and len(gaps) and (steps == usual).sum() >= len(steps) / 2 and not (steps % usual).any():
        after = files[int(gaps[0])]
        raise SourceError(expected="pictures without a gap", found=f"one after {after.name} in {folder}", path=folder)
