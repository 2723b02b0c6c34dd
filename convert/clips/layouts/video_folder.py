"""Where the videos of a public data set lie below a folder: people unpack them in several ways."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from convert.clips.clip import ClipRef
from edgevid.capture.video.containers import VIDEO_SUFFIXES, natural_key


class VideoFolder:
    """The videos below a folder, found by name.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, place: str) -> Path:
        """Return the file of a listed video, or where it should be.

        Args:
            place: `<class>/<file>` as listed. The file may lie directly in the folder.
        """
        listed = self.root / place
        flat = self.root / listed.name
        return flat if flat.is_file() and not listed.exists() else listed

    def find_stem(self, stem: str) -> Path | None:
        """Return a video by its name without the suffix, at any depth, or None.

        Args:
            stem: The name, such as "dQw4w9WgXcQ_000010_000020".
        """
        return self._by_stem.get(stem)

    @cached_property
    def _by_stem(self) -> dict[str, Path]:
        return {
            Path(name).stem: Path(folder) / name
            for folder, _, names in os.walk(self.root)
            for name in names
            if Path(name).suffix.lower() in VIDEO_SUFFIXES
        }


def by_path(refs: list[ClipRef]) -> tuple[ClipRef, ...]:
    """Return clips sorted by path, numbers in it by their value, and by time."""
    return tuple(sorted(refs, key=lambda ref: (natural_key(ref.path), ref.segment.start_s if ref.segment else 0.0)))
