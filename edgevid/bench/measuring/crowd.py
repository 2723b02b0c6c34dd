"""A load beside the measurement, by stress-ng."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from edgevid.errors import MissingDependency, UsageError

_KINDS = {"cpu": "--cpu", "io": "--iomix", "memory": "--vm", "net": "--sock"}
_LOAD = re.compile(r"([a-z]+)=([1-9][0-9]?)")


@contextmanager
def crowd(load: str) -> Iterator[None]:
    """Run a load while the block runs.

    Args:
        load: Such as "cpu=2" or "cpu=1,io=1"; empty for none.

    Raises:
        UsageError: The load is of no known kind.
        MissingDependency: stress-ng is not installed.
    """
    arguments = [word for each in load.split(",") for word in _arguments(each)] if load else []
    if not arguments:
        yield
        return
    program = shutil.which("stress-ng")
    if program is None:
        raise MissingDependency(expected="stress-ng for --load", found="none", hint="Run: sudo apt install stress-ng.")
    with subprocess.Popen([program, "--quiet", *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def _arguments(text: str) -> list[str]:
    found = _LOAD.fullmatch(text)
    if not found or found[1] not in _KINDS:
        raise UsageError(expected="a load KIND=COUNT", choices=_KINDS, got=text, hint="For instance: cpu=2.")
    return [_KINDS[found[1]], found[2]]
