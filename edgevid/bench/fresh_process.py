"""Both ends of a fresh process: run a module of a benchmark with JSON in and out, and be that module."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from edgevid.errors import EdgevidError


def run_module(module: str, text: str, *, limit_s: float) -> dict[str, Any]:
    """Run a module and return the JSON object that it prints.

    Args:
        module: Its full name. It ends with `answer`.
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


def answer(work: Callable[[dict[str, Any]], Any]) -> int:
    """Do the task of standard input; print the report, or the error as JSON.

    Args:
        work: From the task's JSON object to a report, a dataclass.

    Returns:
        The exit code: 1 for an error.
    """
    try:
        report = dataclasses.asdict(work(json.load(sys.stdin)))
    except EdgevidError as error:
        sys.stdout.write(json.dumps({"error": str(error)}))
        return 1
    sys.stdout.write(json.dumps(report))
    return 0


def _failure(out: str, err: str, code: int) -> EdgevidError:
    try:
        message = json.loads(out)["error"]
    except (ValueError, KeyError, TypeError):
        last = (err.strip().splitlines() or ["no message"])[-1]
        message = f"Expected a fresh process to measure, got exit code {code}: {last}"
    return EdgevidError(message)
