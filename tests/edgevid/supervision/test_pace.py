"""The pacer second by second: from observations to levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from edgevid.supervision.pace import LEVELS, Change, Pace, Pacer, paces

Seconds = Iterable[tuple[float | None, bool]]


def play(pacer: Pacer, *stretches: tuple[int, float | None, bool], start_s: int = 0) -> list[tuple[int, int, str]]:
    """Play stretches of (seconds, demand, throttled); return each change as (second, level, cause)."""
    changes, now_s = [], start_s
    for seconds, demand, throttled in stretches:
        for _ in range(seconds):
            change = pacer.update(now_s, demand=demand, throttled=throttled)
            if change:
                changes.append((now_s, change.level, change.cause))
            now_s += 1
    return changes


COOL, HOT = False, True


@pytest.mark.parametrize(
    ("stretches", "changes"),
    [
        ([(100, 0.5, COOL)], []),
        ([(100, 0.89, COOL)], []),
        ([(2, 1.5, COOL), (100, 0.5, COOL)], []),
        ([(4, 1.5, COOL), (2, 0.9, COOL)], [(3, 1, "late")]),
        ([(40, 1.5, COOL)], [(3, 1, "late"), (8, 2, "late"), (13, 3, "late"), (18, 3, "exhausted")]),
        ([(40, 0.3, HOT)], [(0, 1, "hot"), (30, 2, "hot")]),
        ([(200, 0.3, HOT)], [(0, 1, "hot"), (30, 2, "hot"), (60, 3, "hot")]),
        ([(1, 0.3, HOT), (40, 0.3, COOL)], [(0, 1, "hot"), (21, 0, "recovered")]),
        ([(10, 1.5, COOL), (50, None, COOL)], [(3, 1, "late"), (8, 2, "late")]),
        ([(50, None, HOT)], [(0, 1, "hot"), (30, 2, "hot")]),
    ],
    ids=[
        "at ease",
        "just in time",
        "late for a moment",
        "late",
        "late at every level",
        "hot",
        "hot for long",
        "hot for a moment",
        "then no frames come",
        "hot without frames",
    ],
)
def test_levels_follow_what_is_observed(
    stretches: list[tuple[int, float | None, bool]], changes: list[tuple[int, int, str]]
) -> None:
    assert play(Pacer(), *stretches) == changes


def test_a_level_is_left_only_when_the_better_one_is_expected_to_hold() -> None:
    """Twice the rate costs twice as much: the measured saving prevents repeated attempts to recover."""
    pacer = Pacer()
    assert play(pacer, (4, 1.6, COOL), (200, 0.8, COOL)) == [(3, 1, "late")]
    assert play(pacer, (60, 0.36, COOL), start_s=300) == []
    assert play(pacer, (60, 0.34, COOL), start_s=400) == [(420, 0, "recovered")]


def test_a_level_that_saved_little_is_left_as_soon_as_there_is_room() -> None:
    pacer = Pacer()
    assert play(pacer, (4, 0.95, COOL), (1, 0.9, COOL), (60, 0.65, COOL)) == [(3, 1, "late"), (25, 0, "recovered")]


@pytest.mark.parametrize("demand_at_full_rate", [0.95, 1.1, 1.7, 2.5, 3.5])
def test_a_steady_load_ends_at_one_level_and_stays(demand_at_full_rate: float) -> None:
    """No level is left for one that the same load would only drive it out of again."""
    pacer, cost = Pacer(), full_model(demand_at_full_rate)
    changes = []
    for now_s in range(3600):
        change = pacer.update(now_s, demand=cost(pacer.pace), throttled=False)
        if change and change.cause != "exhausted":
            changes.append(change.level)
    assert changes == sorted(set(changes))
    assert cost(pacer.pace) <= 0.9


def full_model(demand: float) -> Callable[[Pace], float]:
    """Four fifths encoder, one fifth head."""
    return lambda pace: demand * (0.8 + 0.2 / pace.stride) / pace.slowdown


def test_an_overload_that_passes_is_recovered_from_to_the_last_step() -> None:
    pacer = Pacer()
    levels = []
    for now_s in range(400):
        change = pacer.update(now_s, demand=full_model(1.7 if now_s < 60 else 0.3)(pacer.pace), throttled=False)
        if change:
            levels.append(change.level)
    assert levels == [1, 2, 1, 0]
    assert pacer.pace == Pace(1, 1)


def test_stride_grows_before_the_rate_falls_and_no_level_is_dearer_than_the_one_before() -> None:
    assert LEVELS[0] == Pace(1, 1)
    assert LEVELS[1].slowdown == 1
    costs = [full_model(1.0)(pace) for pace in LEVELS]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)


def test_a_change_says_what_it_costs_and_why() -> None:
    late = str(Change(2, LEVELS[2], "late", 1.3))
    assert late == (
        "pace level 2 of 3: a decision after every 2 frames, frames 2 times the training interval apart: "
        "windows are 2 times as long as in training; processing a frame takes 130% of the time between two"
    )
    assert (
        str(Change(0, LEVELS[0], "recovered", 0.3))
        == "pace level 0 of 3: a decision after every sampled frame; the load has dropped"
    )
    assert "no lower level is left" in str(Change(3, LEVELS[3], "exhausted", 2.0))
    assert "the board is throttled" in str(Change(1, LEVELS[1], "hot", 0.3))


def test_a_run_whose_models_all_keep_a_state_goes_from_full_pace_to_a_lower_rate_and_back() -> None:
    """A longer stride saves such a model nothing, so it would only be late for longer."""
    assert paces(keeps_state=True) == {0: Pace(1, 1), 2: Pace(1, 2), 3: Pace(1, 4)}
    pacer = Pacer(levels=paces(keeps_state=True))
    changes = play(pacer, (10, 1.7, COOL))
    assert changes == [(3, 2, "late"), (8, 3, "late")]
    assert play(pacer, (90, 0.2, COOL), start_s=10)[-2:] == [(30, 2, "recovered"), (51, 0, "recovered")]


def test_a_state_is_said_to_answer_after_every_frame_at_every_level() -> None:
    change = Pacer(levels=paces(keeps_state=True)).update(0, demand=0.3, throttled=True)
    assert str(change).startswith(
        "pace level 2 of 3: a decision after every sampled frame, frames 2 times the training interval apart"
    )


@pytest.mark.parametrize("demand_at_full_rate", [0.95, 1.1, 1.7, 2.5, 3.5])
def test_a_steady_load_of_a_state_ends_at_one_level_and_stays(demand_at_full_rate: float) -> None:
    pacer, changes = Pacer(levels=paces(keeps_state=True)), []
    for now_s in range(3600):
        change = pacer.update(now_s, demand=demand_at_full_rate / pacer.pace.slowdown, throttled=False)
        if change and change.cause != "exhausted":
            changes.append(change.level)
    assert changes == sorted(set(changes))
    assert 1 not in changes
    assert demand_at_full_rate / pacer.pace.slowdown <= 0.9
