"""Files that are made again only when their inputs change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from convert.progress import Progress


def once(path: Path, inputs: Sequence[bytes], make: Callable[[Path], object], progress: Progress) -> Path:
    """Make a file, unless it exists and was made from the same inputs.

    Args:
        path: The file. A hash of its inputs is written next to it, to `<name>.made-from`.
        inputs: Everything that the file depends on.
        make: Called with the path; writes the file.
        progress: Reports a file that is used again.

    Returns:
        The path.
    """
    note, key = path.with_name(f"{path.name}.made-from"), _key(inputs)
    if path.exists() and note.exists() and note.read_text() == key:
        progress.step(f"using {path}")
        return path
    # First, so that a failure of `make` does not leave the old note next to a new file.
    note.unlink(missing_ok=True)
    make(path)
    note.write_text(key)
    return path


def _key(inputs: Sequence[bytes]) -> str:
    # Hash the hashes: the same bytes, split differently between two inputs, need another key.
    return hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in inputs)).hexdigest()
