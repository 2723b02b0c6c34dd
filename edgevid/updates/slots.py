"""Two bundles on a device, of which one is in service: a new one goes live on trial, and the one before it comes back by itself.

A folder holds `a.edgevid`, `b.edgevid` and `state.json`. A new bundle goes into the slot that is not in service, is checked there, and is
named in the state in one rename. From then on each start of the service spends one of its trial starts, until it has given answers for
the trial period (`confirm`); when none is left, the bundle before it is in service again. Whatever is interrupted, and wherever, the
state names a bundle whose bytes are those that were checked.

Writes: none in service; one a start while a trial goes on; three when a bundle is activated and one when it is confirmed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgevid import atomic
from edgevid.errors import DeploymentError, SlotsError, UsageError
from edgevid.schema import from_toml, to_json

Name = Literal["a", "b"]
STATE = "state.json"
TRIAL_STARTS = 3
TRIAL_S = 120.0
_OTHER: Mapping[Name, Name] = {"a": "b", "b": "a"}


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What was checked before it was put into a slot.

    Attributes:
        name: The bundle's file name when it was activated.
        bytes: Its size.
        sha256: Of the file.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Probation:
    """A bundle that has not proven itself yet.

    Attributes:
        slot: Where it is.
        starts_left: Starts of the service that it still has.
        period_s: How long it must give answers.
    """

    slot: Name
    starts_left: int = TRIAL_STARTS
    period_s: float = TRIAL_S


@dataclass(frozen=True, kw_only=True)
class State:
    """Which bundle is in service.

    Attributes:
        active: The slot that has proven itself, or the first one.
        slots: What lies in each slot.
        trial: The bundle that runs in its place for now, if any.
        returned: Why the last trial ended without being confirmed; empty where it did not.
    """

    active: Name
    slots: Mapping[str, Slot]
    trial: Probation | None = None
    returned: str = ""


@dataclass(frozen=True, kw_only=True)
class Started:
    """What a start of the service runs.

    Attributes:
        path: The bundle.
        trial: The trial that this start is part of, if any.
        message: What changed by starting, for the journal; empty where nothing did.
    """

    path: Path
    trial: Probation | None = None
    message: str = ""


@dataclass(frozen=True)
class Slots:
    """The bundles of a device.

    Args:
        folder: Where they are kept; belongs to the service's user.
        check: Called with the path of a new bundle; raises where it must not go live.
    """

    folder: Path
    check: Callable[[Path], None] = field(default=lambda path: None)

    def state(self) -> State | None:
        """Read which bundle is in service.

        Returns:
            The state; None where no bundle was ever activated.

        Raises:
            SlotsError: The state cannot be read.
        """
        path = self.folder / STATE
        try:
            return from_toml(State, json.loads(path.read_bytes()), str(path))
        except FileNotFoundError:
            return None
        except (ValueError, DeploymentError) as error:
            raise SlotsError(
                expected=f"the state of a device in {path}",
                found=f"something else ({error})",
                hint="Remove it and activate a bundle.",
                path=path,
            ) from error

    def path(self, slot: Name) -> Path:
        """Give the file of a slot."""
        return self.folder / f"{slot}.edgevid"

    def current(self) -> Path:
        """Find the bundle in service, and change nothing.

        Returns:
            The one on trial, or else the active one, or else the other one that is whole.

        Raises:
            SlotsError: There is none.
        """
        state = self.state()
        order = (
            []
            if state is None
            else [
                *([state.trial.slot] if state.trial and state.trial.starts_left else []),
                state.active,
                _OTHER[state.active],
            ]
        )
        for slot in order:
            if self._is_whole(state, slot):
                return self.path(slot)
        raise SlotsError(
            expected=f"a bundle in service in {self.folder}",
            found="none that is whole",
            hint="Run: edgevid activate BUNDLE",
            path=self.folder,
        )

    def begin(self) -> Started:
        """Choose the bundle for a start of the service, and count the start where it is on trial.

        Returns:
            What to run.

        Raises:
            SlotsError: There is none.
        """
        with atomic.locked(self.folder):
            state = self.state()
            if state is None or state.trial is None:
                return Started(path=self.current(), message=self._notice(state))
            trial = state.trial
            if trial.starts_left == 0:
                return self._back(state, "it did not stay up for its trial period in any of its starts")
            if not self._is_whole(state, trial.slot):
                return self._back(state, "its file is not the one that was checked")
            trial = dataclasses.replace(trial, starts_left=trial.starts_left - 1)
            self._save(dataclasses.replace(state, trial=trial))
            return Started(
                path=self.path(trial.slot),
                trial=trial,
                message=f"on trial for {trial.period_s:g} s, {trial.starts_left} more starts",
            )

    def activate(self, bundle: Path, *, starts: int = TRIAL_STARTS, period_s: float = TRIAL_S) -> State:
        """Put a bundle into the free slot, check it there, and let it go live on trial at the next start of the service.

        The first bundle of a device is active at once: there is none to come back to.

        Args:
            bundle: The file; copied.
            starts: Starts that it has to prove itself.
            period_s: How long it must give answers to be confirmed.

        Returns:
            The new state.

        Raises:
            UsageError: There is no such file or folder.
            EdgevidError: What `check` raises; the bundle in service stays.
        """
        if not (bundle.is_file() and self.folder.is_dir()):
            missing = bundle if not bundle.is_file() else self.folder
            raise UsageError(
                expected="a bundle and the folder of a device", found=f"nothing at {missing}", path=missing
            )
        with atomic.locked(self.folder):
            state = self._end_trial("another bundle was activated")
            slot: Name = "a" if state is None else _OTHER[state.active]
            placed = self._place(bundle, slot)
            if state is None:
                return self._save(State(active=slot, slots={slot: placed}))
            trial = Probation(slot=slot, starts_left=starts, period_s=period_s)
            return self._save(dataclasses.replace(state, slots={**state.slots, slot: placed}, trial=trial, returned=""))

    def confirm(self) -> State:
        """Make the bundle on trial the active one; where there is none, nothing changes.

        Returns:
            The state.
        """
        with atomic.locked(self.folder):
            state = self._known()
            return (
                state
                if state.trial is None
                else self._save(dataclasses.replace(state, active=state.trial.slot, trial=None, returned=""))
            )

    def rollback(self) -> State:
        """Go back: end the trial, or without one make the other slot's bundle the active one.

        Returns:
            The state.

        Raises:
            SlotsError: There is no bundle to go back to.
        """
        with atomic.locked(self.folder):
            state = self._known()
            if state.trial is not None:
                return self._save(dataclasses.replace(state, trial=None, returned="rolled back by hand"))
            if not self._is_whole(state, _OTHER[state.active]):
                raise SlotsError(
                    expected=f"a bundle before this one in {self.folder}", found="none that is whole", path=self.folder
                )
            return self._save(dataclasses.replace(state, active=_OTHER[state.active], returned=""))

    def _place(self, bundle: Path, slot: Name) -> Slot:
        """Copy a bundle to the card, check the copy, and rename it into its slot."""
        beside = atomic.prepare(self.folder / ".incoming.edgevid", atomic.chunks_of(bundle))
        try:
            self.check(beside)
            placed = Slot(name=bundle.name, bytes=beside.stat().st_size, sha256=sha256(beside))
            atomic.put(beside, self.path(slot))
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        return placed

    def _back(self, state: State, reason: str) -> Started:
        assert state.trial is not None
        failed = state.slots[state.trial.slot].name
        self._save(dataclasses.replace(state, trial=None, returned=f"{failed}: {reason}"))
        return Started(
            path=self.current(), message=f"{failed} is taken out of service: {reason}; the bundle before it is back"
        )

    def _end_trial(self, reason: str) -> State | None:
        """The free slot is about to be overwritten: nothing may name it."""
        state = self.state()
        return self._save(dataclasses.replace(state, trial=None, returned=reason)) if state and state.trial else state

    def _notice(self, state: State | None) -> str:
        damaged = state is not None and not self._is_whole(state, state.active)
        return "the active bundle is damaged, the other one runs in its place" if damaged else ""

    def _is_whole(self, state: State | None, slot: Name) -> bool:
        listed, path = state.slots.get(slot) if state else None, self.path(slot)
        return (
            listed is not None
            and path.is_file()
            and path.stat().st_size == listed.bytes
            and sha256(path) == listed.sha256
        )

    def _known(self) -> State:
        state = self.state()
        if state is None:
            raise SlotsError(
                expected=f"a device with a bundle in {self.folder}",
                found="none",
                hint="Run: edgevid activate BUNDLE",
                path=self.folder,
            )
        return state

    def _save(self, state: State) -> State:
        content = {name: value for name, value in to_json(state).items() if value is not None}
        atomic.write(self.folder / STATE, [json.dumps(content, indent=1).encode()])
        return state


def sha256(path: Path) -> str:
    """Work out the SHA-256 of a file.

    Args:
        path: The file.

    Returns:
        In hexadecimal.
    """
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
