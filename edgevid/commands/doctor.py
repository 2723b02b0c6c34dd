"""Check this machine, and show for each fault the command that repairs it.

The checks cover Python, the interpreter, delegates, cameras, permissions, power
supply, heat, throttling, memory, disk and time. The command installs nothing and
changes nothing.

The exit code is 0 without a fault and 1 with one. Warnings do not count.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgevid.doctor import Finding

EXAMPLES = """examples:
  edgevid doctor
  edgevid doctor --json | jq '.findings[] | select(.status == "fault")'"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", help="print all findings as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Check the machine and print the findings.

    Returns:
        0 without a fault, 1 with one.
    """
    from edgevid.doctor import examine
    from edgevid.doctor.machine import current_host
    from edgevid.schema import to_json

    findings = examine(current_host())
    healthy = all(finding.status != "fault" for finding in findings)
    report = {"healthy": healthy, "findings": to_json(findings)}
    sys.stdout.write((json.dumps(report, indent=1) if args.json else "\n".join(_lines(findings))) + "\n")
    return 0 if healthy else 1


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    from edgevid.tables import table

    yield table([("check", "", "found"), *((finding.check, finding.status, finding.found) for finding in findings)])
    problems = [finding for finding in findings if finding.status in ("fault", "warning")]
    for finding in problems:
        yield f"\n{finding.check}, {finding.status}: {finding.found}"
        yield from (f"  {line}" for line in finding.mend.splitlines())
    faults = sum(finding.status == "fault" for finding in findings)
    yield f"\n{len(findings)} checks, {_counted(faults, 'fault')}, {_counted(len(problems) - faults, 'warning')}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
