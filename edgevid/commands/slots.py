"""Show which bundles this device keeps: the active one, the one on trial, and why the last trial ended."""

from __future__ import annotations

import argparse
import json
import sys

from edgevid.commands.options import add_slots

EXAMPLES = """examples:
  edgevid slots
  edgevid slots --slots slots --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_slots(parser)
    parser.add_argument("--json", action="store_true", help="print the state as JSON")


def run(args: argparse.Namespace) -> int:
    """Show the slots.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        SlotsError: No bundle is in service, or the state cannot be read.
    """
    from edgevid.schema import to_json
    from edgevid.tables import table
    from edgevid.updates.slots import Slots

    slots = Slots(args.slots)
    current, state = slots.current(), slots.state()
    assert state is not None
    if args.json:
        sys.stdout.write(json.dumps(to_json(state)) + "\n")
        return 0
    trial = state.trial
    rows: list[tuple[object, ...]] = [("slot", "bundle", "bytes", "what")]
    for name, slot in state.slots.items():
        on_trial = (
            f"on trial for {trial.period_s:g} s, {trial.starts_left} more starts"
            if trial and name == trial.slot
            else ""
        )
        words = (
            on_trial,
            "active" if name == state.active else "",
            "runs at the next start" if current.stem == name else "",
        )
        rows.append((name, slot.name, slot.bytes, ", ".join(filter(None, words)) or "kept to go back to"))
    sys.stdout.write(table(rows) + (f"\nlast trial: {state.returned}" if state.returned else "") + "\n")
    return 0
