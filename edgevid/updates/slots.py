"""Two bundle slots on a device: a new bundle starts on trial and is rolled back if that fails.

A folder holds `a.edgevid`, `b.edgevid` and `state.json`. A new bundle is copied next to them and
checked there; then it is renamed into the free slot, and one rename of the state names it. From then
on, each start of the service uses up one of its trial starts, until it has delivered decisions for
the trial period (`confirm`). If no start is left, the active bundle runs again.

Whenever a process is killed or the power fails, the state names a bundle whose bytes are those that
were checked. A card that cannot be written, or a state that cannot be read, changes which bundle
runs, but never keeps a whole one from running.

Writes: none in service; one per start during a trial; three to activate a bundle; two to confirm
it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from edgevid import atomic
from edgevid.errors import SlotsError, UsageError
from edgevid.updates.recovery import PROVEN, STATE, read_or_rebuild, whole_slots
from edgevid.updates.state import OTHER, TRIAL_S, TRIAL_STARTS, Name, Probation, Slot, State, state_bytes
from edgevid.updates.stored import is_intact, sha256, slot_path

__all__ = ["OTHER", "TRIAL_S", "TRIAL_STARTS", "Name", "Probation", "Slot", "Slots", "Started", "State", "sha256"]
_INCOMING, _ACTIVATION = ".incoming.edgevid", ".activate.lock"


@dataclass(frozen=True, kw_only=True)
class Started:
    """The bundle that a start of the service runs.

    Attributes:
        path: File of the bundle.
        trial: Trial that this start belongs to; None without a trial.
        sha256: SHA-256 of a bundle on trial; empty without a trial.
        message: Notice for the journal; empty if nothing changed.
        unsaved: Reason why the state could not be written; empty if it was or had not to be.
    """

    path: Path
    trial: Probation | None = None
    sha256: str = ""
    message: str = ""
    unsaved: str = ""


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
        """Return the state; None if no bundle was ever activated."""
        return self.look()[0]

    def look(self) -> tuple[State | None, str]:
        """Return the state, and the reason if it was rebuilt because its file cannot be read."""
        return read_or_rebuild(self.folder)

    def path(self, slot: Name) -> Path:
        """Return the file of a slot."""
        return slot_path(self.folder, slot)

    def current(self) -> Path:
        """Return the bundle that the next start of the service runs, without any change.

        Returns:
            The first intact file of: the bundle on trial while it has starts left, the active one,
            the other one.

        Raises:
            SlotsError: No slot holds an intact bundle.
        """
        return self.path(self._choose(self.state()))

    def begin(self) -> Started:
        """Choose the bundle for a start of the service; count the start if it belongs to a trial.

        If the count cannot be written, the active bundle runs: a bundle on trial that crashes would
        otherwise be started for ever.

        Raises:
            SlotsError: No slot holds an intact bundle.
        """
        try:
            with self._locked():
                self._remove_leftover()
                return self._begin()
        except OSError as error:
            return self._without_writing(error)

    def _begin(self) -> Started:
        state, rebuilt = self.look()
        if state is None:
            raise self._nothing_in_service()
        following, notice = self._after_start(state)
        if rebuilt or following != state:
            # Save the count before anyone opens the bundle: one that crashes the process must use
            # up its starts too.
            self._save(following)
        return self._started(following, rebuilt, notice)

    def _without_writing(self, error: OSError) -> Started:
        state, rebuilt = self.look()
        reason = error.strerror or str(error)
        if state is None or (state.trial is None and not rebuilt):
            # Nothing had to be written. Another user's start may have no right to the lock.
            return self._started(state, rebuilt)
        notice = f"the state could not be written ({reason}), so no trial counts and the active bundle runs"
        started = self._started(dataclasses.replace(state, trial=None), rebuilt, notice)
        return dataclasses.replace(started, unsaved=reason)

    def _after_start(self, state: State) -> tuple[State, str]:
        """Return the state that a start of the service leaves, and a notice."""
        trial = state.trial
        if trial is None:
            return state, ""
        if trial.starts_left == 0:
            return _rolled_back(state, trial, "it did not stay up for its trial period in any of its starts")
        if not is_intact(self.folder, state, trial.slot):
            return _rolled_back(state, trial, "its file is not the one that was checked")
        trial = dataclasses.replace(trial, starts_left=trial.starts_left - 1)
        notice = f"on trial for {trial.period_s:g} s, {trial.starts_left} more starts"
        return dataclasses.replace(state, trial=trial), notice

    def _started(self, state: State | None, *notices: str) -> Started:
        """Return what runs in a state in which the trial, if there is one, includes this start."""
        said = [notice for notice in notices if notice]
        if state is not None and state.trial is not None:
            slot, trial = state.trial.slot, state.trial
            return Started(path=self.path(slot), trial=trial, sha256=state.slots[slot].sha256, message="; ".join(said))
        slot = self._choose(state)
        if state is not None and slot != state.active:
            said.append("the active bundle is damaged; the other one runs instead")
        return Started(path=self.path(slot), message="; ".join(said))

    def _choose(self, state: State | None) -> Name:
        """Return the slot to run."""
        if state is None:
            raise self._nothing_in_service()
        candidates = list(dict.fromkeys(_candidates(state)))
        for slot in candidates:
            if is_intact(self.folder, state, slot):
                return slot
        # The hashes in the state may be the damaged part.
        whole = whole_slots(self.folder)
        for slot in candidates:
            if slot in whole:
                return slot
        raise self._nothing_in_service()

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
        trial = Probation(slot="a", starts_left=starts, period_s=period_s)
        with self._only_activation():
            incoming = self._copy(bundle)
            try:
                placed = Slot(name=bundle.name, bytes=incoming.stat().st_size, sha256=sha256(incoming))
                # Without the lock: a check takes minutes, and a start of the service must not wait.
                self.check(incoming)
                with self._locked():
                    return self._place(incoming, placed, trial)
            except BaseException:
                # Ctrl-C included: a rejected bundle must not fill the card.
                incoming.unlink(missing_ok=True)
                raise

    def confirm(self, *, running: str = "") -> State:
        """Make the bundle on trial the active one; without a trial, change nothing.

        Args:
            running: SHA-256 of the bundle that has earned it. A trial of another bundle, which was
                activated since, goes on. Empty for any.

        Returns:
            The state.
        """
        with self._locked():
            state = self._existing_state()
            if state.trial is None or running not in ("", state.slots[state.trial.slot].sha256):
                return state
            # One write ends the trial and changes the active slot, so no cut can separate the two.
            return self._save_proven(dataclasses.replace(state, active=state.trial.slot, trial=None, returned=""))

    def rollback(self) -> State:
        """End the trial, or without one make the other slot's bundle the active one.

        Returns:
            The new state.

        Raises:
            SlotsError: The other slot holds no intact bundle.
        """
        with self._locked():
            state = self._existing_state()
            if state.trial is not None:
                return self._save(dataclasses.replace(state, trial=None, returned="rolled back by hand"))
            if not is_intact(self.folder, state, OTHER[state.active]):
                raise SlotsError(
                    expected=f"a bundle before this one in {self.folder}", found="no intact one", path=self.folder
                )
            return self._save_proven(dataclasses.replace(state, active=OTHER[state.active], returned=""))

    def _locked(self) -> AbstractContextManager[None]:
        if not self.folder.is_dir():
            raise self._nothing_in_service()
        return atomic.locked(self.folder)

    @contextlib.contextmanager
    def _only_activation(self) -> Iterator[None]:
        """Hold off other activations, but no start of the service."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(atomic.locked(self.folder, name=_ACTIVATION, wait=False))
            except BlockingIOError as error:
                raise SlotsError(
                    expected=f"one activation at a time in {self.folder}",
                    found="another one in progress",
                    hint="Try again when it has ended.",
                    path=self.folder,
                ) from error
            yield

    def _copy(self, bundle: Path) -> Path:
        try:
            # prepare() flushes the copy, so that the check and the hash are about bytes that
            # survive a power cut.
            return atomic.prepare(self.folder / _INCOMING, atomic.chunks_of(bundle))
        except OSError as error:
            raise SlotsError(
                expected=f"to copy {bundle.name} to {self.folder}", found=error.strerror or str(error), path=self.folder
            ) from error

    def _place(self, incoming: Path, placed: Slot, trial: Probation) -> State:
        """Rename a checked copy into the free slot, and put it on trial."""
        if sha256(incoming) != placed.sha256:
            raise SlotsError(expected=f"{placed.name} unchanged since its check", found="other bytes", path=incoming)
        # The order of the three writes keeps the device bootable: first no trial names the free
        # slot, then the slot is replaced, then a state names it. A cut between any two leaves
        # the active bundle in service.
        state = self._end_trial("another bundle was activated")
        slot: Name = "a" if state is None else OTHER[state.active]
        # put() flushes the rename: the state, which is written next, must not reach the card
        # before the file.
        atomic.put(incoming, self.path(slot))
        if state is None:
            return self._save_proven(State(active=slot, slots={slot: placed}))
        trial = dataclasses.replace(trial, slot=slot)
        return self._save(dataclasses.replace(state, slots={**state.slots, slot: placed}, trial=trial, returned=""))

    def _remove_leftover(self) -> None:
        """Remove the copy of an activation that was killed: it may be what fills the card."""
        leftover = self.folder / _INCOMING
        if not leftover.exists():
            return
        with contextlib.suppress(OSError), atomic.locked(self.folder, name=_ACTIVATION, wait=False):
            leftover.unlink(missing_ok=True)

    def _end_trial(self, reason: str) -> State | None:
        """Return the state without a trial; save it if it had one."""
        state = self.state()
        return self._save(dataclasses.replace(state, trial=None, returned=reason)) if state and state.trial else state

    def _existing_state(self) -> State:
        state = self.state()
        if state is None:
            raise self._nothing_in_service()
        return state

    def _nothing_in_service(self) -> SlotsError:
        return SlotsError(
            expected=f"a bundle in service in {self.folder}",
            found="no intact one" if self.folder.is_dir() else "no such folder",
            hint="Run: edgevid activate BUNDLE.",
            path=self.folder,
        )

    def _save(self, state: State) -> State:
        # atomic.write() flushes the data, renames, then flushes the folder: a reader sees the old
        # state or the new one.
        atomic.write(self.folder / STATE, [state_bytes(state)])
        return state

    def _save_proven(self, state: State) -> State:
        """Save a state with another active bundle, and its copy."""
        self._save(state)
        # The copy is an aid for a damaged card; without it, the state counts all the same.
        with contextlib.suppress(OSError):
            atomic.write(self.folder / PROVEN, [state_bytes(state)])
        return state


def _rolled_back(state: State, trial: Probation, reason: str) -> tuple[State, str]:
    failed = state.slots[trial.slot].name
    notice = f"{failed} was taken out of service: {reason}; the bundle before it runs again"
    return dataclasses.replace(state, trial=None, returned=f"{failed}: {reason}"), notice


def _candidates(state: State) -> Iterator[Name]:
    """Yield slots in the order in which they may run next."""
    # With no start left, the next start takes the bundle out of service.
    if state.trial and state.trial.starts_left:
        yield state.trial.slot
    yield state.active
    # The last resort for an active bundle that is damaged on the card.
    yield OTHER[state.active]
