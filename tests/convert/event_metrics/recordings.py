"""Recordings whose truth, events and scores are written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convert.event_metrics.trace import Answered, ScoreTrace, Segment, replay
from edgevid.events.decide import Decider, Event
from edgevid.events.rule import DecisionRule
from edgevid.synthetic.gestures import Gesture

LABELS = ("none", "a", "b")
RULE = DecisionRule(smoothing_s=0, enter=0.6, exit=0.4, min_duration_s=0, cooldown_s=0, background=("none",))
Times = tuple[str, float, float]


def recording(
    truth: Sequence[Times] = (),
    events: Sequence[tuple[str, float, float] | tuple[str, float, float, float]] = (),
    *,
    duration_s: float = 100.0,
    group: str = "",
    condition: str = "",
) -> Answered:
    """A recording with stated events, announced at their start, and scores that say nothing."""
    made = tuple(Event(*each, *((0.9,) if len(each) == 3 else ()), announced_s=each[1]) for each in events)
    times_s = np.arange(0.0, duration_s, 1.0)
    trace = ScoreTrace(
        times_s=times_s,
        scores=np.full((len(times_s), 3), 1 / 3, np.float32),
        segments=(Segment(0, 0.0),),
        duration_s=duration_s,
    )
    real = tuple(Gesture(*each) for each in truth)
    return Answered(name="made", truth=real, trace=trace, events=made, group=group, condition=condition)


def scored(
    truth: Sequence[Times],
    a: Sequence[float],
    *,
    step_s: float = 0.1,
    rule: DecisionRule = RULE,
    gaps: Sequence[int] = (),
) -> Answered:
    """A recording whose score of "a" is given, and whose events follow from it."""
    times_s = np.arange(len(a)) * step_s + 10.0 * np.array(
        [sum(gap <= index for gap in gaps) for index in range(len(a))]
    )
    up = np.array(a, np.float32)
    trace = ScoreTrace(
        times_s=times_s,
        scores=np.stack([1 - up, up, np.zeros_like(up)], axis=1),
        segments=tuple(Segment(first, float(times_s[first])) for first in (0, *gaps)),
        duration_s=float(times_s[-1]) + step_s,
    )
    real = tuple(Gesture(*each) for each in truth)
    return Answered(name="scored", truth=real, trace=trace, events=replay(trace, lambda: Decider(LABELS, rule)))
