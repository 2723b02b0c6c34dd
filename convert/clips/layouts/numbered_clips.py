"""Clips that are named by a number: Jester and Something-Something.

A CSV file has `<number>;<label>` in each line. A JSON file, of the second version of
Something-Something, is a list of objects with an id and a template, whose words are the label. A
clip is a folder of pictures, or a video, with the number as its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from convert.clips.clip import TEST, TRAIN, VAL, ClipRef
from convert.clips.layouts.class_folders import notes_on_rate
from convert.clips.layouts.list_file import ListFile
from convert.clips.layouts.segments import check_overlaps
from convert.clips.layouts.video_folder import VideoFolder, by_path
from convert.clips.listing import Listing
from convert.clips.reading import Reading
from edgevid.errors import ClipsError

FIRST_LINE = re.compile(r"\d+(;.*)?")
EXPECTED_CSV = "a list of Jester or Something-Something with <number>;<label> in each line"
EXPECTED_JSON = "a list of Something-Something: a JSON array of objects with id and template"
# Both sets state that rate for their pictures.
_PICTURES_PER_S = 12.0
_SPLITS = {"train": TRAIN, "validation": VAL, "test": TEST}


def list_numbered(path: Path, reading: Reading, group: Callable[[Path], str]) -> Listing:
    """List the clips of a CSV or JSON file of numbers.

    Args:
        path: The file. A name with "train" brings the file with "validation" in its place, if it
            lies beside it.
        reading: States the folder of the clips, and perhaps the rate of their pictures.
        group: From a clip's path to its group.

    Returns:
        The clips; those that are not there are passed over.

    Raises:
        ClipsError: A line is wrong, or no clip is there.
    """
    videos, fps = VideoFolder(reading.videos or path.parent), reading.fps or _PICTURES_PER_S
    split = next((side for word, side in _SPLITS.items() if word in path.name.lower()), "")
    lists, notes = [(path, split)], list[str]()
    partner = path.with_name(re.sub("train", "validation", path.name, count=1, flags=re.IGNORECASE))
    if split == TRAIN and partner.is_file():
        lists.append((partner, VAL))
        notes.append(f"{partner.name} beside {path.name} names the clips that are held out")
    refs, missing = list[ClipRef](), list[tuple[Path, str]]()
    for each, side in lists:
        for origin, number, label in _entries(each):
            clip = _locate(videos, number)
            if clip is None:
                missing.append((videos.root / number, f"no such folder or video ({origin})"))
                continue
            rate = fps if clip.is_dir() else None
            refs.append(ClipRef(clip, label, group(clip), split=side, origin=origin, fps=rate))
    if not refs:
        found = f"none of {len(missing)} in {videos.root}"
        hint = "Name their folder with --videos."
        raise ClipsError(expected=f"folders or videos of {path.name}", found=found, hint=hint, path=path)
    check_overlaps(refs, path)
    return Listing(by_path(refs), tuple(missing), (*notes, *notes_on_rate(tuple(refs), reading, source="of the set")))


def _locate(videos: VideoFolder, number: str) -> Path | None:
    folder = videos.root / number
    return folder if folder.is_dir() else videos.find_stem(number)


def _entries(path: Path) -> Iterator[tuple[str, str, str | None]]:
    """Read the origin, number and label of each clip."""
    return _json_entries(path) if path.suffix.lower() == ".json" else _csv_entries(path)


def _csv_entries(path: Path) -> Iterator[tuple[str, str, str | None]]:
    listed = ListFile(path, EXPECTED_CSV)
    for line, text in listed.lines():
        number, _, label = text.partition(";")
        if not number.isdecimal():
            raise listed.wrong(line, expected="<number>;<label>", found=repr(text))
        yield listed.origin(line), number, label.strip() or None


def _json_entries(path: Path) -> Iterator[tuple[str, str, str | None]]:
    listed = ListFile(path, EXPECTED_JSON)
    try:
        entries = json.loads("\n".join(text for _, text in listed.lines()))
    except (json.JSONDecodeError, RecursionError):
        raise listed.nothing() from None
    if not isinstance(entries, list):
        raise listed.nothing()
    for place, entry in enumerate(entries, 1):
        number = entry.get("id") if isinstance(entry, dict) else None
        if not str(number).isdecimal():
            raise listed.wrong_entry(place, expected="an object with an id of digits", found=repr(entry)[:60])
        label = entry.get("template") or entry.get("label")
        # [something] marks the words that the label of a single clip fills in.
        yield f"entry {place} of {path.name}", str(number), re.sub(r"[\[\]]", "", label) if label else None
