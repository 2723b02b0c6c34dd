"""The lists of HMDB-51: a folder of `<class>_test_split1.txt`, with 0, 1 or 2 for each video.

1 is training, 2 is test, and 0 is a video that the split does not use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from convert.clips.clip import TEST, TRAIN, ClipRef
from convert.clips.layouts.list_file import ListFile
from convert.clips.layouts.segments import check_overlaps
from convert.clips.layouts.video_folder import VideoFolder, by_path
from convert.clips.listing import Listing
from convert.clips.reading import Reading
from edgevid.errors import ClipsError

NAME = re.compile(r"(.+)_test_split(\d+)\.txt")
EXPECTED = "a list of HMDB-51 with <video> <0, 1 or 2> in each line"
_SPLITS = {"0": "", "1": TRAIN, "2": TEST}


def list_hmdb51(path: Path, reading: Reading, group: Callable[[Path], str]) -> Listing:
    """List the clips of one split of HMDB-51.

    Args:
        path: A folder with a list for each class, or one of these lists, whose number states the
            split.
        reading: States the folder of the videos.
        group: From a clip's path to its group.

    Returns:
        The clips of all classes. The first split of a folder with several is noted.

    Raises:
        ClipsError: A line is wrong.
    """
    folder = path if path.is_dir() else path.parent
    lists = [(each, match) for each in sorted(folder.iterdir()) if (match := NAME.fullmatch(each.name))]
    numbers = sorted({int(match[2]) for _, match in lists})
    chosen = numbers[0] if path.is_dir() else _number(path)
    notes = (
        (f"split {chosen} of {', '.join(map(str, numbers))} is used; name one of its lists for another split",)
        if path.is_dir() and len(numbers) > 1
        else ()
    )
    videos = VideoFolder(reading.videos or folder)
    listed = [item for each, match in lists if int(match[2]) == chosen for item in _read(each, match[1], videos, group)]
    refs = [ref for ref in listed if ref.split]
    unused = [(ref.path, f"not in this split ({ref.origin})") for ref in listed if not ref.split]
    if not refs:
        raise ClipsError(expected=EXPECTED, found=f"no video of split {chosen} in {folder}", path=folder)
    check_overlaps(refs, folder)
    return Listing(by_path(refs), tuple(unused), notes)


def has_lists(folder: Path) -> bool:
    """Return whether a folder holds the lists of a split."""
    return any(NAME.fullmatch(each.name) for each in folder.iterdir())


def _number(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    if match is None:
        raise ClipsError(expected="<class>_test_splitN.txt", found=str(path), path=path)
    return int(match[2])


def _read(path: Path, label: str, videos: VideoFolder, group: Callable[[Path], str]) -> Iterator[ClipRef]:
    """Read the clips of one class. Those without a split are not used."""
    listed = ListFile(path, EXPECTED)
    for line, text in listed.lines():
        name, _, digit = text.rpartition(" ")
        if not name.strip() or digit not in _SPLITS:
            raise listed.wrong(line, expected="<video> and 0, 1 or 2", found=repr(text))
        clip = videos.find(f"{label}/{name.strip()}")
        yield ClipRef(clip, label, group(clip), split=_SPLITS[digit], origin=listed.origin(line))
