"""Look this machine over: Python, interpreter, delegates, cameras, permissions, supply, heat, memory, disk, time.

Every fault comes with the command that mends it. Nothing is installed and nothing is changed.
Exit code 0 where there is no fault, 1 where there is one; warnings do not count.
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
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", help="print every finding as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Examine and print.

    Args:
        args: Parsed options.

    Returns:
        0 without a fault, 1 with one.
    """
    from edgevid.doctor import examine
    from edgevid.doctor.machine import current_host
    from edgevid.schema import to_json

    findings = examine(current_host())
    healthy = all(finding.status != "fault" for finding in findings)
    text = (
        json.dumps({"healthy": healthy, "findings": to_json(findings)}, indent=1)
        if args.json
        else "\n".join(_lines(findings))
    )
    sys.stdout.write(text + "\n")
    return 0 if healthy else 1


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    from edgevid.tables import table

    yield table([("check", "", "found"), *((finding.check, finding.status, finding.found) for finding in findings)])
    wanting = [finding for finding in findings if finding.status in ("fault", "warning")]
    for finding in wanting:
        yield f"\n{finding.check}, {finding.status}: {finding.found}"
        yield from (f"  {line}" for line in finding.mend.splitlines())
    faults = sum(finding.status == "fault" for finding in findings)
    yield f"\n{len(findings)} checks, {_counted(faults, 'fault')}, {_counted(len(wanting) - faults, 'warning')}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
