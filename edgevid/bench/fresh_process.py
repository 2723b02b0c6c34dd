"""Run a module of a benchmark in a fresh process, with JSON in and out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from edgevid.errors import EdgevidError


def run_module(module: str, text: str, *, limit_s: float) -> dict[str, Any]:
    """Run a module and return the JSON object that it prints.

    Args:
        module: Its full name. It prints `{"error": …}` and exits with 1 if it fails.
        text: Its standard input.
        limit_s: Time after which it is killed.

    Raises:
        EdgevidError: The process failed, with its own message, or took too long.
    """
    # -P: a file of the current folder must not stand for a module.
    command = [sys.executable, "-P", "-m", module]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            out, err = child.communicate(text, timeout=limit_s)
        except BaseException as error:
            child.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                raise EdgevidError(
                    expected="a process to finish its measurement", found="no answer", hint="Use fewer frames."
                ) from error
            raise
    if child.returncode != 0:
        raise _failure(out, err, child.returncode)
    found: dict[str, Any] = json.loads(out)
    return found


def _failure(out: str, err: str, code: int) -> EdgevidError:
    try:
        message = json.loads(out)["error"]
    except (ValueError, KeyError, TypeError):
        last = (err.strip().splitlines() or ["no message"])[-1]
        message = f"Expected a fresh process to measure, got exit code {code}: {last}"
    return EdgevidError(message)
