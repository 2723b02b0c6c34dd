"""Searches the rule: thresholds and times together, then thresholds for single classes.

The best of two hundred rules owes some of its merit to chance. So the search itself is tried first:
on one half of the recordings, rated on the other, and the reverse. It counts only as far as that
betters the rule that is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from convert.rule_search.halves import halve
from convert.rule_search.trials import Trials
from edgevid.errors import TruthError
from edgevid.events.rule import ClassThresholds, DecisionRule

SMOOTHING_S = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
ENTER = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
EXIT_SHARE = (0.3, 0.5, 0.7, 0.9)
MIN_DURATION_S = (0.0, 0.1, 0.2, 0.4, 0.8, 1.5)
COOLDOWN_S = (0.0, 0.3, 1.0, 3.0)
# A class with fewer events would be fitted to their accidents.
LEAST_EVENTS = 10
_ROUNDS = 3


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes:
        rule: The rule.
        depth: What was chosen: 0 for nothing, 1 for settings of all classes, 2 for thresholds of
            single classes too.
        second_look: Whether recordings were enough to try the search on unseen ones first.
    """

    rule: DecisionRule
    depth: int
    second_look: bool


def search_rule(trials: Trials, start: DecisionRule) -> Found:
    """Return the best rule that can be told from chance.

    With too few recordings for a second look, settings of all classes are chosen without one. A
    deeper rule is taken than the second look advises where only that keeps the limit.

    Args:
        trials: Rates rules on all recordings.
        start: The rule to better. Its background and `unknown_below` stay, its delays do not.
    """
    start = replace(start, delays=())
    halves = _halves(trials)
    depth = 1 if halves is None else _depth(*halves, start)
    rules = _search(trials, start)
    kept = [each for each in range(depth, len(rules)) if trials.keeps_limit(rules[each])]
    depth = kept[0] if kept else depth
    return Found(rules[depth], depth, second_look=halves is not None)


def _halves(trials: Trials) -> tuple[Trials, Trials] | None:
    """Return trials on two parts of the recordings; None if they cannot be parted."""
    try:
        halves = halve(trials.recordings)
    except TruthError:
        return None
    one, other = ([trials.recordings[index] for index in half] for half in (halves.chosen_on, halves.checked_on))
    return trials.of(one), trials.of(other)


def _depth(one: Trials, other: Trials, start: DecisionRule) -> int:
    """Return how deep a search betters the rule on recordings that it has not seen."""
    found, swapped = _search(one, start), _search(other, start)
    merits = [
        (other.outcome(rule) + one.outcome(twin)).merit(one.max_false_per_hour)
        for rule, twin in zip(found, swapped, strict=True)
    ]
    # The first of equals, which is the simplest.
    return max(range(len(merits)), key=merits.__getitem__)


def _search(trials: Trials, start: DecisionRule) -> tuple[DecisionRule, DecisionRule, DecisionRule]:
    """Return the start, the best rule for all classes, and the best with thresholds of classes."""
    begin = replace(start, thresholds=())
    best = max([start, begin, *_grid(begin)], key=trials.merit)
    for _ in range(_ROUNDS):
        before = best
        for candidates in _lines(best):
            best = max([best, *candidates], key=trials.merit)
        if best == before:
            break
    events = Counter(real.label for each in trials.recordings for real in each.truth)
    return start, best, _with_classes(trials, best, sorted(label for label in events if events[label] >= LEAST_EVENTS))


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
