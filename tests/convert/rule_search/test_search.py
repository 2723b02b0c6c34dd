"""Rules from stored scores."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from convert.rule_search.learned_delays import learn_delays
from convert.rule_search.search import LEAST_EVENTS, search_rule
from convert.rule_search.trials import Outcome, Trials
from edgevid.events.decide import Decider
from edgevid.events.rule import ClassThresholds, DecisionRule
from tests.convert.event_metrics.recordings import LABELS, RULE, Times, scored


def decider(rule: DecisionRule) -> Decider:
    return Decider(LABELS, rule)


def pulses(*heights: float, true: float = 0.5, length: int = 10) -> object:
    """A recording with a pulse of the score of "a" every 3 s; those higher than `true` are events."""
    row: list[float] = []
    truth: list[Times] = []
    for height in heights:
        start_s = len(row) / 10 + 1.0
        row += [0.0] * 10 + [height] * length + [0.0] * (20 - length)
        if height > true:
            truth.append(("a", start_s, start_s + length / 10 - 0.1))
    return scored(truth, row)


def trials(*recordings: object, limit: float | None = None) -> Trials:
    return Trials(recordings, decider, tolerance_s=0.2, max_false_per_hour=limit)


def test_an_outcome_counts_hits_misses_and_false_alarms() -> None:
    outcome = trials(pulses(0.9, 0.9, 0.7, true=0.8), pulses(0.3, true=0.2)).outcome(RULE)
    assert outcome == Outcome(hits=2, misses=1, false_alarms=1, delay_s=pytest.approx(0.0))
    assert outcome.f1 == pytest.approx(2 * 2 / (4 + 1 + 1))


def test_a_rule_is_tried_once() -> None:
    tried = trials(pulses(0.9))
    tried.outcome(RULE)
    tried.outcome(dataclasses.replace(RULE))
    assert len(tried) == 1


def test_the_search_finds_the_threshold_between_events_and_what_looks_like_them() -> None:
    tried = trials(pulses(0.75, 0.95, 0.75, 0.95, true=0.8))
    found = search_rule(tried, RULE, {"a": 2})
    assert 0.75 < found.enter <= 0.95
    assert tried.outcome(found) == Outcome(2, 0, 0, pytest.approx(0.0))


def test_the_search_drops_short_events_by_smoothing_or_the_shortest_duration() -> None:
    short, long = pulses(0.95, 0.95, true=1.0, length=2), pulses(0.95, 0.95)
    tried = trials(short, long)
    found = search_rule(tried, RULE, {"a": 2})
    assert tried.outcome(found).f1 == 1.0
    assert found.min_duration_s > 0.1 or found.smoothing_s > 0


def test_a_rule_that_cannot_be_bettered_stays_as_it_is() -> None:
    start = dataclasses.replace(RULE, enter=0.65, exit=0.33, cooldown_s=0.07)
    assert search_rule(trials(pulses(0.9, 0.9, 0.2)), start, {"a": 2}) == start


def test_of_rules_that_find_the_same_the_one_that_announces_sooner_is_chosen() -> None:
    start = dataclasses.replace(RULE, smoothing_s=0.5, min_duration_s=0.4)
    tried = trials(pulses(0.9, 0.9, 0.2))
    found = search_rule(tried, start, {"a": 2})
    assert tried.outcome(found).delay_s < tried.outcome(start).delay_s
    assert tried.outcome(found).f1 == 1.0


def test_a_limit_on_false_alarms_is_kept_at_the_cost_of_hits() -> None:
    # Two events are no higher than what looks like them.
    recordings = [pulses(0.75, 0.75, 0.95, 0.95, 0.95), pulses(0.75, true=0.9)]
    free, strict = trials(*recordings), trials(*recordings, limit=0.001)
    assert free.outcome(search_rule(free, RULE, {"a": 5})).hits == 5
    rule = search_rule(strict, RULE, {"a": 5})
    assert strict.keeps_limit(rule)
    assert strict.outcome(rule).false_alarms == 0
    assert 3 <= strict.outcome(rule).hits < 5


def test_a_class_with_enough_events_gets_a_threshold_of_its_own() -> None:
    row_a, row_b = np.zeros(0), np.zeros(0)
    truth: list[Times] = []
    for index in range(2 * LEAST_EVENTS):
        start_s = 12.0 * index + 1.0
        label, height = ("a", 0.45) if index % 2 else ("b", 0.85)
        truth.append((label, start_s, start_s + 0.9))
        pulse = np.concatenate([np.zeros(10), np.full(10, height), np.zeros(100)])
        # What looks like "b" is higher than "a" ever is.
        twin = np.concatenate([np.zeros(70), np.full(10, 0.7), np.zeros(40)])
        row_a = np.concatenate([row_a, pulse if label == "a" else 0 * pulse])
        row_b = np.concatenate([row_b, np.maximum(pulse, twin) if label == "b" else 0 * pulse])
    one = scored(truth, row_a.tolist())
    scores = np.stack([1 - row_a - row_b, row_a, row_b], axis=1)
    both = dataclasses.replace(one, trace=dataclasses.replace(one.trace, scores=scores))
    tried = trials(both)
    found = search_rule(tried, RULE, {"a": LEAST_EVENTS, "b": LEAST_EVENTS})
    assert tried.outcome(found).f1 == 1.0
    assert found.thresholds
    few = search_rule(tried, RULE, {"a": LEAST_EVENTS - 1, "b": LEAST_EVENTS - 1})
    assert few.thresholds == ()


def test_thresholds_of_classes_are_chosen_anew() -> None:
    start = dataclasses.replace(RULE, thresholds=(ClassThresholds(label="a", enter=0.99, exit=0.9),))
    found = search_rule(trials(pulses(0.8, 0.8)), start, {"a": 2})
    assert found.thresholds == ()


def late(by_s: float, count: int, label: str = "a") -> object:
    """A recording whose score of "a" rises and falls so much later than the truth."""
    one = pulses(*[0.9] * count)
    moved = tuple(type(real)(label, real.start_s - by_s, real.end_s - by_s - 0.1) for real in one.truth)
    return dataclasses.replace(one, truth=moved)


def test_delays_are_the_median_errors_of_start_and_end() -> None:
    learned = learn_delays([late(0.3, 20)], LABELS, RULE, decider, tolerance_s=0.5)
    # A class without hits is taken to be like the others.
    assert [each.label for each in learned] == ["a", "b"]
    assert [(each.start_s, each.end_s) for each in learned] == [pytest.approx((0.3, 0.4), abs=0.002)] * 2


def test_delays_do_not_depend_on_the_delays_that_the_rule_takes_off_now() -> None:
    def early(rule: DecisionRule) -> Decider:
        return Decider(LABELS, rule, delay_s=0.25)

    learned = learn_delays([late(0.3, 20)], LABELS, RULE, early, tolerance_s=0.5)
    assert learned[0].start_s == pytest.approx(0.3, abs=0.002)


def test_events_with_the_learned_delays_lie_on_the_truth() -> None:
    one = late(0.3, 20)
    rule = dataclasses.replace(RULE, delays=learn_delays([one], LABELS, RULE, decider, tolerance_s=0.5))
    from convert.event_metrics import replay

    events = replay(one.trace, lambda: decider(rule))
    assert [(each.start_s, each.end_s) for each in events] == [
        (pytest.approx(real.start_s, abs=0.01), pytest.approx(real.end_s, abs=0.01)) for real in one.truth
    ]


def test_a_class_with_few_hits_is_drawn_to_the_others() -> None:
    few = dataclasses.replace(late(0.1, 1, label="b"))
    swapped = dataclasses.replace(few, trace=dataclasses.replace(few.trace, scores=few.trace.scores[:, [0, 2, 1]]))
    learned = {
        each.label: each.start_s
        for each in learn_delays([late(0.4, 21), swapped], LABELS, RULE, decider, tolerance_s=0.5)
    }
    assert learned["b"] == pytest.approx((1 * 0.1 + 5 * 0.4) / 6, abs=0.01)


def test_there_are_no_delays_without_hits() -> None:
    assert learn_delays([pulses(0.1, 0.1)], LABELS, RULE, decider, tolerance_s=0.5) == ()
