"""What `edgevid bench` and `edgevid bench sweep` do around a measurement: progress, files, the command line."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevid.errors import UsageError

# Back to the first column, and erase the line.
_CLEAR = "\r\x1b[K"


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show the progress of a measurement on standard error, and end it on SIGTERM as on Ctrl-C.

    Yields:
        A function that shows a line; on a terminal it replaces the line before.
    """
    is_terminal = sys.stderr.isatty()

    def show(text: str) -> None:
        sys.stderr.write(f"{_CLEAR}{text}" if is_terminal else f"{text}\n")
        sys.stderr.flush()

    def stop(_number: int, _frame: object) -> None:
        # The default action would leave processes and folders behind.
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield show
    finally:
        signal.signal(signal.SIGTERM, before)
        if is_terminal:
            sys.stderr.write(_CLEAR)


def check_output(path: Path) -> None:
    """Reject a result's file that cannot be written, before minutes of measuring.

    Args:
        path: The `.json` file; its samples get the same name with `.npz`.

    Raises:
        UsageError: The name ends otherwise, its folder does not exist or cannot be written, or the
            samples' name belongs to another file.
    """
    from edgevid import atomic

    atomic.check_folder(path, suffix=".json")
    if path.with_suffix(".npz").exists() and not path.exists():
        raise UsageError(
            expected=f"no {path.with_suffix('.npz').name} beside {path.name}, where its samples go",
            found="one that belongs to no result",
            hint="Name another file.",
        )


def command_line(arguments: Iterable[str]) -> str:
    """Return a command line for a result: files by their names, addresses without passwords.

    Args:
        arguments: The words after the program's name.
    """
    from edgevid.bench.measuring.describe import public_word

    return shlex.join(["edgevid", *map(public_word, arguments)])
