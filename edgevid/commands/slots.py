"""Show the bundles that this device stores, and why the last trial ended.

Two slots hold a bundle each. The table marks the active one, the one on trial,
and the one that runs at the next start of the service.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgevid.commands.options import add_slots

if TYPE_CHECKING:
    from edgevid.updates.slots import State

EXAMPLES = """examples:
  edgevid slots
  edgevid slots --slots slots --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_slots(parser)
    parser.add_argument("--json", action="store_true", help="print the state as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the slots.

    Raises:
        SlotsError: No bundle is in service.
    """
    from edgevid.schema import to_json
    from edgevid.tables import table
    from edgevid.updates.slots import Slots

    slots = Slots(args.slots)
    current = slots.current()
    state, rebuilt = slots.look()
    assert state is not None  # `current` has raised otherwise
    if rebuilt:
        sys.stderr.write(f"edgevid: {rebuilt}\n")
    if args.json:
        sys.stdout.write(json.dumps(to_json(state)) + "\n")
        return 0
    rows: list[tuple[object, ...]] = [("slot", "bundle", "bytes", "state")]
    for name, slot in state.slots.items():
        words = ", ".join(_words(state, name, runs_next=current.stem == name))
        rows.append((name, slot.name, slot.bytes, words or "stored for a rollback"))
    sys.stdout.write(table(rows) + (f"\nlast trial: {state.returned}" if state.returned else "") + "\n")
    return 0


def _words(state: State, name: str, *, runs_next: bool) -> Iterator[str]:
    if state.trial and state.trial.slot == name:
        yield f"on trial for {state.trial.period_s:g} s, {state.trial.starts_left} more starts"
    if state.active == name:
        yield "active"
    if runs_next:
        yield "runs at the next start"
