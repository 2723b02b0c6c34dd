"""A thread that samples the board once a second, so that the loop never waits for it."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Self

from edgevid.board.history import BoardHistory
from edgevid.board.state import BoardState, read_state
from edgevid.board.throttling import NOW
from edgevid.telemetry.thread_faults import Turns

INTERVAL_S = 1.0
# `vcgencmd` is a process, by far the most expensive part of a sample: run it for every fifth one.
_SAMPLES_PER_PROCESS = 5


class BoardSampler:
    """The newest state of the board and its history during a run.

        with BoardSampler() as board:
            ...
            print(board.history.as_text())

    Args:
        root: Folder with `sys`, `proc` and `usr`.
        interval_s: Time between two samples.

    Attributes:
        history: All samples since `start`, which takes the first one itself.
    """

    def __init__(self, root: Path = Path("/"), *, interval_s: float = INTERVAL_S) -> None:
        self.history = BoardHistory()
        self._root = root
        self._interval_s = interval_s
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._samples = 0
        self._turns = Turns("board")

    @property
    def state(self) -> BoardState | None:
        """The newest sample, safe to read from any thread; None while samples fail."""
        return None if self._turns.problem else self.history.latest

    def facts(self) -> dict[str, float]:
        """Return the newest sample as plain numbers, for metrics and pages.

        Returns:
            `temperature_c`, `clock_mhz`, `fan_rpm`, `memory_available_mib`, and 0 or 1 for the
            current `under_voltage`, `capped`, `throttled` and `soft_limit`; without those that the
            board does not report.
        """
        state = self.state
        if state is None:
            return {}
        numbers = {
            name: getattr(state, name) for name in ("temperature_c", "clock_mhz", "fan_rpm", "memory_available_mib")
        }
        flags = {} if state.throttling is None else {name: float(name in state.throttling.now) for name in NOW}
        return {name: float(value) for name, value in numbers.items() if value is not None} | flags

    def sample(self) -> None:
        """Read the board now."""
        may_run_tool = self._samples % _SAMPLES_PER_PROCESS == 0
        self._samples += 1
        state = read_state(self._root, ask_firmware=may_run_tool)
        latest = self.history.latest
        # Between two runs of the tool its last reading stands, rather than the kernel's alarm,
        # which knows less.
        if not may_run_tool and latest and latest.throttling and latest.throttling.told_by == "vcgencmd":
            state = dataclasses.replace(state, throttling=latest.throttling)
        self.history.add(state)

    def start(self) -> None:
        """Sample once, then start the thread."""
        self._turns.attempt(self.sample)
        self._thread = threading.Thread(target=self._run, name="edgevid-board", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and take a last sample. May be called twice."""
        if self._thread is None:
            return
        self._done.set()
        self._thread.join()
        self._thread = None
        # Let the last sample run the tool, so that the summary ends with a fresh reading.
        self._samples = 0
        self._turns.attempt(self.sample)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop."""
        self.stop()

    def _run(self) -> None:
        while not self._done.wait(self._interval_s):
            self._turns.attempt(self.sample)
