"""Finds the clips of a folder or list, in every layout that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from convert.clips.clip import ClipRef
from convert.clips.layouts import class_folders, clip_table, hmdb51, kinetics, numbered_clips, ucf101
from convert.clips.listing import Listing
from convert.clips.reading import DEFAULT, Reading
from convert.clips.row_format import with_intervals
from edgevid.errors import UsageError
from edgevid.frames.preprocess import Kind

Grouper = Callable[[Path], str]


def list_clips(
    root: str | Path, *, kind: Kind = "frames", reading: Reading = DEFAULT, group: Grouper | None = None
) -> Listing:
    """List the clips of a folder or list, with the files that are none.

    Args:
        root: A folder `<class>/<clip>` or of unlabelled clips, or a file that lists clips: a CSV
            file, or the list of a public data set.
        kind: "frames" for videos and folders of pictures, "features" for `.npy` arrays and folders
            of `.npy` rows.
        reading: How a list, and folders of pictures, are read.
        group: From a clip's path to its group; a group in the list takes precedence.

    Raises:
        UsageError: `root` does not exist.
        ClipsError: `root` names no clip of the kind, or a line of the list is wrong.
    """
    root = Path(root)
    if not root.exists():
        raise UsageError(expected="a folder of clips", found=f"nothing at {root}", path=root)
    name_group = group or (lambda _path: "")
    listing = _list(root, kind, reading, name_group)
    refs, notes = reading.keep(with_intervals(listing.refs) if kind == "features" else listing.refs, root)
    if not reading.framing.is_plain:
        refs = tuple(replace(ref, framing=reading.framing) for ref in refs)
    return replace(listing, refs=refs, notes=(*listing.notes, *notes))


def _list(root: Path, kind: Kind, reading: Reading, group: Grouper) -> Listing:
    """List the clips in the layout that the names, or the first line of a file, tell."""
    if root.is_dir():
        if hmdb51.has_lists(root):
            return hmdb51.list_hmdb51(root, reading, group)
        return class_folders.list_folder(root, kind, reading, group)
    for name, read in ((ucf101.NAME, ucf101.list_ucf101), (hmdb51.NAME, hmdb51.list_hmdb51)):
        if name.fullmatch(root.name):
            return read(root, reading, group)
    return _list_file(root, kind, reading, group)


def _list_file(path: Path, kind: Kind, reading: Reading, group: Grouper) -> Listing:
    first_line = _first_line(path)
    if path.suffix.lower() == ".json" or numbered_clips.FIRST_LINE.fullmatch(first_line):
        return numbered_clips.list_numbered(path, reading, group)
    if kinetics.KEY in first_line.split(","):
        return kinetics.list_kinetics(path, reading, group)
    return clip_table.list_table(path, kind, reading, group)


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as handle:
            return handle.readline().strip()
    except (UnicodeDecodeError, OSError):
        # The reader of tables says what is wrong.
        return ""


def find_clips(
    root: str | Path, *, kind: Kind = "frames", reading: Reading = DEFAULT, group: Grouper | None = None
) -> list[ClipRef]:
    """Return the clips of a folder or list.

    Args:
        root: As for `list_clips`.
        kind: As for `list_clips`.
        reading: As for `list_clips`.
        group: As for `list_clips`.

    Returns:
        References sorted by path, numbers in it by their value. Hidden files are left out.

    Raises:
        UsageError: `root` does not exist.
        ClipsError: `root` names no clip of the kind, or a line of the list is wrong.
    """
    return list(list_clips(root, kind=kind, reading=reading, group=group).refs)


def passed_over(root: str | Path, *, kind: Kind = "frames") -> tuple[tuple[Path, str], ...]:
    """List the files of a folder that `find_clips` leaves out, apart from hidden ones.

    Args:
        root: As for `find_clips`; nothing is left out of a list's folder.
        kind: As for `find_clips`.

    Returns:
        Path and reason of each, sorted by path.
    """
    root = Path(root)
    return class_folders.other_files(root, kind) if root.is_dir() else ()
