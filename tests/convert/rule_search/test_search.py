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
    assert (outcome.hits, outcome.misses, outcome.false_alarms, outcome.placed) == (2, 1, 1, 2)
    assert outcome.f1 == outcome.f1_50 == pytest.approx(2 * 2 / (4 + 1 + 1))
    assert outcome.delay_s == pytest.approx(0.0)
    assert outcome.hours * 3600 == pytest.approx(9 + 3, abs=0.2)


def test_an_event_counts_as_placed_after_the_common_delay_is_taken_off() -> None:
    # Each is a second late, longer than it lasts: none overlaps before.
    outcome = Trials([late(1.0, 4)], decider, tolerance_s=0.5, max_false_per_hour=None).outcome(RULE)
    assert (outcome.hits, outcome.placed) == (4, 4)


def test_a_limit_comes_before_found_events_and_those_before_delay() -> None:
    few = Outcome(hits=5, misses=5, false_alarms=1, placed=5, delay_s=1.0, hours=1.0)
    many = dataclasses.replace(few, hits=9, misses=1, false_alarms=3, placed=9)
    soon = dataclasses.replace(few, delay_s=0.5)
    assert many.merit(None) > few.merit(None)
    assert few.merit(1.0) > many.merit(1.0)
    assert soon.merit(1.0) > few.merit(1.0)
    assert (few + many).false_alarms == 4
    assert (few + many).merit(2.0) > (few + many).merit(1.0)


def test_a_rule_is_tried_once() -> None:
    tried = trials(pulses(0.9))
    tried.outcome(RULE)
    tried.outcome(dataclasses.replace(RULE))
    assert len(tried) == 1


def test_the_search_finds_the_threshold_between_events_and_what_looks_like_them() -> None:
    tried = trials(pulses(0.75, 0.95, 0.75, 0.95, true=0.8))
    found = search_rule(tried, RULE).rule
    assert 0.75 < found.enter <= 0.95
    assert tried.outcome(found).f1 == 1.0


def test_the_search_drops_short_events_by_smoothing_or_the_shortest_duration() -> None:
    short, long = pulses(0.95, 0.95, true=1.0, length=2), pulses(0.95, 0.95)
    tried = trials(short, long)
    found = search_rule(tried, RULE).rule
    assert tried.outcome(found).f1 == 1.0
    assert found.min_duration_s > 0.1 or found.smoothing_s > 0


def test_a_rule_that_cannot_be_bettered_stays_as_it_is() -> None:
    start = dataclasses.replace(RULE, enter=0.65, exit=0.33, cooldown_s=0.07)
    assert search_rule(trials(pulses(0.9, 0.9, 0.2)), start).rule == start


def test_of_rules_that_find_the_same_the_one_that_announces_sooner_is_chosen() -> None:
    start = dataclasses.replace(RULE, smoothing_s=0.5, min_duration_s=0.4)
    tried = trials(pulses(0.9, 0.9, 0.2))
    found = search_rule(tried, start).rule
    assert tried.outcome(found).delay_s < tried.outcome(start).delay_s
    assert tried.outcome(found).f1 == 1.0


def test_a_limit_on_false_alarms_is_kept_at_the_cost_of_hits() -> None:
    # Two events are no higher than what looks like them.
    recordings = [pulses(0.75, 0.75, 0.95, 0.95, 0.95), pulses(0.75, true=0.9)]
    free, strict = trials(*recordings), trials(*recordings, limit=0.001)
    assert free.outcome(search_rule(free, RULE).rule).hits == 5
    rule = search_rule(strict, RULE).rule
    assert strict.keeps_limit(rule)
    assert strict.outcome(rule).false_alarms == 0
    assert 3 <= strict.outcome(rule).hits < 5


def test_without_recordings_for_a_second_look_that_is_said() -> None:
    found = search_rule(trials(pulses(0.45, 0.45, true=0.4)), RULE)
    assert (found.depth, found.second_look) == (1, False)


def test_a_deeper_rule_is_taken_where_only_that_keeps_the_limit() -> None:
    low, high = pulses(0.45, 0.45, true=0.4), pulses(0.75, 0.95, 0.75, 0.95, true=0.8)
    strict = trials(low, high, limit=0.001)
    found = search_rule(strict, RULE)
    assert strict.keeps_limit(found.rule)
    assert strict.outcome(found.rule).hits > 0


def two_classes(count: int) -> object:
    """A recording in which "a" is lower than what looks like "b", and `count` events of each."""
    row_a, row_b = np.zeros(0), np.zeros(0)
    truth: list[Times] = []
    for index in range(2 * count):
        start_s = 12.0 * index + 1.0
        label, height = ("a", 0.45) if index % 2 else ("b", 0.85)
        truth.append((label, start_s, start_s + 0.9))
        pulse = np.concatenate([np.zeros(10), np.full(10, height), np.zeros(100)])
        twin = np.concatenate([np.zeros(70), np.full(10, 0.7), np.zeros(40)])
        row_a = np.concatenate([row_a, pulse if label == "a" else 0 * pulse])
        row_b = np.concatenate([row_b, np.maximum(pulse, twin) if label == "b" else 0 * pulse])
    one = scored(truth, row_a.tolist())
    scores = np.stack([1 - row_a - row_b, row_a, row_b], axis=1)
    return dataclasses.replace(one, trace=dataclasses.replace(one.trace, scores=scores))


def test_a_class_with_enough_events_gets_a_threshold_of_its_own() -> None:
    tried = trials(two_classes(LEAST_EVENTS), two_classes(LEAST_EVENTS))
    found = search_rule(tried, RULE)
    assert found.depth == 2
    assert tried.outcome(found.rule).f1 == 1.0
    few = trials(two_classes(LEAST_EVENTS - 1), two_classes(LEAST_EVENTS - 1))
    assert search_rule(few, RULE).rule.thresholds == ()


def test_a_rule_that_is_better_by_chance_only_is_not_taken() -> None:
    # What is best for one recording is no better for the other than the rule that is there.
    low, high = pulses(0.45, 0.45, true=0.4), pulses(0.75, 0.95, 0.75, 0.95, true=0.8)
    tried = trials(low, high)
    found = search_rule(tried, RULE)
    assert (found.rule, found.depth, found.second_look) == (RULE, 0, True)
    # It would have been taken without the second look.
    assert tried.merit(dataclasses.replace(RULE, enter=0.4, exit=0.3)) > tried.merit(RULE)


def test_a_rule_that_is_better_on_unseen_recordings_too_is_taken() -> None:
    found = search_rule(trials(pulses(0.45, 0.45, true=0.4), pulses(0.45, 0.45, 0.45, true=0.4)), RULE)
    assert found.depth == 1
    assert found.rule.enter < 0.45


def test_thresholds_of_classes_are_chosen_anew() -> None:
    start = dataclasses.replace(RULE, thresholds=(ClassThresholds(label="a", enter=0.99, exit=0.9),))
    found = search_rule(trials(pulses(0.8, 0.8)), start).rule
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
