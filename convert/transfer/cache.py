"""Arrays on disk by the hash of what they were computed from, with a bound on their size.

An entry is a file: a line with the hash of the rest, then the arrays. A write that was torn, or a
file that was altered, does not have its hash; it is dropped, and computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.atomic import replacing
from edgevid.errors import UsageError
from edgevid.frames import Array

SUFFIX = ".features"
MOST_BYTES = 2 * 2**30
# Raised with each change of the windows or of their encoding.
VERSION = 1
_DIGEST_BYTES = 32
_LEFTOVER_S = 3600


def default_folder() -> Path:
    """Return the user's folder for cached features, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "edgevid" / "features"


def key_of(facts: Mapping[str, Any]) -> str:
    """Return the name of the entry that was computed from facts.

    Args:
        facts: All that the entry depends on, as JSON can hold it.
    """
    text = json.dumps({"version": VERSION, **facts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class FeatureCache:
    """A folder of arrays.

    Attributes:
        folder: Made when the first entry is written.
        most_bytes: The entries used longest ago are removed beyond this.
        hits: Entries that were read.
        misses: Entries that were not there.
        damaged: Entries that were dropped because their hash is wrong.
    """

    folder: Path
    most_bytes: int = MOST_BYTES
    hits: int = 0
    misses: int = 0
    damaged: int = 0
    _written: bool = field(default=False, repr=False)

    def read(self, key: str) -> dict[str, Array] | None:
        """Return the arrays of an entry.

        Returns:
            None if there is no entry, or only a damaged one, which is removed.
        """
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            self.misses += 1
            return None
        digest, payload = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() != digest:
            path.unlink(missing_ok=True)
            self.damaged += 1
            return None
        # The order of use decides what is removed first; a folder of someone else cannot be marked.
        with contextlib.suppress(OSError):
            os.utime(path)
        self.hits += 1
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            return dict(arrays)

    def has(self, key: str) -> bool:
        """Return whether there is an entry, whole or damaged."""
        return self._path(key).exists()

    def write(self, key: str, arrays: Mapping[str, Array]) -> None:
        """Store an entry, as a whole or not at all.

        Raises:
            UsageError: The folder cannot be written.
        """
        payload = io.BytesIO()
        np.savez(payload, allow_pickle=False, **arrays)
        digest = hashlib.sha256(payload.getvalue()).digest()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._path(key)) as temporary:
                temporary.write_bytes(digest + payload.getvalue())
        except OSError as error:
            raise UsageError(
                expected="a folder for cached features that can be written",
                found=f"{self.folder}: {error.strerror or error}",
                path=self.folder,
                hint="Give another one with --cache DIR.",
            ) from error
        self._written = True

    def prune(self) -> int:
        """Remove the entries used longest ago until the others fit.

        Returns:
            Number of entries that were removed.
        """
        if not self._written:
            return 0
        self._remove_leftovers()
        # Another run may remove a file meanwhile.
        stats = [(path, stat) for path in self.folder.glob(f"*{SUFFIX}") if (stat := _stat(path))]
        excess = sum(stat.st_size for _, stat in stats) - self.most_bytes
        removed = 0
        for path, stat in sorted(stats, key=lambda each: each[1].st_mtime_ns):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= stat.st_size
            removed += 1
        return removed

    def _remove_leftovers(self) -> None:
        """Remove what killed runs left half-written; what is young may be of a run that still writes."""
        for path in self.folder.glob(f".*{SUFFIX}.*"):
            stat = _stat(path)
            if stat and time.time() - stat.st_mtime > _LEFTOVER_S:
                shutil.rmtree(path, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
