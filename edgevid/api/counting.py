"""What a run counts: classes of its models, named by `count=` and `--count`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgevid.errors import UsageError
from edgevid.events.repetitions import RepetitionCounter
from edgevid.lane import Lane


def add_counters(lanes: Sequence[Lane], wanted: Iterable[str]) -> None:
    """Let lanes count repetitions.

    Args:
        lanes: One per model. Each that has all classes of a cycle counts it.
        wanted: The classes of each cycle, with commas between.

    Raises:
        UsageError: No model has all classes of a cycle, or one occurs twice in it.
    """
    for cycle in dict.fromkeys(wanted):
        phases = tuple(cycle.split(","))
        fitting = [lane for lane in lanes if set(phases) <= set(lane.decider.labels)]
        UsageError.unless(
            bool(fitting),
            expected="classes of one model to count, with commas between",
            choices=dict.fromkeys(label for lane in lanes for label in lane.decider.labels),
            got=cycle,
        )
        for lane in fitting:
            lane.counters += (RepetitionCounter(phases, lane.decider.labels),)
