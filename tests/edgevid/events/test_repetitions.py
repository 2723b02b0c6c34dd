"""Repetitions in drawn signals whose count is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest

import edgevid
from edgevid.errors import UsageError
from edgevid.events.decide import Decision
from edgevid.events.repetitions import Repetition, RepetitionCounter, count

PHASES, LABELS = ("up", "down"), ("down", "none", "up")
FPS = 10.0


def moves(*depths: float, seconds: float = 1.5, rest_s: float = 0.5, fps: float = FPS) -> list[float]:
    """Draw movements from 0 to each depth and back, with a rest before, between and after them."""
    rest = [0.0] * round(rest_s * fps)
    turn = (1 - np.cos(np.linspace(0, 2 * np.pi, round(seconds * fps) + 1))) / 2
    return [*rest, *(score for depth in depths for score in (*(depth * turn).tolist(), *rest))]


def phases(down: float) -> list[float]:
    """Return the scores of a model of two phases, of which a third is never seen."""
    return [down, 0.0, 1 - down]


def counted(signal: Iterable[float], *, fps: float = FPS, **options: float) -> tuple[int, int]:
    """Count a signal as the phases of a cycle, and as one class that swings."""
    cycle, swing = RepetitionCounter(PHASES, LABELS, **options), RepetitionCounter(("down",), LABELS, **options)
    for index, down in enumerate(signal):
        cycle.update(index / fps, phases(down))
        swing.update(index / fps, phases(down))
    return cycle.count, swing.count


def drawn(seed: int, *, fps: float, period_s: tuple[float, float]) -> tuple[list[float], int]:
    """Draw a workout: noise, flickering answers, rests, half repetitions, and each at a speed of its own."""
    rng = np.random.default_rng(seed)
    number = int(rng.integers(0, 25))
    signal = [0.0] * round(fps)
    for _ in range(number):
        signal += moves(rng.uniform(0.85, 1.0), seconds=rng.uniform(*period_s), rest_s=0, fps=fps)
        if rng.random() < 0.2:
            signal += [0.0] * round(fps * rng.uniform(1.0, 8.0))
        if rng.random() < 0.2:
            signal += moves(rng.uniform(0.2, 0.4), seconds=1.2, rest_s=0, fps=fps)
    noisy = np.array(signal + [0.0] * round(fps)) + rng.normal(0, 0.08, len(signal) + round(fps))
    flickers = rng.random(len(noisy)) < 0.01
    return np.where(flickers, 1 - noisy, noisy).clip(0, 1).tolist(), number


@pytest.mark.parametrize("fps", [8.0, 10.0, 15.0, 30.0])
@pytest.mark.parametrize("period_s", [(0.9, 1.2), (0.9, 3.0), (2.0, 6.0)], ids=str)
def test_workouts_are_counted_as_the_literature_scores_it(fps: float, period_s: tuple[float, float]) -> None:
    workouts = [drawn(seed, fps=fps, period_s=period_s) for seed in range(40)]
    for kind in (0, 1):
        errors = [abs(counted(signal, fps=fps)[kind] - number) for signal, number in workouts]
        # RepNet's metrics: the mean error over the true count, and the share that is off by more than one.
        assert np.mean([error / max(number, 1) for error, (_, number) in zip(errors, workouts, strict=True)]) < 0.02
        assert np.mean([error > 1 for error in errors]) <= 0.025


def test_a_whole_movement_counts_in_the_answer_that_completes_it() -> None:
    counter = RepetitionCounter(PHASES, LABELS)
    found = [counter.update(index / FPS, phases(down)) for index, down in enumerate(moves(1.0, 1.0))]
    ends = [index for index, each in enumerate(found) if each is not None]
    first, second = (each for each in found if each is not None)
    assert (first.name, first.number, second.number, counter.count) == ("up,down", 1, 2, 2)
    # Up at 0.0 s, down at about 1.2 s, up again before 2.0 s: the middle of three answers is 0.1 s late.
    assert first.start_s == 0.0
    assert 1.5 < first.end_s < 2.1
    assert second.start_s == first.end_s
    assert [round(each.end_s * FPS) for each in (first, second)] == ends


def test_a_swing_begins_at_the_end_of_the_rest_before_it() -> None:
    counter = RepetitionCounter(["down"], LABELS)
    signal = moves(1.0, rest_s=5.0)
    (found,) = [each for index, down in enumerate(signal) if (each := counter.update(index / FPS, phases(down)))]
    assert found.start_s == pytest.approx(5.0, abs=0.21)
    assert found.end_s < 6.6


@pytest.mark.parametrize("depth", [0.2, 0.4])
def test_half_movements_do_not_count(depth: float) -> None:
    assert counted(moves(1.0, depth, depth, 1.0, depth)) == (2, 2)


def test_a_recording_that_begins_half_way_counts_from_the_first_whole_movement() -> None:
    whole = moves(1.0, 1.0, rest_s=0)
    assert counted(whole[len(whole) // 4 :]) == (1, 1)


def test_a_rest_in_any_position_does_not_matter() -> None:
    signal = moves(1.0, 1.0, 1.0)
    bottom = signal.index(max(signal))
    assert counted([*signal[:bottom], *[1.0] * 600, *signal[bottom:], *[0.0] * 600]) == (3, 3)


def test_a_flickering_answer_is_no_movement() -> None:
    signal = [0.0] * 30
    signal[10] = signal[20] = 1.0
    assert counted(signal) == (0, 0)
    assert counted(signal, smoothing_s=0, shortest_s=0) == (2, 2)


def test_movements_that_are_shorter_than_asked_do_not_count() -> None:
    signal = moves(*[1.0] * 10, seconds=0.6, rest_s=0)
    assert counted(signal, smoothing_s=0) == (10, 10)
    assert counted(signal, smoothing_s=0, shortest_s=1.0) == (0, 0)


def test_scores_that_never_reach_the_ends_count_by_how_far_they_swing() -> None:
    wave = [0.35 + 0.5 * each for each in moves(*[1.0] * 5)]
    assert counted(wave, swing=0.5)[1] == 0
    assert counted(wave, swing=0.4)[1] == 5
    # Only one of the phases is ever sure.
    assert counted(wave, enter=0.7)[0] == 0
    assert counted(wave, enter=0.6)[0] == 5


def show(counter: RepetitionCounter, order: str, labels: Sequence[str]) -> int:
    for index, letter in enumerate(order):
        for step in range(5):
            counter.update((5 * index + step) / FPS, [float(label == letter) for label in labels])
    return counter.count


@pytest.mark.parametrize(
    ("order", "whole"),
    {
        "abca": 1,
        "abcabca": 2,
        "abab": 0,
        "aba": 0,
        "abcbca": 1,
        "acba": 0,
        "bca": 0,
        "aca": 0,
        "bcabca": 1,
        "axbxcxa": 1,
        "abxxxca": 1,
    }.items(),
)
def test_a_cycle_passes_all_phases_in_their_order(order: str, whole: int) -> None:
    assert show(RepetitionCounter("abc", "abcx"), order, "abcx") == whole


def test_a_new_set_counts_from_nothing() -> None:
    counter = RepetitionCounter("ab", "ab")
    assert show(counter, "aba", "ab") == 1
    counter.reset()
    assert counter.count == 0
    assert show(counter, "ba", "ab") == 0


def test_time_that_runs_backwards_forgets_half_a_movement_and_keeps_the_count() -> None:
    counter = RepetitionCounter("ab", "ab")
    assert show(counter, "abab", "ab") == 1
    assert show(counter, "a", "ab") == 1
    assert show(counter, "aba", "ab") == 2


def decisions(signal: Sequence[float]) -> list[Decision]:
    return [Decision(index / FPS, "up", 1.0, phases(down), 0.0, LABELS, "squats") for index, down in enumerate(signal)]


def test_decisions_of_a_model_are_counted_as_they_come() -> None:
    stream = iter(decisions(moves(1.0, 1.0, 1.0)))
    found = count(stream, *PHASES)
    assert next(found) == Repetition("up,down", 1, 0.0, pytest.approx(1.8, abs=0.2))
    # Nothing is read ahead.
    assert next(stream).t_s == pytest.approx(1.8, abs=0.3)
    assert [each.number for each in found] == [2, 3]
    assert list(edgevid.count([], "any")) == []


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("up", "dwon"), {}, "Expected a class to count, one of down, none, up, got 'dwon'."),
        (("up", "up"), {}, "Expected phases that are all different, got ('up', 'up')."),
        ((), {}, "Expected at least one class to count, got none."),
        (("up",), {"swing": 0.0}, "Expected swing above 0, to 1, got 0.0."),
        (("up",), {"enter": 1.5}, "Expected enter above 0, to 1, got 1.5."),
        (("up",), {"smoothing_s": -1.0}, "Expected smoothing_s of 0 or more, got -1.0."),
        (("up",), {"shortest_s": float("nan")}, "Expected shortest_s of 0 or more, got nan."),
    ],
)
def test_what_cannot_be_counted_is_an_error(names: tuple[str, ...], options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError) as error:
        list(count(decisions([0.0]), *names, **options))
    assert str(error.value) == message


def test_counting_for_hours_takes_no_more_memory() -> None:
    counter = RepetitionCounter(PHASES, LABELS)
    for index in range(20_000):
        counter.update(index / 25, phases(index // 50 % 2))
    assert counter.count == 199
    assert all(len(median._values) == len(median._sorted) <= 6 for median in counter._medians)
