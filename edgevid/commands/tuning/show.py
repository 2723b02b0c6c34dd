"""Show the settings of this machine that change a benchmark, and what else uses it.

The clock's policy and its lowest value, and the cores that handle interrupts, each
beside what edgevid tune set would make of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from edgevid.commands.tuning.state import add_state

EXAMPLES = """examples:
  edgevid tune show
  edgevid tune show --json"""
# Tests plant another.
ROOT = Path("/")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_state(parser)
    parser.add_argument("--json", action="store_true", help="print the settings as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the settings."""
    from edgevid.board.tuning import kept, settings
    from edgevid.schema import to_json
    from edgevid.tables import table

    found, is_tuned = settings(ROOT), bool(kept(args.state, ROOT))
    if args.json:
        sys.stdout.write(json.dumps({"tuned": is_tuned, "settings": to_json(found)}) + "\n")
        return 0
    if not found:
        sys.stdout.write("This machine lets nobody set its clock or interrupts.\n")
        return 0
    rows = [("setting", "now", "tuned"), *((f"/{each.path}", each.now, each.tuned) for each in found)]
    sys.stdout.write(
        f"{table(rows)}\ntuned: {'yes, until edgevid tune reset or the next boot' if is_tuned else 'no'}\n"
    )
    return 0
