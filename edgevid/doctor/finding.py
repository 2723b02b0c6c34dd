"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "unknown", "warning", "fault"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the table.

    Attributes:
        check: What was looked at.
        status: "fault" keeps a classifier from running or from being right; "warning" may, later; "unknown": the machine does not tell.
        found: What there is, in a few words.
        mend: What to do about it, for everything but "ok": the exact command, where there is one.
    """

    check: str
    status: Status
    found: str
    mend: str = ""


def ok(check: str, found: str) -> Finding:
    """Say that all is well.

    Args:
        check: What was looked at.
        found: What there is.

    Returns:
        The finding.
    """
    return Finding(check=check, status="ok", found=found)
