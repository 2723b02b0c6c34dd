"""Looks at the board once a second from a thread of its own; the loop never waits for it."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Self

from edgevid.board.history import BoardHistory
from edgevid.board.state import BoardState, read_state
from edgevid.board.throttling import NOW

INTERVAL_S = 1.0
# Where throttling is told by a program only, running it is the dearest part of a look.
_LOOKS_PER_PROCESS = 5


class BoardSampler:
    """Keeps the newest state of the board, and the history of the run.

        with BoardSampler() as board:
            ...
            print(board.history.as_text())

    Args:
        root: Where `sys`, `proc` and `usr` lie.
        interval_s: Time between two looks.

    Attributes:
        history: Of all looks since the start; the first is taken at once.
    """

    def __init__(self, root: Path = Path("/"), *, interval_s: float = INTERVAL_S) -> None:
        self.history = BoardHistory()
        self._root = root
        self._interval_s = interval_s
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._looks = 0

    @property
    def state(self) -> BoardState | None:
        """The newest look; safe to read from any thread."""
        return self.history.latest

    def facts(self) -> dict[str, float]:
        """Give the newest look as plain numbers, for metrics and pages.

        Returns:
            `temperature_c`, `clock_mhz`, `fan_rpm`, `memory_available_mib`, and 0 or 1 for `under_voltage`, `capped`, `throttled`, `soft_limit`
            now; without those that the board does not tell.
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
        """Take a look now."""
        asked = self._looks % _LOOKS_PER_PROCESS == 0
        self._looks += 1
        state = read_state(self._root, ask_firmware=asked)
        latest = self.history.latest
        if not asked and latest and latest.throttling and latest.throttling.told_by == "vcgencmd":
            state = dataclasses.replace(state, throttling=latest.throttling)
        self.history.add(state)

    def start(self) -> None:
        """Look now, and from now on in a thread."""
        self.sample()
        self._thread = threading.Thread(target=self._run, name="edgevid-board", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look a last time and end the thread. May be called twice."""
        if self._thread is None:
            return
        self._done.set()
        self._thread.join()
        self._thread = None
        self._looks = 0
        self.sample()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop."""
        self.stop()

    def _run(self) -> None:
        while not self._done.wait(self._interval_s):
            self.sample()
