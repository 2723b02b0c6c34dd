"""Settings of the kernel for a benchmark: the clock's policy and lowest value, and who handles interrupts.

They last until the next boot. What they were is kept in a file, with the boot that it belongs to.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgevid import atomic
from edgevid.errors import TuningError, UsageError
from edgevid.telemetry.environment import read_text

# Sources: the kernel's Documentation/admin-guide/pm/cpufreq.rst and Documentation/core-api/irq/irq-affinity.rst.
_POLICIES = "sys/devices/system/cpu/cpufreq"
_INTERRUPTS = "proc/irq"
_BOOT = "proc/sys/kernel/random/boot_id"
_STATE = "tuned.json"
_LEGAL = re.compile(
    rf"{_POLICIES}/policy[0-9]+/(scaling_governor|scaling_min_freq)|{_INTERRUPTS}/[0-9]+/smp_affinity_list"
)
_VALUE = re.compile(r"[a-z0-9_,-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        path: The kernel's file, below the root.
        now: Its content.
        tuned: Its content while tuned.
    """

    path: str
    now: str
    tuned: str


def _is_interrupt(path: str) -> bool:
    return path.startswith(_INTERRUPTS)


def settings(root: Path = Path("/")) -> list[Setting]:
    """Return the settings that this machine has.

    Args:
        root: Folder with `sys` and `proc`.

    Returns:
        For each policy of the clock its governor and lowest clock; and the cores of each interrupt
        that may be moved to the first one.
    """
    found = []
    for policy in sorted((root / _POLICIES).glob("policy[0-9]*")):
        governors = (read_text(policy / "scaling_available_governors") or "").split()
        highest = read_text(policy / "cpuinfo_max_freq") or read_text(policy / "scaling_max_freq")
        if "performance" in governors:
            found.append(_setting(root, policy / "scaling_governor", "performance"))
        if highest:
            found.append(_setting(root, policy / "scaling_min_freq", highest))
    if (os.cpu_count() or 1) > 1:
        cores = sorted((root / _INTERRUPTS).glob("[0-9]*/smp_affinity_list"), key=lambda path: int(path.parent.name))
        # The kernel rejects a change for interrupts that belong to one core.
        found += [_setting(root, path, "0") for path in cores if "-" in (read_text(path) or "")]
    return [each for each in found if each.now]


def _setting(root: Path, path: Path, tuned: str) -> Setting:
    return Setting(path=str(path.relative_to(root)), now=read_text(path) or "", tuned=tuned)


def tune(folder: Path, root: Path = Path("/")) -> list[Setting]:
    """Tune this machine until `reset` or the next boot.

    Args:
        folder: Where to keep what the settings were; created if missing.
        root: Folder with `sys` and `proc`.

    Returns:
        What was changed.

    Raises:
        TuningError: The machine has none of these settings, is tuned already, or this process may
            not change them. Then all are as they were.
    """
    found = settings(root)
    if not found:
        raise TuningError(
            expected="a clock or interrupts that can be set",
            found="none, as in a virtual machine or a container",
        )
    if kept(folder, root):
        raise TuningError(
            expected="a machine that is not tuned yet", found="one that is", hint="Run: edgevid tune reset."
        )
    changes = [each for each in found if each.now != each.tuned]
    _keep(folder, root, {each.path: each.now for each in changes})
    done: list[Setting] = []
    for each in changes:
        try:
            (root / each.path).write_text(each.tuned)
        except OSError as error:
            # The kernel tells by a refusal alone which interrupts have to stay where they are.
            if _is_interrupt(each.path) and error.errno == errno.EIO:
                continue
            for earlier in reversed(done):
                (root / earlier.path).write_text(earlier.now)
            (folder / _STATE).unlink(missing_ok=True)
            raise TuningError(
                expected=f"/{each.path} to take {each.tuned}", found=str(error.strerror), hint="Run it as root."
            ) from error
        done.append(each)
    return done


def reset(folder: Path, root: Path = Path("/")) -> int:
    """Set everything as it was before `tune`.

    Args:
        folder: As for `tune`.
        root: Folder with `sys` and `proc`.

    Returns:
        Number of settings; 0 if the machine is not tuned, or was booted since.

    Raises:
        TuningError: This process may not change them.
    """
    before = kept(folder, root)
    # The lowest clock first: a governor may reject a change while they are equal.
    failures: list[tuple[str, OSError]] = []
    for path, value in sorted(before.items(), key=lambda item: "min_freq" not in item[0]):
        try:
            (root / path).write_text(value)
        except OSError as error:
            # A device that was unplugged took its interrupt with it; others never moved.
            if not (isinstance(error, FileNotFoundError) or (_is_interrupt(path) and error.errno == errno.EIO)):
                failures.append((path, error))
    if failures:
        path, cause = failures[0]
        raise TuningError(
            expected=f"/{path} to take {before[path]}", found=str(cause.strerror), hint="Run it as root."
        ) from cause
    (folder / _STATE).unlink(missing_ok=True)
    return len(before)


def kept(folder: Path, root: Path = Path("/")) -> Mapping[str, str]:
    """Return what the settings were before `tune`, by path; empty if the machine is not tuned."""
    try:
        data = json.loads((folder / _STATE).read_text())
        before = dict(data["before"].items())
        # The folder may belong to a service, and root writes these files.
        _check_legal(before)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise TuningError(
            expected=f"the settings from before in {folder / _STATE}",
            found=str(error),
            hint="Boot the machine, which resets them, and remove the file.",
        ) from error
    # A boot resets all settings.
    return before if data.get("boot") == read_text(root / _BOOT) else {}


def _check_legal(before: Mapping[str, str]) -> None:
    for path, value in before.items():
        if not (_LEGAL.fullmatch(path) and _VALUE.fullmatch(value)):
            raise ValueError(f"{path!r}, which is none of the settings")


def _keep(folder: Path, root: Path, before: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"boot": read_text(root / _BOOT), "before": dict(before)}, indent=1)
        # Before the first change, and flushed: a crash must not lose it.
        atomic.write(folder / _STATE, [text.encode()])
    except OSError as error:
        raise UsageError(
            expected=f"a folder to keep the settings in, at {folder}",
            found=str(error.strerror),
            hint="Run it as root, or name another with --state.",
        ) from error
