"""The state of a device's slots: which bundle is active, which one is on trial, and its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edgevid.errors import EdgevidError, SlotsError, UsageError
from edgevid.schema import from_toml, to_json

Name = Literal["a", "b"]
# More than one start, so that a reboot or a power cut during the trial does not reject a good
# bundle.
TRIAL_STARTS = 3
TRIAL_S = 120.0
# A week: longer trials are typing errors.
MAX_TRIAL_S = 7 * 86400.0
OTHER: Mapping[Name, Name] = {"a": "b", "b": "a"}
# A real state has a few hundred bytes; a damaged directory entry may show any size.
_MAX_BYTES = 64 * 2**10


@dataclass(frozen=True, kw_only=True)
class Slot:
    """The bundle in a slot, as it was when it passed its check.

    Attributes:
        name: Name of the file that was activated.
        bytes: Size of the file.
        sha256: SHA-256 of the file, hexadecimal.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Probation:
    """The trial of a bundle that is not confirmed yet.

    Attributes:
        slot: Slot of the bundle.
        starts_left: Starts of the service that remain.
        period_s: How long it must deliver decisions to be confirmed.
    """

    slot: Name
    starts_left: int = TRIAL_STARTS
    period_s: float = TRIAL_S

    def __post_init__(self) -> None:
        UsageError.unless(
            # False for NaN too.
            0 <= self.period_s <= MAX_TRIAL_S,
            expected=f"a trial period of 0 to {MAX_TRIAL_S:g} s",
            got=self.period_s,
        )
        UsageError.unless(self.starts_left >= 0, expected="trial starts of at least 0", got=self.starts_left)


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a device's slots.

    Attributes:
        active: Slot of the confirmed bundle, or of the device's first one.
        slots: Content of each slot.
        trial: Trial of the bundle that runs instead of the active one; None without a trial.
        returned: Reason why the last trial ended without a confirmation; empty if it was confirmed.
    """

    active: Name
    slots: Mapping[str, Slot]
    trial: Probation | None = None
    returned: str = ""

    def __post_init__(self) -> None:
        named = {self.active, *((self.trial.slot,) if self.trial else ())}
        SlotsError.unless(
            named <= set(self.slots) <= set(get_args(Name)),
            expected="a state whose slots are a and b and include those that it names",
            got=sorted(self.slots),
        )


def read_state(path: Path) -> State:
    """Read a state file.

    Raises:
        OSError: The file is missing or cannot be read.
        SlotsError: It does not hold a state.
    """
    with path.open("rb") as handle:
        data = handle.read(_MAX_BYTES + 1)
    try:
        SlotsError.unless(len(data) <= _MAX_BYTES, expected=f"at most {_MAX_BYTES} bytes", got=len(data))
        return from_toml(State, json.loads(data), str(path))
    except (ValueError, RecursionError, EdgevidError) as error:
        raise SlotsError(expected=f"a state in {path}", found=f"an invalid one ({error})", path=path) from error


def state_bytes(state: State) -> bytes:
    """Return the content of a state file."""
    # `from_toml` knows no null, so None is left out.
    content = {name: value for name, value in to_json(state).items() if value is not None}
    return json.dumps(content, indent=1).encode()
