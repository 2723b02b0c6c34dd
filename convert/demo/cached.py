"""Files that are made once: again only when what they are made from has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from convert.progress import Progress


def once(path: Path, inputs: Sequence[bytes], make: Callable[[Path], object], progress: Progress) -> Path:
    """Make a file, unless it is there and was made from the same inputs.

    Args:
        path: The file. A note of its inputs is left beside it.
        inputs: Everything that the file depends on.
        make: Writes the file; called with its path.
        progress: Told when nothing is to do.

    Returns:
        The path.
    """
    note, key = path.with_name(f"{path.name}.made-from"), _key(inputs)
    if path.exists() and note.exists() and note.read_text() == key:
        progress.step(f"using {path}")
        return path
    note.unlink(missing_ok=True)
    make(path)
    note.write_text(key)
    return path


def _key(inputs: Sequence[bytes]) -> str:
    """Hash the inputs' hashes, so that bytes cannot move from one input to the next unseen."""
    return hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in inputs)).hexdigest()
