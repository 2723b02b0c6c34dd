"""Whether clips are pictures or rows of features, by their names alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from convert.clips.layouts.clip_table import COLUMNS, EXPECTED, REQUIRED
from convert.clips.layouts.list_file import ListFile
from edgevid.capture.video.containers import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from edgevid.errors import ClipsError
from edgevid.frames.preprocess import Kind

ROW_SUFFIX = ".npy"
# <class>/<clip>/<frame>.jpg; pictures further up are previews and plots.
_PARTS_OF_PICTURES = 3


def kind_of(root: str | Path, *, videos: Path | None = None) -> Kind:
    """Return the kind of the clips of a folder or list, without reading any.

    Args:
        root: As for `list_clips`. Public data sets are videos.
        videos: Folder that the paths of a list are relative to; None for the folder of the list.

    Returns:
        "features" if there are rows and no pictures, else "frames"; also if there is nothing at `root`.

    Raises:
        ClipsError: Some clips are pictures and some are rows.
    """
    root = Path(root)
    if not root.exists():
        # The reader of the clips says so.
        return "frames"
    places = _files(root) if root.is_dir() else _listed(root, videos or root.parent)
    first: dict[Kind, str] = {}
    for kind, place in places:
        first.setdefault(kind, place)
    if len(first) == 2:
        raise ClipsError(
            expected="clips of pictures or rows of features, not both",
            found=f"{first['frames']} and {first['features']}",
            hint="Keep them apart: in two folders, or in two lists.",
            path=root,
        )
    return next(iter(first), "frames")


def is_row_clip(path: Path) -> bool:
    """Whether a clip is a `.npy` file, or a folder of them."""
    return path.suffix.lower() == ROW_SUFFIX or (path.is_dir() and next(path.glob(f"*{ROW_SUFFIX}"), None) is not None)


def _files(root: Path) -> Iterator[tuple[Kind, str]]:
    for path in root.rglob("*"):
        suffix, parts = path.suffix.lower(), path.relative_to(root).parts
        is_picture = suffix in PICTURE_SUFFIXES and len(parts) >= _PARTS_OF_PICTURES
        if not (is_picture or suffix in (*VIDEO_SUFFIXES, ROW_SUFFIX)) or any(part.startswith(".") for part in parts):
            continue
        if path.is_file():
            yield ("features" if suffix == ROW_SUFFIX else "frames"), str(path)


def _listed(table: Path, folder: Path) -> Iterable[tuple[Kind, str]]:
    if table.suffix.lower() != ".csv":
        return
    try:
        records = list(ListFile(table, EXPECTED).records(required=REQUIRED, columns=COLUMNS))
    except ClipsError:
        # Another format, or a fault that the reader of the list reports.
        return
    for number, row in records:
        path = folder / row["path"]
        yield ("features" if is_row_clip(path) else "frames"), f"{path} in line {number}"
