"""Reads truth in any of the known formats, which the name and the first lines of a file tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from convert.clips.layouts.list_file import ListFile
from convert.recordings.events_table import EXPECTED, REQUIRED, read_table
from convert.recordings.importers import boris
from convert.recordings.importers.activitynet import read_activitynet
from convert.recordings.importers.cvat import read_cvat
from convert.recordings.importers.elan import read_elan
from convert.recordings.importers.options import ImportOptions
from convert.recordings.importers.text_labels import read_text
from convert.recordings.marks import Marks
from convert.recordings.streams import StreamFolder
from edgevid.capture.video.containers import in_order
from edgevid.errors import TruthError

Reader = Callable[[Path, StreamFolder, ImportOptions], Marks]


def read_marks(path: Path, streams: StreamFolder, options: ImportOptions) -> Marks:
    """Read the marks of a file, or of each file of a folder.

    Args:
        path: A table of events, or a file of another tool. The files of a folder are of one format.
        streams: The folder of the recordings.
        options: What a file of another tool leaves open.

    Raises:
        TruthError: The format is unknown, or a file cannot be read.
    """
    files = _files_of(path) if path.is_dir() else [path]
    read = [_reader(file)(file, streams, options) for file in files]
    return Marks([mark for each in read for mark in each.marks], [note for each in read for note in each.notes])


def _files_of(folder: Path) -> Sequence[Path]:
    files = in_order((file for file in folder.iterdir() if file.suffix.lower() in _READERS), folder)
    suffixes = Counter(file.suffix.lower() for file in files)
    if len(suffixes) != 1:
        found = f"{' and '.join(suffixes) or 'none'} in {folder}"
        hint = "Name one file, or a folder with files of one format."
        raise TruthError(expected="files of one format", choices=_READERS, found=found, hint=hint, path=folder)
    return files


def _reader(path: Path) -> Reader:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise TruthError(expected="truth in a file", choices=_READERS, found=str(path), path=path)
    return reader


def _read_csv(path: Path, streams: StreamFolder, options: ImportOptions) -> Marks:
    """Read a table of events, or the export of BORIS as CSV."""
    for _, header in ListFile(path, EXPECTED, TruthError).rows():
        if set(REQUIRED) & set(header):
            break
        if boris.is_export(header):
            return boris.read_export(path, streams, options)
    return Marks(read_table(path, streams))


_READERS: dict[str, Reader] = {
    ".csv": _read_csv,
    ".tsv": boris.read_export,
    ".boris": boris.read_project,
    ".json": read_activitynet,
    ".eaf": read_elan,
    ".xml": read_cvat,
    ".txt": read_text,
}
