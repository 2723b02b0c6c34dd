"""Events from scores."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevid.errors import ContractError
from edgevid.events.decide import UNKNOWN, Decider, Event
from edgevid.events.rule import ClassDelay, ClassThresholds, DecisionRule

LABELS = ("none", "left", "right")
PLAIN = DecisionRule(smoothing_s=0, enter=0.6, exit=0.4, min_duration_s=0, cooldown_s=0, background=("none",))


def scores(left: float, right: float = 0.0) -> np.ndarray:
    return np.array([max(0.0, 1 - left - right), left, right], np.float32)


def play(decider: Decider, rows: list[np.ndarray], *, step_s: float = 0.1, start_s: float = 0.0) -> list[Event]:
    ended: list[Event] = []
    for index, row in enumerate(rows):
        ended.extend(decider.update(round(start_s + index * step_s, 9), row))
    return ended


def rule(**changes: object) -> DecisionRule:
    return DecisionRule(**{**{name: getattr(PLAIN, name) for name in PLAIN.__dataclass_fields__}, **changes})


def test_an_event_starts_where_the_score_crossed_exit_and_ends_where_it_last_held() -> None:
    decider = Decider(LABELS, PLAIN)
    events = play(decider, [scores(p) for p in (0.1, 0.45, 0.5, 0.7, 0.9, 0.5, 0.4, 0.3, 0.1)])
    assert len(events) == 1
    assert events[0].label == "left"
    assert events[0].start_s == pytest.approx(0.1)
    assert events[0].end_s == pytest.approx(0.6)
    assert events[0].score == pytest.approx(0.9)


def test_a_score_between_exit_and_enter_begins_nothing() -> None:
    decider = Decider(LABELS, PLAIN)
    assert play(decider, [scores(0.59)] * 20) == []
    assert decider.flush() == ()


@pytest.mark.parametrize(("score", "begins"), [(0.599, False), (0.6, True)])
def test_an_event_begins_at_enter(score: float, begins: bool) -> None:
    decider = Decider(LABELS, PLAIN)
    decider.update(0.0, [1 - score, score, 0.0])
    assert (decider.ongoing is not None) is begins


def test_a_dip_to_exit_does_not_end_an_event_and_a_dip_below_does() -> None:
    assert len(play(Decider(LABELS, PLAIN), [scores(p) for p in (0.9, 0.41, 0.9, 0.1)])) == 1
    assert len(play(Decider(LABELS, PLAIN), [scores(p) for p in (0.9, 0.39, 0.9, 0.1)])) == 2


def test_a_dip_below_exit_on_the_way_up_moves_the_start() -> None:
    events = play(Decider(LABELS, PLAIN), [scores(p) for p in (0.5, 0.3, 0.5, 0.7, 0.0)])
    assert events[0].start_s == pytest.approx(0.2)


def test_background_labels_are_never_events() -> None:
    decider = Decider(LABELS, PLAIN)
    assert play(decider, [scores(0.0)] * 10) == []
    assert decider.ongoing is None


@pytest.mark.parametrize(("frames", "reported"), [(2, False), (3, True), (4, True)])
def test_an_event_shorter_than_the_minimum_is_not_reported(frames: int, reported: bool) -> None:
    # Three decisions a tenth apart span 0.2 s, although 0.3 - 0.1 is less than 0.2 in floats.
    decider = Decider(LABELS, rule(min_duration_s=0.2))
    events = play(decider, [scores(0.0), *[scores(0.9)] * frames, scores(0.0)])
    assert bool(events) is reported


def test_an_event_is_shown_as_ongoing_only_when_it_will_be_reported() -> None:
    decider = Decider(LABELS, rule(min_duration_s=0.2))
    seen = []
    for index in range(4):
        decider.update(index * 0.1, scores(0.9))
        seen.append(decider.ongoing)
    assert seen[:2] == [None, None]
    assert seen[2] is not None
    assert seen[2].label == "left"
    assert seen[3] is not None
    assert seen[3].end_s == pytest.approx(0.3)


def test_an_event_starts_once_when_it_has_lasted_long_enough_with_the_age_of_that_answer() -> None:
    decider = Decider(LABELS, rule(min_duration_s=0.2), model="gestures")
    starts = []
    for index in range(6):
        decider.update(index / 10, scores(0.9), age_ms=10.0 + index)
        starts.append(decider.started)
    assert [start is not None for start in starts] == [False, False, True, False, False, False]
    (ended,) = decider.flush()
    assert (ended.model, ended.age_ms, ended.end_s) == ("gestures", 12.0, 0.5)
    assert (decider.started, decider.ongoing) == (None, None)


def test_an_event_that_takes_the_place_of_another_starts_as_that_one_ends() -> None:
    decider = Decider(LABELS, PLAIN)
    decider.update(0.0, scores(0.9))
    (ended,) = decider.update(0.1, scores(0.0, 0.9))
    assert (ended.label, decider.started.label) == ("left", "right")


def test_a_label_cools_down_after_its_event_and_another_label_does_not() -> None:
    decider = Decider(LABELS, rule(cooldown_s=0.5))
    left, right, quiet = scores(0.9), scores(0.0, 0.9), scores(0.0)
    events = play(decider, [left, quiet, left, quiet, right, quiet, left, left, quiet])
    assert [event.label for event in events] == ["left", "right", "left"]
    # The first ended at 0.0; 0.2 is within its cooldown, 0.6 is not.
    assert [event.start_s for event in events] == pytest.approx([0.0, 0.4, 0.6])


def test_a_score_that_stays_up_through_the_cooldown_begins_an_event_when_it_is_over() -> None:
    decider = Decider(LABELS, rule(cooldown_s=0.3))
    events = play(decider, [scores(p) for p in (0.9, 0.0, 0.9, 0.9, 0.9, 0.9, 0.0)])
    assert [event.start_s for event in events] == pytest.approx([0.0, 0.3])


def test_an_event_that_was_too_short_starts_no_cooldown() -> None:
    decider = Decider(LABELS, rule(min_duration_s=0.2, cooldown_s=5.0))
    events = play(decider, [scores(p) for p in (0.9, 0.0, 0.9, 0.9, 0.9, 0.0)])
    assert [event.start_s for event in events] == pytest.approx([0.2])


def test_another_label_that_leads_takes_the_place_of_the_open_one() -> None:
    decider = Decider(LABELS, rule(exit=0.1))
    events = play(decider, [scores(0.9), scores(0.8, 0.2), scores(0.3, 0.7), scores(0.0, 0.9), scores(0.0)])
    assert [event.label for event in events] == ["left", "right"]
    assert events[0].end_s == pytest.approx(0.1)
    # "right" was over exit at 0.1 already, where "left" still held.
    assert events[1].start_s == pytest.approx(0.1)


def test_a_label_that_comes_back_after_another_has_a_score_of_its_own() -> None:
    decider = Decider(LABELS, rule(exit=0.1))
    events = play(decider, [scores(0.9), scores(0.3, 0.7), scores(0.65, 0.3), scores(0.0)])
    assert [(event.label, round(float(event.score), 2)) for event in events] == [
        ("left", 0.9),
        ("right", 0.7),
        ("left", 0.65),
    ]


def test_smoothing_follows_the_time_constant_whatever_the_frame_rate() -> None:
    for step_s in (0.01, 0.05):
        decider = Decider(LABELS, rule(smoothing_s=0.5))
        decider.update(0.0, scores(0.0))
        play(decider, [scores(1.0)] * round(1.0 / step_s), step_s=step_s, start_s=step_s)
        ongoing = decider.ongoing
        assert ongoing is not None
        assert ongoing.score == pytest.approx(1 - np.exp(-1.0 / 0.5), abs=1e-6)


def test_smoothing_starts_at_the_first_scores() -> None:
    decider = Decider(LABELS, rule(smoothing_s=10.0))
    decider.update(0.0, scores(0.9))
    assert decider.ongoing is not None


def test_flush_ends_the_open_event_and_forgets_the_scores_before_a_gap() -> None:
    decider = Decider(LABELS, rule(smoothing_s=10.0))
    play(decider, [scores(0.9)] * 5)
    (event,) = decider.flush()
    assert (event.start_s, event.end_s) == pytest.approx((0.0, 0.4))
    assert decider.flush() == ()
    assert decider.update(100.0, scores(0.0)) == ()
    assert decider.ongoing is None


def test_a_clock_set_back_does_not_freeze_a_label() -> None:
    decider = Decider(LABELS, rule(cooldown_s=0.5))
    play(decider, [scores(0.9)], start_s=1000.0)
    assert len(decider.flush()) == 1
    decider.update(1.0, scores(0.9))
    assert decider.ongoing is not None


@pytest.mark.parametrize(
    ("row", "t_s"),
    [
        (np.array([0.5, np.nan, 0.5], np.float32), 1.0),
        (np.zeros(2, np.float32), 1.0),
        (scores(0.5), 0.0),
        (scores(0.5), -1.0),
    ],
    ids=["not finite", "wrong shape", "time stands still", "time runs back"],
)
def test_what_breaks_the_contract_is_refused(row: np.ndarray, t_s: float) -> None:
    decider = Decider(LABELS, PLAIN)
    decider.update(0.0, scores(0.5))
    with pytest.raises(ContractError, match="Expected"):
        decider.update(t_s, row)


probabilities = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(
    lambda pair: scores(pair[0] * 0.99, (1 - pair[0] * 0.99) * pair[1])
)
steps = st.tuples(st.sampled_from([0.03, 0.1, 0.4]), probabilities, st.sampled_from([False] * 9 + [True]))
rules = st.builds(
    lambda enter, share, smoothing, shortest, cooldown: DecisionRule(
        smoothing_s=smoothing,
        enter=enter,
        exit=enter * share,
        min_duration_s=shortest,
        cooldown_s=cooldown,
        background=("none",),
    ),
    st.floats(0.2, 0.9),
    st.floats(0.2, 1.0),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.sampled_from([0.0, 0.3, 1.0]),
)


@settings(max_examples=150, deadline=None)
@given(rules, st.lists(steps, min_size=5, max_size=60))
def test_events_never_overlap_and_keep_the_rule(
    given_rule: DecisionRule, stream: list[tuple[float, np.ndarray, bool]]
) -> None:
    decider, events, starts, t_s = Decider(LABELS, given_rule), [], [], 0.0
    for step_s, row, gap in stream:
        if gap:
            events.extend(decider.flush())
            t_s += 3.0
        t_s += step_s
        events.extend(decider.update(t_s, row))
        starts.extend([decider.started] if decider.started else [])
    events.extend(decider.flush())
    assert [(event.label, event.start_s) for event in starts] == [(event.label, event.start_s) for event in events]
    assert all(event.end_s - event.start_s >= given_rule.min_duration_s - 1e-5 for event in events)
    assert all(event.score >= given_rule.enter for event in events)
    assert all(after.start_s >= before.end_s for before, after in itertools.pairwise(events))
    for label in LABELS:
        own = [event for event in events if event.label == label]
        assert not (own and label in given_rule.background)
        assert all(
            after.start_s - before.end_s >= given_rule.cooldown_s - 1e-5 for before, after in itertools.pairwise(own)
        )


def test_a_class_may_have_thresholds_of_its_own() -> None:
    own = rule(thresholds=(ClassThresholds(label="left", enter=0.3, exit=0.2),))
    decider = Decider(LABELS, own)
    assert [
        event.label for event in [*play(decider, [scores(0.35, 0.0), scores(0.0, 0.35), scores(0.0, 0.7), scores(0.0)])]
    ] == ["left", "right"]


def test_a_class_that_reaches_its_own_threshold_begins_though_a_higher_one_misses_its_own() -> None:
    decider = Decider(LABELS, rule(exit=0.1, thresholds=(ClassThresholds(label="left", enter=0.3, exit=0.2),)))
    decider.update(0.0, scores(0.35, 0.5))
    assert decider.ongoing is not None
    assert decider.ongoing.label == "left"


@pytest.mark.parametrize(("top", "label"), [(0.5, "left"), (0.499, UNKNOWN)])
def test_a_decision_below_what_counts_as_known_names_no_class(top: float, label: str) -> None:
    decider = Decider(LABELS, rule(unknown_below=0.5))
    assert decider.name([0.0, top, 0.1]) == (label, top)


def test_an_event_lies_earlier_by_the_delay_and_is_announced_when_it_was_known() -> None:
    decider = Decider(LABELS, rule(min_duration_s=0.2), delay_s=0.3)
    decider.began_s = -1.0
    events = play(decider, [scores(p) for p in (0.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.0)])
    assert [(each.start_s, each.end_s, each.announced_s) for each in events] == [pytest.approx((-0.2, 0.2, 0.3))]


def test_a_measured_delay_replaces_the_default_for_its_label_only() -> None:
    own = rule(delays=(ClassDelay(label="left", start_s=0.1, end_s=0.2),))
    decider = Decider(LABELS, own, delay_s=0.3)
    decider.began_s = -1.0
    events = play(decider, [scores(0.9)] * 4 + [scores(0.0)] * 8 + [scores(0.0, 0.9)] * 4 + [scores(0.0)])
    assert [(each.label, each.start_s, each.end_s) for each in events] == [
        ("left", pytest.approx(-0.1), pytest.approx(0.1)),
        ("right", pytest.approx(0.9), pytest.approx(1.2)),
    ]


def test_no_event_begins_before_the_first_frame_or_within_the_event_before() -> None:
    decider = Decider(LABELS, PLAIN, delay_s=0.5)
    decider.began_s = -0.3
    events = play(decider, [scores(0.9)] * 3 + [scores(0.0, 0.9)] * 3 + [scores(0.0)])
    assert [(each.start_s, each.end_s) for each in events] == [pytest.approx((-0.3, -0.3)), pytest.approx((-0.2, 0.0))]
    decider.flush()
    decider.update(10.0, scores(0.9))
    assert decider.ongoing is not None
    assert decider.ongoing.start_s == 10.0


def test_an_estimate_is_never_later_than_what_was_seen() -> None:
    # The score of a long action may rise before the time that people call its start.
    decider = Decider(LABELS, rule(delays=(ClassDelay(label="left", start_s=-0.15, end_s=-9.0),)))
    events = play(decider, [scores(0.9)] * 4 + [scores(0.0)])
    assert [(each.start_s, each.end_s, each.announced_s) for each in events] == [pytest.approx((0.0, 0.4, 0.0))]


def test_start_and_end_of_an_event_report_the_same_start() -> None:
    decider = Decider(LABELS, rule(delays=(ClassDelay(label="left", start_s=-0.15, end_s=0.0),)))
    decider.update(0.0, scores(0.9))
    started = decider.started
    assert started is not None
    decider.update(0.1, scores(0.9))
    (ended,) = decider.flush()
    assert ended.start_s == started.start_s


def test_windows_that_last_longer_delay_events_by_as_much() -> None:
    decider = Decider(LABELS, PLAIN, delay_s=0.2)
    decider.slow_down(2)
    decider.began_s = -1.0
    (event,) = play(decider, [scores(0.9)] * 3 + [scores(0.0)])
    assert (event.start_s, event.end_s) == pytest.approx((-0.4, -0.2))
