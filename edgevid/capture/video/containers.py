"""The files of a folder that hold videos or pictures, in the order that their numbers mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from edgevid.errors import SourceError

# Every command reads the same containers: those of phones, cameras and camcorders that FFmpeg reads.
VIDEO_SUFFIXES = (
    *(".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".3gp", ".3g2", ".wmv", ".asf", ".flv", ".ogv"),
)
# Those with a table of the time of each frame. Others are searched by time stamps, which may begin
# anew within a file.
INDEXED_SUFFIXES = (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".3gp", ".3g2")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_NUMBER = re.compile(r"([0-9]+)")
# macOS packs its metadata into a folder of this name.
_METADATA_FOLDER = "__MACOSX"

SortKey = tuple[tuple[str | int, ...], ...]


def opencv_name(path: Path) -> str:
    """Return the name by which OpenCV opens a local file.

    Args:
        path: The file.

    Raises:
        SourceError: The name is not UTF-8: OpenCV crashes on it.
    """
    # An absolute path: FFmpeg takes the start of "a:b.mp4" for a protocol.
    name = str(path.absolute())
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise SourceError(
            expected="a file name in UTF-8", got=str(path), hint="Rename the file or its folder.", path=path
        ) from None
    return name


def natural_key(path: Path) -> tuple[SortKey, str]:
    """Return a sort key that orders f_2 before f_10.

    Args:
        path: Any path; paths of one folder are compared by their names.
    """
    # Text and numbers alternate, so equal places are of one type. The path itself decides between
    # f_1 and f_01.
    parts = tuple(
        tuple(int(piece) if index % 2 else piece for index, piece in enumerate(_NUMBER.split(part)))
        for part in path.parts
    )
    return parts, str(path)


def is_hidden(path: Path, root: Path) -> bool:
    """Return whether a file is of the file manager's own making, such as `._a.jpg` of macOS.

    Args:
        path: A file under `root`.
        root: The folder that a person named; its own name does not count.
    """
    return any(part.startswith(".") or part == _METADATA_FOLDER for part in path.relative_to(root).parts)


def in_order(paths: Iterable[Path], root: Path) -> list[Path]:
    """Return the files that are not hidden, in natural order.

    Args:
        paths: Files under `root`.
        root: The folder that a person named.
    """
    return sorted((path for path in paths if not is_hidden(path, root)), key=natural_key)
