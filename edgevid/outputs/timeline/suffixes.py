"""The kinds of files of a timeline, without what they need."""

from __future__ import annotations

from pathlib import Path

from edgevid.errors import UsageError

PAGE, SUFFIXES = ".html", (".html", ".csv", ".srt", ".vtt")


def check_suffix(path: Path) -> None:
    """Reject a file of another kind.

    Args:
        path: The file to write.

    Raises:
        UsageError: The suffix is none of `SUFFIXES`.
    """
    UsageError.unless(path.suffix in SUFFIXES, expected="a file for --timeline", choices=SUFFIXES, got=path.name)
