"""Fit a model of cost to published times.

    cycles = level of the library * speed of the core * (multiplications + weight * numbers moved)

All factors are fitted together, on relative errors, so that a model of 15 ms counts as much as one of 600 ms. Level
and speed are separate for float32 and int8, and speed for each number of threads. The weight is shared, since our
library's table has MobileNets only. docs/reference/fit.md compares other forms.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from edgevid.frames import Array
from edgevid.prediction.published import OURS, Arithmetic, Time, times
from edgevid.prediction.work import Work

# Library and arithmetic; core design, threads and arithmetic.
Level = tuple[str, Arithmetic]
Core = tuple[str, int, Arithmetic]
Key = TypeVar("Key")
_ROUNDS = 100


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fitted factors.

    Attributes:
        levels: Time of each library as a share of ours on the same core.
        cores: Cycles in millions per unit of work.
        weights: Units of work per million multiplications, and per million numbers moved.
    """

    levels: dict[Level, float]
    cores: dict[Core, float]
    weights: Array

    def cycles_m(self, work: Work, core: Core, engine: str = OURS) -> float:
        """Predict a time in millions of cycles."""
        return float(self.levels[engine, core[2]] * self.cores[core] * (_columns(work) @ self.weights))


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Published times by predicted times, where the fit had not seen what it predicts.

    Attributes:
        low: The lowest ratio, at most 1.
        high: The highest ratio, at least 1.
        typical: Root mean square of the relative error.
        unseen: How many times something was left out.
    """

    low: float
    high: float
    typical: float
    unseen: int


def fit(rows: Sequence[Time]) -> Fit:
    """Fit all factors to published times.

    Args:
        rows: At least one of each arithmetic is by our library.

    Returns:
        The fit, with our library's levels at 1.
    """
    work = np.array([_columns(row.work) for row in rows])
    cycles = np.array([row.cycles_m for row in rows])
    engines, designs = [_level(row) for row in rows], [_core(row) for row in rows]
    levels, cores = dict.fromkeys(engines, 1.0), dict.fromkeys(designs, 1.0)
    weights = np.ones(work.shape[1])
    for _ in range(_ROUNDS):
        factor = np.array([levels[level] * cores[core] for level, core in zip(engines, designs, strict=True)])
        weights = _non_negative(work * (factor / cycles)[:, None])
        left = np.log(cycles / (work @ weights))
        cores = _averages(left - np.log([levels[each] for each in engines]), designs)
        levels = _averages(left - np.log([cores[each] for each in designs]), engines)
        levels |= {level: 1.0 for level in levels if level[0] == OURS}
    return Fit(levels=levels, cores=cores, weights=weights)


@cache
def fitted() -> Fit:
    """Return the fit to all published times."""
    return fit(tuple(times()))


@cache
def model_errors(arithmetic: Arithmetic) -> Errors:
    """Leave each model out in turn, and compare its published times with the predictions of the rest."""
    return _errors(lambda row: row.model, lambda row: row.arithmetic == arithmetic)


@cache
def core_errors(arithmetic: Arithmetic) -> Errors:
    """Leave each core out of our library's table in turn, so that only the other library's times describe it."""

    def ours(row: Time) -> bool:
        return row.engine == OURS and row.arithmetic == arithmetic

    return _errors(lambda row: (row.engine == OURS, row.cpu), ours)


def _errors(group: Callable[[Time], object], counts: Callable[[Time], bool]) -> Errors:
    rows = tuple(times())
    groups = {group(row) for row in rows if counts(row)}
    ratios: list[float] = []
    for left_out in groups:
        rest = fit([row for row in rows if group(row) != left_out])
        unseen = [row for row in rows if group(row) == left_out and counts(row)]
        ratios += [row.cycles_m / rest.cycles_m(row.work, _core(row), row.engine) for row in unseen]
    logs = np.log(ratios)
    return Errors(
        low=min(*ratios, 1.0),
        high=max(*ratios, 1.0),
        typical=float(np.expm1(np.sqrt(np.mean(logs**2)))),
        unseen=len(groups),
    )


def _level(row: Time) -> Level:
    return row.engine, row.arithmetic


def _core(row: Time) -> Core:
    return row.cpu, row.threads, row.arithmetic


def _columns(work: Work) -> Array:
    # In millions, so that the factors are of like size.
    return np.array([work.products, work.moved + work.weights]) / 1e6


def _averages(logs: Array, keys: Sequence[Key]) -> dict[Key, float]:
    """Return the geometric mean of the rows of each key."""
    rows: dict[Key, list[float]] = {}
    for key, log in zip(keys, logs, strict=True):
        rows.setdefault(key, []).append(float(log))
    return {key: float(np.exp(np.mean(values))) for key, values in rows.items()}


def _non_negative(shares: Array) -> Array:
    """Solve `shares @ weights = 1` by least squares with weights of at least 0.

    Each set of columns is tried, and the best without a negative weight is the solution. Lawson and Hanson (1974,
    chapter 23) search where there are too many columns for that.
    """
    best, least = np.zeros(shares.shape[1]), np.inf
    for count in range(1, shares.shape[1] + 1):
        for columns in map(list, itertools.combinations(range(shares.shape[1]), count)):
            part = np.linalg.lstsq(shares[:, columns], np.ones(len(shares)), rcond=None)[0]
            error = float(np.sum((shares[:, columns] @ part - 1) ** 2))
            if part.min() >= 0 and error < least:
                best, least = np.zeros(shares.shape[1]), error
                best[columns] = part
    return best
