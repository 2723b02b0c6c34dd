"""The files of this repository, as they would be committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BUILT = {
    ".git",
    ".venv",
    "build",
    "dist",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".import_linter_cache",
    ".hypothesis",
}


def repository_files() -> list[Path]:
    """List the files that belong to the repository; outside of git, all that are not built.

    Returns:
        Paths relative to the root, sorted.
    """
    git = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        names = subprocess.run(git, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
    found = sorted({Path(name) for name in names if name})
    return [path for path in found if (ROOT / path).is_file() and not _BUILT & set(path.parts)]


def text_files() -> dict[Path, str]:
    """Read every file of the repository that is UTF-8 text.

    Returns:
        Path relative to the root, and content.
    """
    texts = {}
    for path in repository_files():
        try:
            texts[path] = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return texts
