"""Two bundle slots on a device: a new bundle starts on trial and is rolled back if that fails.

A folder holds `a.edgevid`, `b.edgevid` and `state.json`. A new bundle is copied into the free slot
and checked there; one rename of the state then names it. From then on, each start of the service
uses up one of its trial starts, until it has delivered decisions for the trial period (`confirm`).
If no start is left, the active bundle runs again.

Whenever a process is killed or the power fails, the state names a bundle whose bytes are those that
were checked.

Writes: none in service; one per start during a trial; three to activate a bundle; one to confirm
it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgevid import atomic
from edgevid.errors import DeploymentError, SlotsError, UsageError
from edgevid.schema import from_toml, to_json

Name = Literal["a", "b"]
STATE = "state.json"
# More than one start, so that a reboot or a power cut during the trial does not reject a good
# bundle.
TRIAL_STARTS = 3
TRIAL_S = 120.0
_OTHER: Mapping[Name, Name] = {"a": "b", "b": "a"}


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


@dataclass(frozen=True, kw_only=True)
class Started:
    """The bundle that a start of the service runs.

    Attributes:
        path: File of the bundle.
        trial: Trial that this start belongs to; None without a trial.
        message: Notice for the journal; empty if nothing changed.
    """

    path: Path
    trial: Probation | None = None
    message: str = ""


@dataclass(frozen=True)
class Slots:
    """The bundle slots of a device.

    Args:
        folder: Folder of the slots; belongs to the service's user.
        check: Called with the path of a new bundle; raises if it must not go live.
    """

    folder: Path
    check: Callable[[Path], None] = field(default=lambda path: None)

    def state(self) -> State | None:
        """Read the state.

        Returns:
            The state; None if no bundle was ever activated.

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
                expected=f"a valid state in {path}",
                found=f"an invalid one ({error})",
                hint="Remove it and activate a bundle.",
                path=path,
            ) from error

    def path(self, slot: Name) -> Path:
        """Return the file of a slot."""
        return self.folder / f"{slot}.edgevid"

    def current(self) -> Path:
        """Return the bundle in service, without any change.

        Returns:
            The first intact file of: the bundle on trial, the active one, the other one.

        Raises:
            SlotsError: No slot holds an intact bundle.
        """
        state = self.state()
        for slot in _candidates(state):
            if self._is_intact(state, slot):
                return self.path(slot)
        raise SlotsError(
            expected=f"a bundle in service in {self.folder}",
            found="no intact one",
            hint="Run: edgevid activate BUNDLE.",
            path=self.folder,
        )

    def begin(self) -> Started:
        """Choose the bundle for a start of the service; count the start if it belongs to a trial.

        Raises:
            SlotsError: No slot holds an intact bundle.
        """
        with atomic.locked(self.folder):
            state = self.state()
            if state is None or state.trial is None:
                return Started(path=self.current(), message=self._notice(state))
            trial = state.trial
            if trial.starts_left == 0:
                return self._roll_back(state, "it did not stay up for its trial period in any of its starts")
            if not self._is_intact(state, trial.slot):
                return self._roll_back(state, "its file is not the one that was checked")
            # Save the count before anyone opens the bundle: one that crashes the process must use
            # up its starts too.
            trial = dataclasses.replace(trial, starts_left=trial.starts_left - 1)
            self._save(dataclasses.replace(state, trial=trial))
            return Started(
                path=self.path(trial.slot),
                trial=trial,
                message=f"on trial for {trial.period_s:g} s, {trial.starts_left} more starts",
            )

    def activate(self, bundle: Path, *, starts: int = TRIAL_STARTS, period_s: float = TRIAL_S) -> State:
        """Copy a bundle into the free slot, check it, and put it on trial.

        The trial begins with the next start of the service. A device's first bundle is active at
        once, as there is none to roll back to.

        Args:
            bundle: The file to copy.
            starts: Starts of the service in which it can be confirmed.
            period_s: How long it must deliver decisions to be confirmed.

        Returns:
            The new state.

        Raises:
            UsageError: The file or the folder does not exist.
            EdgevidError: `check` rejected the bundle; the bundle in service stays.
        """
        if not (bundle.is_file() and self.folder.is_dir()):
            missing = bundle if not bundle.is_file() else self.folder
            raise UsageError(
                expected="a bundle and the folder of a device's slots", found=f"nothing at {missing}", path=missing
            )
        with atomic.locked(self.folder):
            # The order of the three writes keeps the device bootable: first no trial names the free
            # slot, then the slot is replaced, then a state names it. A cut between any two leaves
            # the active bundle in service.
            state = self._end_trial("another bundle was activated")
            slot: Name = "a" if state is None else _OTHER[state.active]
            placed = self._place(bundle, slot)
            if state is None:
                return self._save(State(active=slot, slots={slot: placed}))
            trial = Probation(slot=slot, starts_left=starts, period_s=period_s)
            return self._save(dataclasses.replace(state, slots={**state.slots, slot: placed}, trial=trial, returned=""))

    def confirm(self) -> State:
        """Make the bundle on trial the active one; without a trial, change nothing.

        Returns:
            The state.
        """
        with atomic.locked(self.folder):
            state = self._existing_state()
            if state.trial is None:
                return state
            # One write ends the trial and changes the active slot, so no cut can separate the two.
            return self._save(dataclasses.replace(state, active=state.trial.slot, trial=None, returned=""))

    def rollback(self) -> State:
        """End the trial, or without one make the other slot's bundle the active one.

        Returns:
            The new state.

        Raises:
            SlotsError: The other slot holds no intact bundle.
        """
        with atomic.locked(self.folder):
            state = self._existing_state()
            if state.trial is not None:
                return self._save(dataclasses.replace(state, trial=None, returned="rolled back by hand"))
            if not self._is_intact(state, _OTHER[state.active]):
                raise SlotsError(
                    expected=f"a bundle before this one in {self.folder}", found="no intact one", path=self.folder
                )
            return self._save(dataclasses.replace(state, active=_OTHER[state.active], returned=""))

    def _place(self, bundle: Path, slot: Name) -> Slot:
        """Copy a bundle next to the slots, check the copy, and rename it into its slot."""
        # prepare() flushes the copy, so that the check and the hash are about bytes that survive a
        # power cut.
        incoming = atomic.prepare(self.folder / ".incoming.edgevid", atomic.chunks_of(bundle))
        try:
            self.check(incoming)
            placed = Slot(name=bundle.name, bytes=incoming.stat().st_size, sha256=sha256(incoming))
            # put() flushes the rename: the state, which is written next, must not reach the card
            # before the file.
            atomic.put(incoming, self.path(slot))
        except BaseException:
            # Ctrl-C included: a rejected bundle must not fill the card.
            incoming.unlink(missing_ok=True)
            raise
        return placed

    def _roll_back(self, state: State, reason: str) -> Started:
        assert state.trial is not None
        failed = state.slots[state.trial.slot].name
        # Save first: current() reads the state from the disk.
        self._save(dataclasses.replace(state, trial=None, returned=f"{failed}: {reason}"))
        return Started(
            path=self.current(), message=f"{failed} was taken out of service: {reason}; the bundle before it runs again"
        )

    def _end_trial(self, reason: str) -> State | None:
        """Return the state without a trial; save it if it had one."""
        state = self.state()
        return self._save(dataclasses.replace(state, trial=None, returned=reason)) if state and state.trial else state

    def _notice(self, state: State | None) -> str:
        is_damaged = state is not None and not self._is_intact(state, state.active)
        return "the active bundle is damaged; the other one runs instead" if is_damaged else ""

    def _is_intact(self, state: State | None, slot: Name) -> bool:
        listed, path = state.slots.get(slot) if state else None, self.path(slot)
        return (
            listed is not None
            and path.is_file()
            # The size is free, and saves hashing a truncated file.
            and path.stat().st_size == listed.bytes
            and sha256(path) == listed.sha256
        )

    def _existing_state(self) -> State:
        state = self.state()
        if state is None:
            raise SlotsError(
                expected=f"a device with a bundle in {self.folder}",
                found="none",
                hint="Run: edgevid activate BUNDLE.",
                path=self.folder,
            )
        return state

    def _save(self, state: State) -> State:
        # `from_toml` knows no null, so None is left out.
        content = {name: value for name, value in to_json(state).items() if value is not None}
        # atomic.write() flushes the data, renames, then flushes the folder: a reader sees the old
        # state or the new one.
        atomic.write(self.folder / STATE, [json.dumps(content, indent=1).encode()])
        return state


def _candidates(state: State | None) -> Iterator[Name]:
    """Yield slots in the order in which they may be in service."""
    if state is None:
        return
    if state.trial and state.trial.starts_left:
        yield state.trial.slot
    yield state.active
    # The last resort for an active bundle that is damaged on the card.
    yield _OTHER[state.active]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
