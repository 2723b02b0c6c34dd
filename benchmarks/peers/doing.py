"""The frame of a program that makes files for `chores`: one after the other, a file or a reason for each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def do_all(kinds: Mapping[str, Callable[[dict[str, Any], Path], None]]) -> int:
    """Run the chores of the file that the command line names.

    Args:
        kinds: What makes each kind of chore; called with the chore and a path, which it fills.

    Returns:
        The exit code.
    """
    for chore in json.loads(Path(sys.argv[1]).read_text()):
        out = Path(chore["out"])
        # With the right ending, since Keras and others choose the format by it.
        scratch = out.with_name(f"unfinished-{out.name}")
        try:
            kinds[chore["kind"]](chore, scratch)
        except Exception as error:  # noqa: BLE001  # any failure of a foreign converter is a result
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = f"{type(error).__name__}: {lines[0][:160] if lines else 'no reason'}"
            out.with_name(f"{out.name}.reason").write_text(f"{reason}\n")
            continue
        scratch.rename(out)
    return 0
