"""Hits, false alarms by kind, rates, delays, single answers and curves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from convert.event_metrics import MeasureOptions, measure, replay
from convert.event_metrics.alarms import FalseAlarms, confusions, count_false_alarms, match_recording
from convert.event_metrics.curves import THRESHOLDS, threshold_curve
from convert.event_metrics.delays import measure_delays
from convert.event_metrics.frame_metrics import measure_frames
from convert.event_metrics.measure import EventMetrics
from convert.event_metrics.rates import hours_more, rate, upper_bound
from convert.event_metrics.trace import Answered, truth_at
from edgevid.errors import UsageError
from edgevid.events.decide import Decider
from edgevid.events.rule import DecisionRule
from edgevid.synthetic.gestures import Gesture
from tests.convert.event_metrics.recordings import LABELS, RULE, recording, scored


def decider(rule: DecisionRule) -> Decider:
    return Decider(LABELS, rule)


def measured(*recordings: Answered, rule: DecisionRule = RULE, **options: float) -> EventMetrics:
    return measure(recordings, LABELS, rule, decider, options=MeasureOptions(**options))


def test_a_false_alarm_is_a_duplicate_of_another_class_or_spurious() -> None:
    one = recording(
        [("a", 10, 20), ("b", 40, 50)],
        [("a", 10, 12), ("a", 15, 19), ("a", 41, 45), ("b", 43, 48), ("b", 80, 81)],
    )
    matched = [match_recording(one, tolerance_s=0.5)]
    assert count_false_alarms(matched) == FalseAlarms(duplicates=1, other_class=1, spurious=1)
    assert count_false_alarms(matched, label="b") == FalseAlarms(spurious=1)
    assert [(each.truth, each.event, each.count) for each in confusions(matched)] == [("b", "a", 1)]


def test_the_tolerance_decides_between_hit_and_false_alarm() -> None:
    one = recording([("a", 10, 20)], [("a", 20.4, 21)])
    assert measured(one, tolerance_s=0.5).recall.hits == 1
    late = measured(one, tolerance_s=0.3)
    assert (late.recall.misses, late.false_alarms.spurious) == (1, 1)


# Garwood's limits for counts of 0, 1 and 10, as tables of the Poisson distribution have them.
@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)])
def test_a_rate_has_the_exact_poisson_interval(count: int, low: float, high: float) -> None:
    found = rate(count, 2.0)
    assert (found.per_hour, found.low, found.high) == (
        count / 2,
        pytest.approx(low / 2, abs=1e-3),
        pytest.approx(high / 2, abs=1e-3),
    )


def test_no_false_alarm_in_ten_hours_promises_less_than_three_tenths_an_hour() -> None:
    assert upper_bound(0, 10.0) == pytest.approx(-np.log(0.05) / 10)
    assert hours_more(0, 10.0, 0.3) == 0.0


def test_the_hours_that_are_missing_make_the_promise_hold_if_nothing_changes() -> None:
    more = hours_more(0, 1.0, 0.5)
    assert more == pytest.approx(-np.log(0.05) / 0.5 - 1, rel=0.02)
    more = hours_more(2, 4.0, 1.0)
    assert more is not None
    assert upper_bound(2 / 4 * (4 + more), 4 + more) == pytest.approx(1.0, rel=0.02)


def test_a_rate_above_the_promise_is_not_mended_by_looking_longer() -> None:
    assert hours_more(5, 1.0, 1.0) is None


def test_false_alarms_an_hour_are_counted_over_the_length_of_all_recordings() -> None:
    both = measured(recording([], [("a", 5, 6)], duration_s=1800), recording(duration_s=5400))
    assert (both.hours, both.false_per_hour.per_hour) == (2.0, 0.5)
    assert both.recall.share is None


def test_groups_and_conditions_have_rows_the_worst_first() -> None:
    good = recording([("a", 0, 10)], [("a", 0, 10)], group="anna", condition="day")
    bad = recording([("a", 0, 10)], [("b", 50, 60)], group="ben", condition="night")
    both = measured(good, bad)
    assert [row.name for row in both.groups] == ["ben", "anna"]
    assert [(row.name, row.recall.hits, row.false_per_hour.count) for row in both.conditions] == [
        ("night", 0, 1),
        ("day", 1, 0),
    ]
    assert measured(good).groups == ()


def test_each_class_besides_background_has_a_row() -> None:
    one = measured(recording([("a", 0, 10)], [("a", 0, 10), ("b", 50, 51)]))
    assert [(row.label, row.recall.hits, row.false_alarms.count, row.f1_50) for row in one.labels] == [
        ("a", 1, 0, 1.0),
        ("b", 0, 1, 0.0),
    ]


def test_the_delay_is_split_into_model_smoothing_and_shortest_duration() -> None:
    rule = dataclasses.replace(RULE, smoothing_s=0.2, min_duration_s=0.3)
    # The action starts at 0.5; the model says so from 1.0 on.
    one = scored([("a", 0.5, 2.0)], [0.0] * 10 + [1.0] * 10 + [0.0] * 10, rule=rule)
    matched = [match_recording(one, tolerance_s=0.5)]
    delay = measure_delays([one], matched, LABELS, rule, decider)
    assert delay is not None
    # 1 - exp(-t / 0.2) with a step of 0.1 s: 0.39, 0.63 over enter at the second answer of it, and
    # over exit there too, so that 0.3 s are full three answers later.
    assert (delay.model_s, delay.smoothing_s, delay.min_duration_s) == (
        pytest.approx(0.5),
        pytest.approx(0.1),
        pytest.approx(0.3),
    )
    assert delay.p50_s == pytest.approx(0.9)
    assert delay.within_1_s == 1.0
    # The event ends where the smoothed score was last over exit, 0.1 s after the action at 2.0.
    assert delay.end_error_s == pytest.approx(one.events[0].end_s - 2.0)


def test_a_dip_of_the_score_before_the_event_does_not_count_as_its_beginning() -> None:
    one = scored([("a", 1.0, 2.0)], [0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, *[0.9] * 8, 0.0])
    alarms = match_recording(one, tolerance_s=0.2)
    delay = measure_delays([one], [alarms], LABELS, RULE, decider)
    assert delay is not None
    assert delay.model_s == pytest.approx(0.2)


def test_a_delay_is_not_sought_before_a_gap() -> None:
    one = scored([("a", 10.3, 10.9)], [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.0], gaps=[3])
    delay = measure_delays([one], [match_recording(one, tolerance_s=0.5)], LABELS, RULE, decider)
    assert delay is not None
    assert delay.model_s == pytest.approx(0.0)


def test_a_label_that_stayed_up_while_another_led_rises_anew_after_it() -> None:
    a = [0.0] * 5 + [0.9] * 10 + [0.45] * 10 + [0.45] * 5 + [0.9] * 8 + [0.0]
    b = [0.0] * 15 + [0.95] * 10 + [0.0] * 14
    one = scored([("a", 0.5, 1.4), ("b", 1.5, 2.4), ("a", 3.0, 3.7)], a)
    both = np.stack([1 - np.array(a), np.array(a), np.array(b)], axis=1)
    trace = dataclasses.replace(one.trace, scores=both)
    one = dataclasses.replace(one, trace=trace, events=replay(trace, lambda: decider(RULE)))
    delay = measure_delays([one], [match_recording(one, tolerance_s=0.5)], LABELS, RULE, decider)
    assert delay is not None
    assert (delay.p50_s, delay.model_s, delay.min_duration_s) == (pytest.approx(0.0), pytest.approx(0.0), 0.0)
    assert delay.p90_s == pytest.approx(0.0, abs=1e-9)


def test_a_recording_without_an_answer_has_no_events() -> None:
    trace = dataclasses.replace(scored([], [0.0]).trace, times_s=np.zeros(0), scores=np.zeros((0, 3)), segments=())
    assert replay(trace, lambda: decider(RULE)) == ()
    silent = Answered(name="silent", truth=(Gesture("a", 0, 1),), trace=trace, events=())
    assert measured(silent, scored([("a", 0.0, 0.3)], [0.9] * 4 + [0.0])).recall.hits == 1


def test_something_else_is_what_the_event_is_most_about() -> None:
    one = recording([("a", 0, 1), ("b", 1.2, 3)], [("none", 1.3, 3.0)])
    assert confusions([match_recording(one, tolerance_s=0.5)])[0].truth == "b"


def test_there_is_no_delay_without_hits() -> None:
    one = recording([("a", 0, 10)])
    assert measure_delays([one], [match_recording(one, tolerance_s=0.5)], LABELS, RULE, decider) is None


def test_answers_are_compared_with_the_truth_at_their_time() -> None:
    one = scored([("a", 0.2, 0.5)], [0.0, 0.0, 0.0, 0.9, 0.9, 0.9, 0.9, 0.0, 0.0, 0.0])
    frames = measure_frames([one], LABELS, ["none"])
    # Right but at 0.2, where the score has not risen, and at 0.6, where it has not fallen.
    assert (frames.answers, frames.accuracy) == (10, pytest.approx(0.8))
    # Four answers with the highest score, three of them true; the fourth true one after all others.
    assert frames.average_precision == {"a": pytest.approx(0.75 * 3 / 4 + 0.25 * 4 / 10)}


def test_a_model_without_background_is_asked_only_where_something_happens() -> None:
    one = scored([("a", 0.0, 0.45)], [0.9] * 10)
    assert measure_frames([one], LABELS, []).accuracy == 1.0


def test_truth_is_looked_up_by_time() -> None:
    truth = [Gesture("a", 1.0, 2.0), Gesture("b", 2.5, 3.0)]
    assert truth_at(np.array([0.9, 1.0, 2.0, 2.2, 2.5, 3.1]), truth) == ["", "a", "a", "", "b", ""]


def test_a_replay_flushes_at_gaps_and_at_the_end() -> None:
    one = scored([], [0.9] * 6, gaps=[3])
    assert [(round(event.start_s, 3), round(event.end_s, 3)) for event in one.events] == [(0.0, 0.2), (10.3, 10.5)]


def test_the_curve_replays_stored_scores_with_each_threshold() -> None:
    one = scored([("a", 0.0, 0.3)], [0.65] * 4 + [0.0] * 4 + [0.35] * 4 + [0.0] * 4)
    by_threshold = {point.enter: point for point in threshold_curve([one], RULE, decider, tolerance_s=0.1)}
    hours = one.trace.duration_s / 3600
    assert tuple(by_threshold) == THRESHOLDS
    assert (by_threshold[0.7].missed, by_threshold[0.7].false_per_hour) == (1.0, 0.0)
    assert (by_threshold[0.6].missed, by_threshold[0.6].false_per_hour) == (0.0, 0.0)
    assert (by_threshold[0.3].missed, by_threshold[0.3].false_per_hour) == (0.0, pytest.approx(1 / hours))


def test_events_are_replayed_by_the_same_rule_for_the_metrics_and_the_curve() -> None:
    one = scored([("a", 0.0, 0.3)], [0.65] * 4 + [0.0] * 4)
    result = measured(one)
    point = next(each for each in result.curve if each.enter == RULE.enter)
    assert point.missed == 1 - (result.recall.share or 0)
    assert replay(one.trace, lambda: decider(RULE)) == one.events


@pytest.mark.parametrize(
    "options", [{"tolerance_s": -1}, {"tolerance_s": float("nan")}, {"collar_s": 0}, {"max_false_per_hour": 0}]
)
def test_options_without_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="Expected"):
        MeasureOptions(**options)
