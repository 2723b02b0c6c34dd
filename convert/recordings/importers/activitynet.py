"""JSON of ActivityNet, in which THUMOS14, UnAV-100 and others are published too.

`{"database": {ID: {"subset": ..., "annotations": [{"segment": [start, end], "label": ...}]}}}`, with
times in seconds.

Source: https://github.com/activitynet/ActivityNet/tree/master/Evaluation, files activity_net.v1-3.min.json;
https://github.com/happyharrycn/actionformer_release, thumos14.json
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convert.recordings.importers.options import ImportOptions
from convert.recordings.marks import Mark, Marks, seconds
from convert.recordings.streams import StreamFolder
from edgevid.errors import TruthError

EXPECTED = 'a JSON file of ActivityNet, {"database": {ID: {"annotations": [{"segment": [start, end], "label": ...}]}}}'
# The annotations of these are not published: an empty list does not say that nothing happens.
_SECRET = ("test", "testing")


def read_activitynet(path: Path, streams: StreamFolder, _options: ImportOptions) -> Marks:
    """Read the marks of a JSON file of ActivityNet.

    Args:
        path: The file.
        streams: The folder of the videos, named `ID.mp4` or `v_ID.mp4`, at any depth. Videos that
            are not there are passed over: many are no longer published.

    Raises:
        TruthError: The file is of another form, or none of its videos is there.
    """
    database = _database(path)
    marks: list[Mark] = []
    missing = unknown = 0
    for name, entry in database.items():
        origin = f"{name!r} of {path.name}"
        annotations, subset = _entry(entry, origin, path)
        video = streams.find(name, origin) or streams.find(f"v_{name}", origin)
        if video is None:
            missing += 1
        elif not annotations and subset in _SECRET:
            unknown += 1
        else:
            marks += _marks(video, annotations, origin, path)
    if not marks:
        found = f"none of the {len(database)} of {path.name} in {streams.root}"
        raise TruthError(expected="videos", found=found, hint="Name their folder with --streams.", path=path)
    counted = ((missing, "are not there"), (unknown, "are of the test set and have no annotations"))
    return Marks(marks, [f"{count} videos of {path.name} {why}" for count, why in counted if count])


def _database(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        found = f"{path}, which cannot be read: {error}"
        raise TruthError(expected=EXPECTED, found=found, path=path) from error
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(database, dict) or not database:
        raise TruthError(expected=EXPECTED, found=str(path), path=path)
    return database


def _entry(entry: Any, origin: str, path: Path) -> tuple[list[Any], str]:
    annotations = entry.get("annotations", []) if isinstance(entry, dict) else None
    if not isinstance(annotations, list):
        raise TruthError(expected=EXPECTED, found=f"no list of annotations for {origin}", path=path)
    return annotations, str(entry.get("subset", "")).lower()


def _marks(video: Path, annotations: list[Any], origin: str, path: Path) -> Iterator[Mark]:
    if not annotations:
        yield Mark(video=video, origin=origin)
    for number, annotation in enumerate(annotations, 1):
        where = f"annotation {number} of {origin}"
        match annotation:
            case {"segment": [int() | float() as start_s, int() | float() as end_s], "label": str(label)} if label:
                yield Mark(
                    video=video, label=label.strip(), start_s=seconds(start_s), end_s=seconds(end_s), origin=where
                )
            case _:
                raise TruthError(expected=EXPECTED, found=f"another form of {where}", path=path)
