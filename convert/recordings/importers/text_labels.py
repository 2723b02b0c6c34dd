"""Text files of labels: Audacity's label tracks, and the lists of THUMOS14.

Audacity: one file for each recording, `start<TAB>end<TAB>label`, in seconds. A line that begins with a
backslash states the frequencies of the label before it.
THUMOS14: one file for each class, `<Class>_val.txt` or `<Class>_test.txt`, with `video start end`.

Source: https://manual.audacityteam.org/man/importing_and_exporting_labels.html;
http://crcv.ucf.edu/THUMOS14/download.html, "Temporal annotations"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from convert.clips.layouts.list_file import ListFile
from convert.recordings.importers.options import ImportOptions
from convert.recordings.marks import Mark, Marks
from convert.recordings.streams import StreamFolder
from edgevid.errors import TruthError

EXPECTED = "a label track of Audacity, start, end and label with a tab between each"
EXPECTED_THUMOS = "a list of THUMOS14, <Class>_val.txt with video, start and end in each line"
_TIME = r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"
_LABEL = re.compile(rf"({_TIME})\t({_TIME})(?:\t(.*))?")
_LISTED = re.compile(rf"(\S+)\s+({_TIME})\s+({_TIME})")
_LIST_NAME = re.compile(r"(.+)_(?:val|test)", re.ASCII)
# Its segments may or may not show the class: the benchmark ignores them.
_AMBIGUOUS = "Ambiguous"


def read_text(path: Path, streams: StreamFolder, options: ImportOptions) -> Marks:
    """Read the marks of a text file of labels.

    Args:
        path: A label track of Audacity, named as its video, or a list of THUMOS14.
        streams: The folder of the videos.
        options: States the length of points.

    Raises:
        TruthError: A line is wrong, or the video of a label track is not there.
    """
    name = _LIST_NAME.fullmatch(path.stem)
    # A recording may be called `day_test` too.
    if name is not None and streams.find(path.stem, path.name) is None:
        return _read_list(path, name[1], streams)
    video = streams.require(path.stem, path.name)
    marks = list(_read_track(ListFile(path, EXPECTED, TruthError), video, options))
    return Marks(marks or [Mark(video=video, origin=path.name)])


def _read_track(track: ListFile, video: Path, options: ImportOptions) -> Iterator[Mark]:
    for line, text in track.lines():
        if text.startswith("\\"):
            continue
        label = _LABEL.fullmatch(text)
        if label is None:
            raise track.wrong(line, expected=EXPECTED, found=repr(text), hint="Export the labels again.")
        if not (label[3] or "").strip():
            raise track.wrong(line, expected="a name for each label", found="none", hint="Name or delete the label.")
        start_s, end_s, origin = float(label[1]), float(label[2]), track.origin(line)
        if start_s == end_s:
            end_s = options.end_of_point(start_s, origin)
        yield Mark(video=video, label=label[3].strip(), start_s=start_s, end_s=end_s, origin=origin)


def _read_list(path: Path, label: str, streams: StreamFolder) -> Marks:
    table, marks, missing = ListFile(path, EXPECTED_THUMOS, TruthError), list[Mark](), set[str]()
    for line, text in table.lines():
        listed = _LISTED.fullmatch(text)
        if listed is None:
            raise table.wrong(line, expected=EXPECTED_THUMOS, found=repr(text))
        origin = table.origin(line)
        video = streams.find(listed[1], origin)
        if video is None:
            missing.add(listed[1])
        elif label != _AMBIGUOUS:
            start_s, end_s = float(listed[2]), float(listed[3])
            marks.append(Mark(video=video, label=label, start_s=start_s, end_s=end_s, origin=origin))
    notes = [f"{len(missing)} videos of {path.name} are not there"] if missing else []
    if label == _AMBIGUOUS:
        notes.append(f"the segments of {path.name} are left out: they count as background")
    return Marks(marks, notes)
