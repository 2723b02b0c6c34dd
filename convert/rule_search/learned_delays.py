"""How much later than an action its score rises and falls, by class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from convert.event_metrics import Answered, replay
from convert.event_metrics.alarms import match_recording
from edgevid.events.decide import Decider
from edgevid.events.rule import ClassDelay, DecisionRule

# A class is taken to be like the others until it has shown more events than this.
_LIKE_OTHERS = 5
_DIGITS = 3


def learn_delays(
    recordings: Sequence[Answered],
    labels: Sequence[str],
    rule: DecisionRule,
    decider: Callable[[DecisionRule], Decider],
    *,
    tolerance_s: float,
) -> tuple[ClassDelay, ...]:
    """Measure the delays of a rule's events at start and end.

    The delay of a class is the median over its hits: the mean would follow a single event that
    joined two actions. It is drawn towards the median over all classes, as if five more hits had
    that.

    Args:
        recordings: Recordings with scores and truth.
        labels: Classes of the model.
        rule: The rule, without delays.
        decider: Returns a new decider for a rule.
        tolerance_s: As for `match_recording`.

    Returns:
        A delay for each class besides background; none without hits.
    """
    zero = replace(rule, delays=tuple(ClassDelay(label=label, start_s=0.0, end_s=0.0) for label in labels))
    starts: defaultdict[str, list[float]] = defaultdict(list)
    ends: defaultdict[str, list[float]] = defaultdict(list)
    for each in recordings:
        events = replay(each.trace, lambda: decider(rule))
        # The same events, since a delay only moves them.
        raw = {event.announced_s: event for event in replay(each.trace, lambda: decider(zero))}
        for real, event in match_recording(replace(each, events=events), tolerance_s=tolerance_s).score.matched:
            starts[real.label].append(raw[event.announced_s].start_s - real.start_s)
            ends[real.label].append(raw[event.announced_s].end_s - real.end_s)
    if not starts:
        return ()
    own = [label for label in labels if label not in rule.background]
    start_s, end_s = _drawn(starts, own), _drawn(ends, own)
    return tuple(ClassDelay(label=label, start_s=start_s[label], end_s=end_s[label]) for label in own)


def _drawn(errors_s: dict[str, list[float]], labels: Sequence[str]) -> dict[str, float]:
    common = median(error for each in errors_s.values() for error in each)
    return {
        label: round(
            (len(errors) * median(errors) + _LIKE_OTHERS * common) / (len(errors) + _LIKE_OTHERS) if errors else common,
            _DIGITS,
        )
        for label in labels
        for errors in [errors_s.get(label, [])]
    }
