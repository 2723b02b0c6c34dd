"""Files appear whole or not at all: written beside their destination, then renamed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevid.errors import UsageError


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Give a place to write a file that takes another's name when it is complete.

    Args:
        path: Where the file shall be; one that is there is replaced.

    Yields:
        A path on the same file system with the same name. It is moved when the block ends, and removed when the block fails.

    Raises:
        UsageError: The folder is not there.
    """
    path = Path(path)
    check_folder(path, suffix=path.suffix)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        beside = Path(folder) / path.name
        yield beside
        beside.replace(path)


def check_folder(path: str | Path, *, suffix: str) -> None:
    """Refuse a place that cannot be written to, before hours of work are put into what shall be written.

    Args:
        path: Where a file shall be.
        suffix: What its name must end in.

    Raises:
        UsageError: The name ends otherwise, or the folder is not there.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise UsageError(f"Expected an output file *{suffix}, got {path}.", expected=f"*{suffix}", path=path)
    if not path.parent.is_dir():
        raise UsageError(f"Expected a folder to write {path.name} into, found none at {path.parent}.", path=path)
