"""Environments of the peers: one for each requirements file, every package of it pinned."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.peers.chores import last_line

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"


class Environments:
    """Interpreters by the name of their requirements file, made when first asked for.

    Args:
        folder: Where environments are kept; one that its requirements file still describes is used again.
        here: Use this interpreter for each of them, with what it has installed.

    Attributes:
        reasons: Why an environment cannot be used, by name.
    """

    def __init__(self, folder: Path, *, here: bool = False) -> None:
        self._folder = folder
        self._here = here
        self.reasons: dict[str, str] = {}

    def python(self, name: str) -> Path | None:
        """Return the interpreter of an environment; None if it could not be made, with the reason kept."""
        if self._here:
            return Path(sys.executable)
        if name in self.reasons:
            return None
        target, mark = self._folder / name, self._folder / name / "requirements.sha256"
        pinned = hashlib.sha256((REQUIREMENTS / f"{name}.txt").read_bytes()).hexdigest()
        if not (mark.exists() and mark.read_text() == pinned):
            if reason := _made(target, REQUIREMENTS / f"{name}.txt"):
                self.reasons[name] = reason
                return None
            mark.write_text(pinned)
        return target / "bin" / "python"

    def make(self, names: Iterable[str]) -> None:
        """Make the environments that are missing."""
        for name in names:
            self.python(name)


def _made(target: Path, requirements: Path) -> str:
    """Make an environment; return the reason why it cannot be made, or nothing."""
    sys.stderr.write(f"   installing {requirements.name}\n")
    python = str(target / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    for command in ([sys.executable, "-m", "venv", "--clear", str(target)], install):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            return last_line(done.stderr) or f"pip ended with status {done.returncode}"
    return ""
