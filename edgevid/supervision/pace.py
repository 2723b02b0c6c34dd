"""What to give up when the device cannot keep up, or is too hot, and when to take it back: a table and a state machine, nothing else.

| level | an answer after | frames are taken | what is lost |
|---|---|---|---|
| 0 | each frame that is due | at the training interval | nothing |
| 1 | every second one | at the training interval | half of the answers; each is still exactly the model's |
| 2 | every second one | at twice the interval | the model sees twice the time in one window: not what it was trained on, and told so |
| 3 | every second one | at four times the interval | the same, four times |

Longer stride first, lower rate then: the first costs answers, the second changes their meaning. A head that keeps a state has to run for every
frame that is taken, so level 1 would save such a model nothing: where all models of a run are of that kind, it is left out (`paces`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Cause = Literal["late", "hot", "recovered", "exhausted"]
_UNKNOWN_SAVING = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """One level of the table.

    Attributes:
        stride: An answer after every so many frames that are taken.
        slowdown: Frames are taken so many times the training interval apart.
    """

    stride: int
    slowdown: int


LEVELS = (Pace(1, 1), Pace(2, 1), Pace(2, 2), Pace(2, 4))


def paces(*, keeps_state: bool) -> dict[int, Pace]:
    """Give the levels with which a run can save something.

    Args:
        keeps_state: Whether every model of the run keeps a state: none has work to leave out for a frame that gets no answer.

    Returns:
        Index into `LEVELS` to what it means for such a run, from level 0 up. With a state every frame that is taken is answered, so that only
        those levels are left at which frames are further apart than at the one before.
    """
    if not keeps_state:
        return dict(enumerate(LEVELS))
    slower = [level for level, pace in enumerate(LEVELS) if level and pace.slowdown > LEVELS[level - 1].slowdown]
    return {level: Pace(1, LEVELS[level].slowdown) for level in (0, *slower)}


@dataclass(frozen=True, kw_only=True)
class PacePolicy:
    """When to change, all times in seconds.

    Attributes:
        late_demand: Share of the time between two due frames that a frame's work may take; above it the device is late.
        calm_demand: The share that a better level must be expected to stay below.
        late_for_s: How long it has to be late.
        settle_s: How long a level is kept before it is judged late.
        hot_settle_s: How long a level is kept before it is judged too hot: heat takes its time.
        calm_for_s: How long it has to be calm.
    """

    late_demand: float = 0.9
    calm_demand: float = 0.7
    late_for_s: float = 3.0
    settle_s: float = 5.0
    hot_settle_s: float = 30.0
    calm_for_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Change:
    """A change of level, or word that there is none left.

    Attributes:
        level: The level from now on.
        pace: What it means.
        cause: Why: "exhausted" says that the last level is not enough.
        demand: Share of the time between two due frames that a frame's work took, at the level before.
    """

    level: int
    pace: Pace
    cause: Cause
    demand: float

    def __str__(self) -> str:
        """One line for people."""
        why = {
            "late": f"a frame's work takes {self.demand:.0%} of the time between two",
            "hot": "the board is throttled",
            "recovered": "there is room again",
            "exhausted": f"still late, a frame's work takes {self.demand:.0%} of the time between two, and nothing is left to give up",
        }[self.cause]
        return f"pace level {self.level} of {len(LEVELS) - 1}: {_meaning(self.pace)}; {why}"


def _meaning(pace: Pace) -> str:
    answers = (
        "an answer after every frame that is due" if pace.stride == 1 else f"an answer after every {pace.stride} frames"
    )
    if pace.slowdown == 1:
        return answers
    return f"{answers}, frames {pace.slowdown} times the training interval apart: answers are of a window {pace.slowdown} times as long as trained"


class Pacer:
    """Decides the level from one observation a second or so.

    Args:
        policy: When to change.
        levels: Those that the run can save something with, as of `paces`; all of the table where None.

    Attributes:
        level: Index into `LEVELS`.
        changes: How often it changed.
    """

    def __init__(self, policy: PacePolicy | None = None, *, levels: Mapping[int, Pace] | None = None) -> None:
        self.level = 0
        self.changes = 0
        self._paces = dict(levels or paces(keeps_state=False))
        self._worse = dict(pairwise(self._paces))
        self._better = {worse: better for better, worse in self._worse.items()}
        self._policy = policy or PacePolicy()
        self._changed_s = -self._policy.hot_settle_s
        self._late_since_s: float | None = None
        self._calm_since_s: float | None = None
        self._said_exhausted = False
        # How many times dearer the level before was, for each level below the first: guessed until it was seen.
        self._saving = [_UNKNOWN_SAVING] * len(LEVELS)
        self._demand_before: float | None = None

    @property
    def pace(self) -> Pace:
        """What the level means."""
        return self._paces[self.level]

    def update(self, now_s: float, *, demand: float | None, throttled: bool) -> Change | None:
        """Take one observation.

        Args:
            now_s: Its time, on any clock that goes forward.
            demand: Mean work for a frame over the time between two that are due, since the last observation; above 1 the device cannot
                keep up. None where no frame came: then nothing is known, and nothing changes for being late or calm.
            throttled: Whether the firmware slows the cores now.

        Returns:
            A change, if there is one.
        """
        if demand is not None:
            self._learn(demand)
        self._watch(now_s, demand, throttled=throttled)
        for cause, due in (
            ("late", self._is_late(now_s)),
            ("hot", throttled and self._settled(now_s, self._policy.hot_settle_s)),
        ):
            if due:
                return self._down(now_s, "late" if cause == "late" else "hot", demand or 0.0)
        if self._calm_since_s is not None and self.level and now_s - self._calm_since_s >= self._policy.calm_for_s:
            return self._change(now_s, self._better[self.level], "recovered", demand or 0.0)
        return None

    def _learn(self, demand: float) -> None:
        """See what the last step down really saved."""
        if self._demand_before is not None:
            self._saving[self.level] = min(max(self._demand_before / max(demand, 1e-9), 1.0), 4.0)
            self._demand_before = None

    def _watch(self, now_s: float, demand: float | None, *, throttled: bool) -> None:
        late = demand is not None and demand > self._policy.late_demand
        self._late_since_s = None if not late else self._late_since_s if self._late_since_s is not None else now_s
        calm = demand is not None and not throttled and demand * self._saving[self.level] < self._policy.calm_demand
        self._calm_since_s = None if not calm else self._calm_since_s if self._calm_since_s is not None else now_s

    def _settled(self, now_s: float, settle_s: float) -> bool:
        return now_s - self._changed_s >= settle_s

    def _is_late(self, now_s: float) -> bool:
        since_s = self._late_since_s
        return (
            since_s is not None
            and now_s - since_s >= self._policy.late_for_s
            and self._settled(now_s, self._policy.settle_s)
        )

    def _down(self, now_s: float, cause: Cause, demand: float) -> Change | None:
        if self.level in self._worse:
            self._demand_before = demand
            return self._change(now_s, self._worse[self.level], cause, demand)
        if self._said_exhausted or cause == "hot":
            return None
        self._said_exhausted = True
        return Change(self.level, self.pace, "exhausted", demand)

    def _change(self, now_s: float, level: int, cause: Cause, demand: float) -> Change:
        self.level = level
        self.changes += 1
        self._changed_s = now_s
        self._late_since_s = self._calm_since_s = None
        self._said_exhausted = False
        return Change(level, self.pace, cause, demand)
