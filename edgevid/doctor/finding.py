"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "unknown", "warning", "fault"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        check: Name of the check.
        status: "fault": a classifier cannot run, or answers wrongly. "warning": it may fail later.
            "unknown": the machine does not report it.
        found: The actual state, in a few words.
        mend: The remedy, unless "ok": the exact command if there is one. May have several lines.
    """

    check: str
    status: Status
    found: str
    mend: str = ""


def ok(check: str, found: str) -> Finding:
    """Return a finding without a remedy."""
    return Finding(check=check, status="ok", found=found)
