"""The lists of UCF-101: `trainlist01.txt`, `testlist01.txt` and `classInd.txt`.

A list of training names `<class>/<video> <number of the class>`, a list of test only the video. The
class's number is that of `classInd.txt`, if it lies beside the list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from convert.clips.clip import TEST, TRAIN, ClipRef
from convert.clips.layouts.list_file import ListFile
from convert.clips.layouts.segments import check_overlaps
from convert.clips.layouts.video_folder import VideoFolder, by_path
from convert.clips.listing import Listing
from convert.clips.reading import Reading
from edgevid.errors import ClipsError

NAME = re.compile(r"(train|test)list(\d+)\.txt")
EXPECTED = "a list of UCF-101 with <class>/<video> in each line"
# All clips with one number were cut from one video.
_GROUP = re.compile(r"_(g\d+)_c\d+$")


def list_ucf101(path: Path, reading: Reading, group: Callable[[Path], str]) -> Listing:
    """List the clips of a list of UCF-101.

    Args:
        path: A list. That of training brings the list of test with the same number, if it lies
            beside it.
        reading: States the folder of the videos.
        group: From a clip's path to its group; where it is "", the number of the clip's source
            video.

    Raises:
        ClipsError: A line is wrong, or a video is in both lists.
    """
    kind, number = _parts(path)
    numbers = _class_numbers(path.with_name("classInd.txt"))
    videos = VideoFolder(reading.videos or path.parent)
    refs = _read(path, kind, numbers, videos, group)
    test, notes = path.with_name(f"testlist{number}.txt"), list[str]()
    if kind == TRAIN and test.is_file():
        refs += _read(test, TEST, numbers, videos, group)
        notes.append(f"{test.name} beside {path.name} names the clips that are held out")
    check_overlaps(refs, path)
    return Listing(by_path(refs), (), tuple(notes))


def _parts(path: Path) -> tuple[str, str]:
    match = NAME.fullmatch(path.name)
    if match is None:
        raise ClipsError(expected="trainlistNN.txt or testlistNN.txt", found=str(path), path=path)
    return match[1], match[2]


def _read(
    path: Path, split: str, numbers: dict[str, str], videos: VideoFolder, group: Callable[[Path], str]
) -> list[ClipRef]:
    listed = ListFile(path, EXPECTED)
    refs = []
    for line, text in listed.lines():
        place, _, number = text.partition(" ")
        label = place.rpartition("/")[0]
        if not label or "/" in label:
            raise listed.wrong(line, expected="<class>/<video>", found=repr(place))
        if numbers and label not in numbers:
            raise listed.wrong(line, expected="a class of classInd.txt", found=repr(label))
        if numbers and number.strip() and number.strip() != numbers[label]:
            expected = f"number {numbers[label]} of {label!r} in classInd.txt"
            raise listed.wrong(line, expected=expected, found=number.strip())
        clip = videos.find(place)
        source = _GROUP.search(clip.stem)
        refs.append(
            ClipRef(clip, label, group(clip) or (source[1] if source else ""), split=split, origin=listed.origin(line))
        )
    if not refs:
        raise listed.nothing()
    return refs


def _class_numbers(path: Path) -> dict[str, str]:
    """Return the number of each class; none without the file."""
    if not path.is_file():
        return {}
    listed = ListFile(path, "a list of classes with <number> <class> in each line")
    numbers = {}
    for line, text in listed.lines():
        number, _, label = text.partition(" ")
        if not number.isdecimal() or not label.strip():
            raise listed.wrong(line, expected="<number> <class>", found=repr(text))
        numbers[label.strip()] = number
    return numbers
