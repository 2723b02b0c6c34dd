"""Recovery of a state that cannot be read, from its copy and from the bundles themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from edgevid.errors import EdgevidError, SlotsError
from edgevid.updates.state import Name, Slot, State, read_state
from edgevid.updates.stored import is_intact, sha256, slot_path

STATE = "state.json"
# A copy of the state without its trial, written when another bundle becomes active.
PROVEN = "proven.json"


def read_or_rebuild(folder: Path) -> tuple[State | None, str]:
    """Read the state of a folder of slots, or rebuild it in memory.

    Returns:
        The state, and why it had to be rebuilt (empty if it did not). None if there is no bundle.
    """
    try:
        return read_state(folder / STATE), ""
    except FileNotFoundError:
        reason = f"{STATE} is missing"
    except (OSError, SlotsError) as error:
        reason = str(error)
    state = _proven(folder) or _from_bundles(folder)
    return state, f"the state was rebuilt from the slots: {reason}" if state else ""


def whole_slots(folder: Path) -> Mapping[Name, Slot]:
    """Return the slots whose model matches the hashes in its own manifest."""
    # Imported here: numpy is slow to import, and only a damaged card needs it.
    from edgevid import bundle

    whole: dict[Name, Slot] = {}
    for slot in get_args(Name):
        path = slot_path(folder, slot)
        try:
            bundle.read(path, with_proof=False)
            whole[slot] = Slot(name=path.name, bytes=path.stat().st_size, sha256=sha256(path))
        except (OSError, EdgevidError):
            continue
    return whole


def _proven(folder: Path) -> State | None:
    """Return the copy of the state, unless its active bundle was replaced or damaged since."""
    try:
        state = read_state(folder / PROVEN)
    except (OSError, SlotsError):
        return None
    return state if is_intact(folder, state, state.active) else None


def _from_bundles(folder: Path) -> State | None:
    whole = whole_slots(folder)
    # Nothing tells which of two was active. Both passed their self-test on this device.
    return State(active=min(whole), slots={str(name): slot for name, slot in whole.items()}) if whole else None
