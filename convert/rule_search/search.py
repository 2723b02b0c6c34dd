"""Searches the rule: thresholds and times together, then thresholds for single classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from convert.rule_search.trials import Trials
from edgevid.events.rule import ClassThresholds, DecisionRule

SMOOTHING_S = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
ENTER = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
EXIT_SHARE = (0.3, 0.5, 0.7, 0.9)
MIN_DURATION_S = (0.0, 0.1, 0.2, 0.4, 0.8, 1.5)
COOLDOWN_S = (0.0, 0.3, 1.0, 3.0)
# A class with fewer events would be fitted to their accidents.
LEAST_EVENTS = 10
_ROUNDS = 3


def search_rule(trials: Trials, start: DecisionRule, events: Mapping[str, int]) -> DecisionRule:
    """Return the best rule that the search finds; the start, if none is better.

    Args:
        trials: Rates rules.
        start: The rule to better. Its background stays; its thresholds of classes are chosen anew.
        events: True events of each class, for which classes may have thresholds of their own.
    """
    begin = replace(start, thresholds=(), delays=())
    best = max([begin, *_grid(begin)], key=trials.merit)
    for _ in range(_ROUNDS):
        before = best
        for candidates in _lines(best):
            best = max([best, *candidates], key=trials.merit)
        if best == before:
            break
    best = _with_classes(trials, best, [label for label, count in events.items() if count >= LEAST_EVENTS])
    own = replace(start, delays=())
    # Equal rules stay as they are: `max` prefers the first.
    return max([own, best], key=trials.merit)


def _grid(rule: DecisionRule) -> Iterator[DecisionRule]:
    """Yield combinations of the two settings that depend most on each other."""
    share = rule.exit / rule.enter if rule.enter else 1.0
    for smoothing_s in SMOOTHING_S:
        for enter in ENTER:
            yield replace(rule, smoothing_s=smoothing_s, enter=enter, exit=round(enter * share, 4))


def _lines(rule: DecisionRule) -> Iterator[list[DecisionRule]]:
    """Yield for each setting the rules that differ in it alone."""
    share = rule.exit / rule.enter if rule.enter else 1.0
    yield [replace(rule, smoothing_s=each) for each in SMOOTHING_S]
    yield [replace(rule, enter=each, exit=round(each * share, 4)) for each in ENTER]
    yield [replace(rule, exit=round(rule.enter * each, 4)) for each in EXIT_SHARE]
    yield [replace(rule, min_duration_s=each) for each in MIN_DURATION_S]
    yield [replace(rule, cooldown_s=each) for each in COOLDOWN_S]


def _with_classes(trials: Trials, rule: DecisionRule, labels: list[str]) -> DecisionRule:
    share = rule.exit / rule.enter if rule.enter else 1.0
    best = rule
    for label in labels:
        others = tuple(each for each in best.thresholds if each.label != label)
        candidates = [
            replace(
                best,
                thresholds=(*others, ClassThresholds(label=label, enter=enter, exit=round(enter * share, 4))),
            )
            for enter in ENTER
        ]
        best = max([best, *candidates], key=trials.merit)
    return best
