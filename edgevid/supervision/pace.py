"""The pace: what a device gives up when it is late or too hot, and when it recovers.

| level | decision after | frames are sampled | lost |
|---|---|---|---|
| 0 | each sampled frame | at the training interval | nothing |
| 1 | every second one | at the training interval | half of the decisions; the others are exactly the model's |
| 2 | every second one | at twice the interval | windows are twice as long as in training; the messages say so |
| 3 | every second one | at four times the interval | the same, four times |

The stride grows before the rate drops: the first loses decisions, the second changes their meaning.
A head that keeps a state must run for every sampled frame, so level 1 saves nothing for it. `paces`
leaves that level out if all models of a run are of this kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Cause = Literal["late", "hot", "recovered", "exhausted"]
# Assumed cost ratio of a level to the one below it until the pacer has measured it: halving the
# work is the most that a step of the table saves, so the guess never recovers too early.
_UNKNOWN_SAVING = 2.0
# Bounds of the measured ratio: a step down cannot cost more than before, and an outlier must not
# block recovery.
_LEAST_SAVING, _MOST_SAVING = 1.0, 4.0


@dataclass(frozen=True, slots=True)
class Pace:
    """One level of the table.

    Attributes:
        stride: Sampled frames per decision.
        slowdown: Sampling interval as a multiple of the training interval.
    """

    stride: int
    slowdown: int


LEVELS = (Pace(1, 1), Pace(2, 1), Pace(2, 2), Pace(2, 4))


def paces(*, keeps_state: bool) -> dict[int, Pace]:
    """Return the levels that save work in a run.

    Args:
        keeps_state: Whether every model of the run keeps a state, so that none can skip work for a
            frame without a decision.

    Returns:
        Level (index into `LEVELS`) to its pace in this run, from level 0 up. With a state, every
        sampled frame is answered, and only levels with a lower rate than the one before are left.
    """
    if not keeps_state:
        return dict(enumerate(LEVELS))
    slower = [level for level, pace in enumerate(LEVELS) if level and pace.slowdown > LEVELS[level - 1].slowdown]
    return {level: Pace(1, LEVELS[level].slowdown) for level in (0, *slower)}


@dataclass(frozen=True, kw_only=True)
class PacePolicy:
    """Thresholds of the state machine.

    Demand is the work for a frame over the time between two due frames.

    Attributes:
        late_demand: Demand above which the device is late.
        calm_demand: Demand below which a better level is expected to hold.
        late_for_s: How long the device must be late before the level changes.
        settle_s: How long a level is kept before it can be judged late.
        hot_settle_s: How long a level is kept before it can be judged too hot.
        calm_for_s: How long the device must be calm before the level recovers.
    """

    # Below 1, so that the device reacts before frames are dropped.
    late_demand: float = 0.9
    # Well below `late_demand`: the gap keeps the level from oscillating.
    calm_demand: float = 0.7
    # Longer than a single slow frame or a burst of another process.
    late_for_s: float = 3.0
    # The first observations at a new level still hold frames of the old one.
    settle_s: float = 5.0
    # A board cools slowly: a step down shows in its temperature only after a while.
    hot_settle_s: float = 30.0
    # Recover reluctantly: every change of the rate restarts the window and ends the open event.
    calm_for_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Change:
    """A change of level, or the notice that no lower level is left.

    Attributes:
        level: Level from now on.
        pace: Pace of this level.
        cause: Reason for the change; "exhausted" if the last level does not suffice.
        demand: Demand at the level before.
    """

    level: int
    pace: Pace
    cause: Cause
    demand: float

    def __str__(self) -> str:
        """Describe the change in one line."""
        load = f"processing a frame takes {self.demand:.0%} of the time between two"
        why = {
            "late": load,
            "hot": "the board is throttled",
            "recovered": "the load has dropped",
            "exhausted": f"still late: {load}, and no lower level is left",
        }[self.cause]
        return f"pace level {self.level} of {len(LEVELS) - 1}: {_meaning(self.pace)}; {why}"


def _meaning(pace: Pace) -> str:
    decisions = (
        "a decision after every sampled frame" if pace.stride == 1 else f"a decision after every {pace.stride} frames"
    )
    if pace.slowdown == 1:
        return decisions
    return (
        f"{decisions}, frames {pace.slowdown} times the training interval apart: "
        f"windows are {pace.slowdown} times as long as in training"
    )


class Pacer:
    """The state machine: chooses the level from about one observation per second.

    Args:
        policy: Thresholds.
        levels: Levels that save work in this run, from `paces`; by default the whole table.

    Attributes:
        level: Index into `LEVELS`.
    """

    def __init__(self, policy: PacePolicy | None = None, *, levels: Mapping[int, Pace] | None = None) -> None:
        self.level = 0
        self._paces = dict(levels or paces(keeps_state=False))
        # Level to the next lower pace, and back.
        self._worse = dict(pairwise(self._paces))
        self._better = {worse: better for better, worse in self._worse.items()}
        self._policy = policy or PacePolicy()
        # A board that is hot at the start need not wait for the first step down.
        self._changed_s = -self._policy.hot_settle_s
        self._late_since_s: float | None = None
        self._calm_since_s: float | None = None
        self._reported_exhausted = False
        # For each level: demand at the better level over demand at this one.
        self._saving = [_UNKNOWN_SAVING] * len(LEVELS)
        # Demand at the last step down, until the next observation shows what the step saved.
        self._demand_before: float | None = None

    @property
    def pace(self) -> Pace:
        """Pace of the current level."""
        return self._paces[self.level]

    def update(self, now_s: float, *, demand: float | None, throttled: bool) -> Change | None:
        """Evaluate one observation.

        Args:
            now_s: Time of the observation, on any monotonic clock.
            demand: Mean demand since the last observation; above 1 the device cannot keep up. None
                if no frame arrived: then nothing is known, and the level does not change for being
                late or calm.
            throttled: Whether the firmware throttles the cores now.

        Returns:
            The change, if there is one.
        """
        if demand is not None:
            self._learn(demand)
        self._watch(now_s, demand, throttled=throttled)
        if self._is_late(now_s):
            return self._down(now_s, "late", demand or 0.0)
        if throttled and self._is_settled(now_s, self._policy.hot_settle_s):
            return self._down(now_s, "hot", demand or 0.0)
        if self._calm_since_s is not None and self.level and now_s - self._calm_since_s >= self._policy.calm_for_s:
            return self._change(now_s, self._better[self.level], "recovered", demand or 0.0)
        return None

    def _learn(self, demand: float) -> None:
        """Measure what the last step down saved."""
        if self._demand_before is not None:
            ratio = self._demand_before / max(demand, 1e-9)
            self._saving[self.level] = min(max(ratio, _LEAST_SAVING), _MOST_SAVING)
            self._demand_before = None

    def _watch(self, now_s: float, demand: float | None, *, throttled: bool) -> None:
        is_late = demand is not None and demand > self._policy.late_demand
        # Extrapolate to the better level: a level that is calm only because it skips work must not
        # be left.
        is_calm = demand is not None and not throttled and demand * self._saving[self.level] < self._policy.calm_demand
        self._late_since_s = _since(self._late_since_s, now_s, holds=is_late)
        self._calm_since_s = _since(self._calm_since_s, now_s, holds=is_calm)

    def _is_settled(self, now_s: float, settle_s: float) -> bool:
        return now_s - self._changed_s >= settle_s

    def _is_late(self, now_s: float) -> bool:
        since_s = self._late_since_s
        return (
            since_s is not None
            and now_s - since_s >= self._policy.late_for_s
            and self._is_settled(now_s, self._policy.settle_s)
        )

    def _down(self, now_s: float, cause: Cause, demand: float) -> Change | None:
        if self.level in self._worse:
            self._demand_before = demand
            return self._change(now_s, self._worse[self.level], cause, demand)
        # At the last level, report a late device once; a hot one may still keep up.
        if self._reported_exhausted or cause == "hot":
            return None
        self._reported_exhausted = True
        return Change(self.level, self.pace, "exhausted", demand)

    def _change(self, now_s: float, level: int, cause: Cause, demand: float) -> Change:
        self.level = level
        self._changed_s = now_s
        self._late_since_s = self._calm_since_s = None
        self._reported_exhausted = False
        return Change(level, self.pace, cause, demand)


def _since(since_s: float | None, now_s: float, *, holds: bool) -> float | None:
    """Return since when a condition has held without a break; None if it does not hold."""
    if not holds:
        return None
    return now_s if since_s is None else since_s
