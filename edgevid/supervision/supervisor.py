"""Watches the loop once a second, from a thread of its own: that it lives, that it keeps up, and that systemd knows.

- A frame that is in hand for too long means an interpreter, a delegate's driver or a tap that hangs, in a call that Python cannot interrupt.
  Of the first frames, which may build caches, one that uses the processor all the while has more time. What is known is given out, and the
  process ends with `STUCK_EXIT_CODE`, to be started again by whoever started it.
- Where the loop is late, or the board throttled, the pace goes down by `edgevid.supervision.pace`, and up again.
- systemd gets READY=1 after the first frame, WATCHDOG=1 only where frames went through since the last one, and a STATUS line.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import NoReturn, Protocol, Self

from edgevid.board import BoardSampler
from edgevid.frames.sampling import IntervalSampler
from edgevid.supervision.pace import Change, Pacer
from edgevid.supervision.pulse import Pulse
from edgevid.supervision.systemd import Notifier
from edgevid.telemetry.telemetry import Telemetry

# 75 is EX_TEMPFAIL of sysexits.h: the failure is a passing one, try again. The command line's own codes are 0 to 3.
STUCK_EXIT_CODE = 75
# Found within 10 s: this, a tick, and the time to see it.
STUCK_S, TICK_S = 8.0, 1.0
# A slow model is no dead one. Before it is known how slow it is, whoever computes has more time: a call that hangs in a driver does not.
_FIRST_FRAMES, _FIRST_STUCK_S, _SLOWEST_TIMES = 3, 60.0, 10
# Share of the processor above which the loop computes; others may want the core as well, and one that only looks now and then takes less.
_COMPUTES = 0.05
_LEAVE_S = 5.0
# Whatever keeps even this thread from running, such as a driver that hangs while it holds the interpreter's lock, is ended from C.
_LAST_RESORT_S = 30.0
_STATUS_TICKS = 5
_NS_PER_S = 1e9
_STDERR = 2  # the descriptor, which a closed or replaced sys.stderr does not change
_log = logging.getLogger(__name__)


def leave() -> NoReturn:
    """End the process at once: a thread that hangs would keep it from ending by itself."""
    os._exit(STUCK_EXIT_CODE)


class SupervisedLane(Protocol):
    """What the supervisor asks of one model's way through the stream; `edgevid.lane.Lane` is one."""

    @property
    def telemetry(self) -> Telemetry:
        """Latency and counts so far."""
        ...

    @property
    def sampler(self) -> IntervalSampler:
        """Picks its frames."""
        ...


class Supervised(Protocol):
    """What the supervisor asks of the loop; `edgevid.pipeline.Pipeline` is one."""

    @property
    def pulse(self) -> Pulse:
        """Its signs of life."""
        ...

    @property
    def connected(self) -> bool:
        """Whether its source is open, as far as is known."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """Of its first model."""
        ...

    @property
    def lanes(self) -> Sequence[SupervisedLane]:
        """Its models."""
        ...

    def keep_pace(self, level: int) -> None:
        """Change the pace from the next frame on."""
        ...

    def close(self) -> None:
        """End the open events and close the outputs, from another thread."""
        ...


class Supervisor:
    """Looks after a pipeline while it runs.

        with Supervisor(pipeline, board=board):
            pipeline.run()

    Args:
        pipeline: About to run.
        board: Tells of throttling; None where nobody asks the board.
        notifier: The way to systemd.
        pacer: Decides what to give up; None to give up nothing, as for a file, which waits.
        stuck_s: Longest time for one frame, in seconds; ten times the slowest so far where that is longer, and a minute for the first ones while
            they keep the processor busy.
        tick_s: Time between two looks, in seconds.
        leave: Ends the process where a frame hangs; None to leave a process alone that is not ours.

    Attributes:
        pacer: See above.
    """

    def __init__(
        self,
        pipeline: Supervised,
        *,
        board: BoardSampler | None = None,
        notifier: Notifier | None = None,
        pacer: Pacer | None = None,
        stuck_s: float = STUCK_S,
        tick_s: float = TICK_S,
        leave: Callable[[], object] | None = leave,
    ) -> None:
        self.pacer = pacer
        self._pipeline = pipeline
        self._board = board
        self._notifier = notifier or Notifier({})
        self._stuck_s = stuck_s
        self._tick_s = tick_s
        self._leave = leave
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgevid-supervisor", daemon=True)
        self._frames = 0
        self._busy_ns = 0
        self._taken = 0
        self._ticks = 0
        self._effort = _Effort()

    def tick(self, now_ns: int) -> None:
        """Look once.

        Args:
            now_ns: Monotonic time.
        """
        pulse = self._pipeline.pulse
        stuck_s = pulse.stuck_s(now_ns)
        computes = self._effort.goes_on(pulse, now_ns)
        if self._leave is not None and stuck_s > self._longest_s(computes=computes):
            self._give_up(stuck_s, self._leave)
            return
        progress, self._frames = pulse.frames - self._frames, pulse.frames
        if progress and self._frames == progress:
            self._notifier.ready()
        # A camera that is being opened again, with pauses, is at work; a new process would do no more.
        if progress or not self._pipeline.connected:
            self._notifier.alive()
        self._keep_pace(now_ns)
        if self._ticks % _STATUS_TICKS == 0:
            self._notifier.status(self.status())
        self._ticks += 1

    def status(self) -> str:
        """Say in one line how it goes.

        Returns:
            Rates, age, heat, pace.
        """
        telemetry = self._pipeline.telemetry
        parts = [
            f"{telemetry.fps['source']:.1f} frames a second, {telemetry.decisions} decisions, {telemetry.events} events"
        ]
        parts.append(f"age p99 {telemetry.age.latency().p99_ms:.0f} ms")
        state = self._board.state if self._board else None
        if state and state.temperature_c is not None:
            parts.append(f"{state.temperature_c:.0f} °C")
        if telemetry.pace_level:
            parts.append(f"pace level {telemetry.pace_level}")
        if not self._pipeline.connected:
            parts.append("the camera is gone, opening it again")
        return ", ".join(parts)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End, and tell systemd that the service ends."""
        self._done.set()
        self._thread.join()
        self._notifier.stopping()

    def _run(self) -> None:
        try:
            while not self._done.wait(self._tick_s):
                if self._leave is not None:
                    faulthandler.dump_traceback_later(_LAST_RESORT_S, exit=True, file=_STDERR)
                self.tick(monotonic_ns())
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _longest_s(self, *, computes: bool) -> float:
        if self._pipeline.pulse.frames < _FIRST_FRAMES and computes:
            return max(self._stuck_s, _FIRST_STUCK_S)
        slowest_s = max(lane.telemetry.total.max_ns for lane in self._pipeline.lanes) / _NS_PER_S
        return max(self._stuck_s, _SLOWEST_TIMES * slowest_s)

    def _give_up(self, stuck_s: float, leave: Callable[[], object]) -> None:
        """Say where it hangs, give out what is known, and leave; if even that hangs, leave all the same."""
        _log.error(
            "A frame has been in hand for %.0f s: an interpreter, a driver or an output hangs. Leaving with %d.",
            stuck_s,
            STUCK_EXIT_CODE,
        )
        faulthandler.dump_traceback(file=_STDERR)
        timer = threading.Timer(_LEAVE_S, leave)
        timer.daemon = True
        timer.start()
        self._notifier.status("a frame hangs, leaving to be started again")
        self._pipeline.close()
        timer.cancel()
        leave()

    def _keep_pace(self, now_ns: int) -> None:
        if self.pacer is None:
            return
        state = self._board.state if self._board else None
        throttled = bool(state and state.throttling and state.throttling.is_slowed_by_heat)
        change = self.pacer.update(now_ns / _NS_PER_S, demand=self._demand(), throttled=throttled)
        if change is not None:
            self._tell(change)
            self._pipeline.keep_pace(change.level)

    def _demand(self) -> float | None:
        """Work for a frame over the time between two, since the last look: of the model that takes frames most often, all others' with it."""
        pipeline = self._pipeline
        lane = min(pipeline.lanes, key=lambda lane: lane.sampler.interval_ns)
        busy_ns, taken = pipeline.pulse.busy_ns, lane.telemetry.taken
        spent_ns, self._busy_ns = busy_ns - self._busy_ns, busy_ns
        frames, self._taken = taken - self._taken, taken
        return spent_ns / frames / lane.sampler.interval_ns if frames > 0 else None

    def _tell(self, change: Change) -> None:
        _log.warning("%s", change)
        self._notifier.status(str(change))


class _Effort:
    """Whether the frame in hand keeps the processor busy, from one look to the next: a slow model does, a call that hangs in a driver does not."""

    def __init__(self) -> None:
        self._frame_ns = self._since_ns = 0
        self._used_ns: int | None = None

    def goes_on(self, pulse: Pulse, now_ns: int) -> bool:
        """Say whether the loop computed since the first look at this frame; yes where that is not known."""
        if pulse.stuck_s(now_ns) < 1.0:  # nobody asks yet, and only the thread of a frame in hand is sure to be there
            return True
        used_ns = pulse.processor_ns()
        if pulse.began_ns != self._frame_ns:
            self._frame_ns, self._since_ns, self._used_ns = pulse.began_ns, now_ns, used_ns
        if used_ns is None or self._used_ns is None or now_ns == self._since_ns:
            return True
        return used_ns - self._used_ns > _COMPUTES * (now_ns - self._since_ns)
