"""The supervisor: a thread that checks the loop once a second.

- A frame in progress for too long means that an interpreter, a delegate's driver or a tap hangs in
  a call that Python cannot interrupt. The supervisor delivers what is known and exits with
  `STUCK_EXIT_CODE`, so that systemd restarts the service.
- If the loop is late or the board is throttled, the pace drops, and recovers later
  (`edgevid.supervision.pace`).
- systemd gets READY=1 after the first frame, WATCHDOG=1 only after progress, and a STATUS line.
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
from edgevid.telemetry.thread_faults import Turns
from edgevid.units import NS_PER_S

# EX_TEMPFAIL of sysexits.h: a temporary failure, try again. The command line itself uses 0 to 3.
STUCK_EXIT_CODE = 75
# Together with one tick and the time to detect it, a hang ends the process within 10 s.
STUCK_S, TICK_S = 8.0, 1.0
# The first frames may build caches, and nothing is known yet about the model's speed. Allow them a
# minute if the loop is using CPU (a slow model); a call blocked in a driver uses none and gets the
# normal limit.
_FIRST_FRAMES, _FIRST_STUCK_S = 3, 60.0
# Later frames may take ten times as long as the slowest so far: the machine may be busy or swap.
_SLOWEST_TIMES = 10
# Share of CPU time above which the loop counts as computing. Low, because other programs may
# compete for the core; a driver that merely polls uses less.
_COMPUTING_SHARE = 0.05
# The loop's thread is asked for its CPU time only after this long in one frame.
_CPU_CHECK_AFTER_S = 1.0
# Delivering events and closing outputs may hang as well; the process exits after this time anyway.
_LEAVE_S = 5.0
# If even this thread cannot run, for example because a driver hangs while it holds the GIL,
# faulthandler's C thread ends the process. Well above STUCK_S, which leaves time for the orderly
# way out.
_LAST_RESORT_S = 30.0
_STATUS_TICKS = 5
_STDERR = 2  # the descriptor: works even if sys.stderr is closed or replaced
_log = logging.getLogger(__name__)


def leave() -> NoReturn:
    """End the process at once."""
    # An orderly exit would wait for the thread that hangs.
    os._exit(STUCK_EXIT_CODE)


class SupervisedLane(Protocol):
    """One model's lane, as far as the supervisor uses it; `edgevid.lane.Lane` is one."""

    @property
    def telemetry(self) -> Telemetry:
        """Latency and counts so far."""
        ...

    @property
    def sampler(self) -> IntervalSampler:
        """The lane's sampler."""
        ...


class Supervised(Protocol):
    """The loop, as far as the supervisor uses it; `edgevid.pipeline.Pipeline` is one."""

    @property
    def pulse(self) -> Pulse:
        """The loop's pulse."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the source is open, as far as is known."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """Telemetry of the first model."""
        ...

    @property
    def lanes(self) -> Sequence[SupervisedLane]:
        """One lane per model."""
        ...

    def keep_pace(self, level: int) -> None:
        """Change the pace from the next frame on."""
        ...

    def close(self) -> None:
        """End the open events and close the outputs; called from another thread."""
        ...


class Supervisor:
    """Supervises a pipeline while it runs.

        with Supervisor(pipeline, board=board):
            pipeline.run()

    Args:
        pipeline: The pipeline that is about to run.
        board: Reports throttling; None to ignore the board.
        notifier: Connection to systemd.
        pacer: Chooses the pace; None to keep full pace, as for a file, which waits.
        stuck_s: Limit for one frame, in seconds. Raised to ten times the slowest frame so far, and
            to a minute for the first frames while they use CPU.
        tick_s: Time between two checks, in seconds.
        leave: Ends the process when a frame hangs; None for a process that edgevid does not own.
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
        # An empty environment makes a notifier that does nothing.
        self._notifier = notifier or Notifier({})
        self._stuck_s = stuck_s
        self._tick_s = tick_s
        self._leave = leave
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgevid-supervisor", daemon=True)
        # Counters at the last tick.
        self._frames = 0
        self._busy_ns = 0
        self._taken = 0
        self._ticks = 0
        self._cpu_use = _CpuUse()

    def tick(self, now_ns: int) -> None:
        """Check the loop once.

        Args:
            now_ns: Monotonic time.
        """
        pulse = self._pipeline.pulse
        stuck_s = pulse.stuck_s(now_ns)
        is_computing = self._cpu_use.is_computing(pulse, now_ns)
        if self._leave is not None and stuck_s > self._limit_s(is_computing=is_computing):
            self._abort(stuck_s, self._leave)
            return
        progress, self._frames = pulse.frames - self._frames, pulse.frames
        # Equal only at the first progress, so READY=1 is sent once.
        if progress and self._frames == progress:
            self._notifier.ready()
        # A camera that is being reopened counts as progress: a restarted process could do no more.
        if progress or not self._pipeline.connected:
            self._notifier.alive()
        self._keep_pace(now_ns)
        if self._ticks % _STATUS_TICKS == 0:
            self._notifier.status(self.status())
        self._ticks += 1

    def status(self) -> str:
        """Return rates, age, temperature and pace in one line."""
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
        if telemetry.unsaved:
            parts.append(f"the folder of bundles cannot be written: {telemetry.unsaved}")
        if not self._pipeline.connected:
            parts.append("lost the camera, opening it again")
        return ", ".join(parts)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop the thread and notify systemd."""
        self._done.set()
        self._thread.join()
        self._notifier.stopping()

    def _run(self) -> None:
        turns = Turns("supervisor")
        try:
            while not self._done.wait(self._tick_s):
                if self._leave is not None:
                    # Restart the C timer with every tick: it fires only if ticks stop.
                    faulthandler.dump_traceback_later(_LAST_RESORT_S, exit=True, file=_STDERR)
                turns.attempt(lambda: self.tick(monotonic_ns()))
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _limit_s(self, *, is_computing: bool) -> float:
        if self._pipeline.pulse.frames < _FIRST_FRAMES and is_computing:
            return max(self._stuck_s, _FIRST_STUCK_S)
        slowest_s = max(lane.telemetry.total.max_ns for lane in self._pipeline.lanes) / NS_PER_S
        return max(self._stuck_s, _SLOWEST_TIMES * slowest_s)

    def _abort(self, stuck_s: float, leave: Callable[[], object]) -> None:
        """Dump where the loop hangs, deliver open events, close the outputs and leave."""
        _log.error(
            "A frame has been in progress for %.0f s: an interpreter, a driver or an output hangs. Exiting with %d.",
            stuck_s,
            STUCK_EXIT_CODE,
        )
        faulthandler.dump_traceback(file=_STDERR)
        # Armed before anything below can hang.
        timer = threading.Timer(_LEAVE_S, leave)
        timer.daemon = True
        timer.start()
        self._notifier.status("a frame hangs, exiting to be restarted")
        self._pipeline.close()
        timer.cancel()
        leave()

    def _keep_pace(self, now_ns: int) -> None:
        if self.pacer is None:
            return
        state = self._board.state if self._board else None
        throttled = bool(state and state.throttling and state.throttling.is_slowed_by_heat)
        change = self.pacer.update(now_ns / NS_PER_S, demand=self._demand(), throttled=throttled)
        if change is not None:
            self._report(change)
            self._pipeline.keep_pace(change.level)

    def _demand(self) -> float | None:
        """Return the demand since the last tick; None without frames."""
        pipeline = self._pipeline
        # Relate the work of all models to the one that samples most often: it is late first.
        lane = min(pipeline.lanes, key=lambda lane: lane.sampler.interval_ns)
        busy_ns, taken = pipeline.pulse.busy_ns, lane.telemetry.taken
        spent_ns, self._busy_ns = busy_ns - self._busy_ns, busy_ns
        frames, self._taken = taken - self._taken, taken
        return spent_ns / frames / lane.sampler.interval_ns if frames > 0 else None

    def _report(self, change: Change) -> None:
        _log.warning("%s", change)
        self._notifier.status(str(change))


class _CpuUse:
    """CPU use of the current frame: a slow model computes, a call blocked in a driver does not."""

    def __init__(self) -> None:
        self._frame_ns = self._since_ns = 0
        self._used_ns: int | None = None

    def is_computing(self, pulse: Pulse, now_ns: int) -> bool:
        """Return whether the loop computes, since the first tick in this frame; True if unknown."""
        # A short frame needs no answer, and reading the thread's clock is safe only while the loop
        # is inside a frame.
        if pulse.stuck_s(now_ns) < _CPU_CHECK_AFTER_S:
            return True
        used_ns = pulse.processor_ns()
        if pulse.began_ns != self._frame_ns:
            self._frame_ns, self._since_ns, self._used_ns = pulse.began_ns, now_ns, used_ns
        if used_ns is None or self._used_ns is None or now_ns == self._since_ns:
            return True
        return used_ns - self._used_ns > _COMPUTING_SHARE * (now_ns - self._since_ns)
