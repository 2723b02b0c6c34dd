"""Bundles as files in their slots."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgevid.updates.state import Name, State


def slot_path(folder: Path, slot: Name) -> Path:
    """Return the file of a slot."""
    return folder / f"{slot}.edgevid"


def is_intact(folder: Path, state: State, slot: Name) -> bool:
    """Return whether a slot holds the bytes that its state lists."""
    listed, path = state.slots.get(slot), slot_path(folder, slot)
    try:
        # The size is free, and saves hashing a truncated file.
        return listed is not None and path.stat().st_size == listed.bytes and sha256(path) == listed.sha256
    except OSError:
        # Missing, or on a bad block of the card: the other slot may be whole.
        return False


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
