"""Makes files in child processes, since a converter may crash: a death is a reason, and not the end.

Each chore is a dictionary with the path `out` of its file, and whatever its program needs. Its program writes `out`, or
the reason why it cannot into `out` with `.reason` appended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Chore = dict[str, Any]
_LONGEST_S = 1800


def reason_file(out: Path) -> Path:
    """Return the file that holds why `out` could not be made."""
    return out.with_name(f"{out.name}.reason")


def reason_against(out: Path) -> str | None:
    """Return why a file is missing; None if it is there."""
    if out.exists():
        return None
    kept = reason_file(out)
    # Results are read on other machines, where the folder means nothing.
    return kept.read_text().strip().replace(f"{out.parent}/", "") if kept.exists() else "it was not made"


def pending(chores: Sequence[Chore]) -> list[Chore]:
    """Return the chores that have neither a file nor a reason."""
    return [each for each in chores if not Path(each["out"]).exists() and not reason_file(Path(each["out"])).exists()]


def run(python: str | Path, program: Path, chores: Sequence[Chore], *, root: Path) -> None:
    """Run chores in one process after another, until each has a file or a reason.

    Args:
        python: The interpreter of the environment.
        program: The program; it runs all pending chores in their order.
        chores: The chores.
        root: Root of the repository, for programs that import it.
    """
    while todo := pending(chores):
        sys.stderr.write(f"   {program.stem}: {', '.join(Path(each['out']).name for each in todo)}\n")
        ended = _run_once(python, program, todo, root=root)
        if left := pending(chores):
            # They run in order, so the first one without a result brought the process down.
            reason_file(Path(left[0]["out"])).write_text(f"{ended or 'the converter wrote nothing'}\n")


def _run_once(python: str | Path, program: Path, todo: Sequence[Chore], *, root: Path) -> str:
    """Run the chores once; return how the process failed, or nothing."""
    environment = os.environ | {
        "PYTHONPATH": str(root),
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as given:
        json.dump(list(todo), given)
        given.flush()
        try:
            done = subprocess.run(
                [str(python), str(program), given.name],
                check=False, capture_output=True, text=True, env=environment, timeout=_LONGEST_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"the converter took more than {_LONGEST_S} s"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"the converter was ended by signal {-done.returncode}"
    return last_line(done.stderr) or f"the converter ended with status {done.returncode}"


def last_line(text: str) -> str:
    """Return the last line of an error output that is not empty, cut to a readable length."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:160] if lines else ""
