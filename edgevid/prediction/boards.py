"""Predict the time of a frame for each board. A prediction is no measurement: it has a range, and its basis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgevid.boards_and_cameras import Board, boards
from edgevid.bundle.parts import Precision
from edgevid.prediction.fit import Core, core_errors, fitted, model_errors
from edgevid.prediction.published import OURS, Arithmetic, models, tables
from edgevid.prediction.work import Work

Keeps = Literal["yes", "perhaps", "no"]
# The numbers of threads that the tables have.
THREADS = (1, 4)
# A model this many times smaller than any published one is named.
_SMALL = 10
# The arithmetic of which times are published, for each precision. XNNPACK widens the weights of float16 parts to
# float32. It does not run int16x8 at all: see `unpublished`.
_ARITHMETIC: Mapping[Precision, Arithmetic] = {
    "int8": "int8",
    "int16x8": "float32",
    "float16": "float32",
    "float32": "float32",
}


@dataclass(frozen=True, kw_only=True)
class PartWork:
    """The work of one part of a bundle.

    Attributes:
        precision: Types of its weights and activations.
        work: Counts of one run; a part runs once a frame.
    """

    precision: Precision
    work: Work


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The predicted time of a frame on one board.

    Attributes:
        board: Name of the board.
        model: The maker's name.
        predicted_ms: Time of all parts for one frame.
        low_ms: Lower end of the range.
        high_ms: Upper end of the range.
        interval_ms: Time between two frames that the model wants.
        keeps: Whether the board keeps the model's rate: "yes" if the whole range does, "perhaps" if a part of it does.
        basis: What the prediction rests on.
    """

    board: str
    model: str
    predicted_ms: float
    low_ms: float
    high_ms: float
    interval_ms: float
    keeps: Keeps
    basis: str


@dataclass(frozen=True)
class _Basis:
    """Where the speed of a core comes from: 0 of our library, 1 of another, 2 of a slower core."""

    core: Core
    words: str
    distance: int


def predict(parts: Sequence[PartWork], interval_s: float, *, threads: int = 1) -> list[Prediction]:
    """Predict the time of a frame on every board.

    Args:
        parts: The parts of a bundle.
        interval_s: Interval of the model's frames in seconds.
        threads: Number of interpreter threads, one of `THREADS`.

    Returns:
        One prediction per board, the slowest board first.
    """
    found = [_predict(board, parts, interval_s, threads) for board in boards().values()]
    return sorted(found, key=lambda each: (-each.predicted_ms, each.board))


def needed(predictions: Iterable[Prediction]) -> Prediction | None:
    """Return the slowest board that keeps the model's rate over the whole range; None if none does."""
    return next((each for each in predictions if each.keeps == "yes"), None)


def unpublished(parts: Sequence[PartWork]) -> tuple[str, ...]:
    """Describe what the published times do not cover, in sentences."""
    notes: list[str] = []
    if any(part.precision == "int16x8" for part in parts):
        notes.append("No times of int16x8 are published: such a part counts as float32, and may take far longer.")
    products = sum(part.work.products for part in parts)
    smallest = min(work.products for work in models().work.values())
    if products < smallest / _SMALL:
        notes.append(
            f"The model has {products / 1e6:.3g} million multiplications, the smallest published one "
            f"{smallest / 1e6:.3g} million: time between operators, which is not predicted, may be most of it."
        )
    return tuple(notes)


def _predict(board: Board, parts: Sequence[PartWork], interval_s: float, threads: int) -> Prediction:
    interval_ms = 1000 * interval_s
    total = low = high = 0.0
    words: dict[str, None] = {}
    for part in parts:
        basis = _basis(board.cpu, threads, _ARITHMETIC[part.precision])
        ms = 1000 * fitted().cycles_m(part.work, basis.core) / board.clock_mhz
        least, most = _range(basis)
        total, low, high = total + ms, low + least * ms, high + most * ms
        words[basis.words] = None
    return Prediction(
        board=board.name,
        model=board.model,
        predicted_ms=total,
        low_ms=low,
        high_ms=high,
        interval_ms=interval_ms,
        keeps="yes" if high <= interval_ms else "no" if low > interval_ms else "perhaps",
        basis="; ".join(words),
    )


def _basis(cpu: str, threads: int, arithmetic: Arithmetic) -> _Basis:
    core: Core = (cpu, threads, arithmetic)
    if core not in fitted().cores:
        slower = models().slower[cpu]
        return _Basis((slower, threads, arithmetic), f"{arithmetic}: as a {slower} at this clock, none published", 2)
    engines = {
        table.engine
        for table in tables()
        for run in table.runs
        if (run.cpu, run.threads) == (cpu, threads) and getattr(run, arithmetic)
    }
    if OURS in engines:
        return _Basis(core, f"{arithmetic}: {OURS} on {cpu}", 0)
    return _Basis(core, f"{arithmetic}: {' and '.join(sorted(engines))} on {cpu}", 1)


def _range(basis: _Basis) -> tuple[float, float]:
    """Return the share of a prediction at either end of its range."""
    unseen, elsewhere = model_errors(basis.core[2]), core_errors(basis.core[2])
    if basis.distance == 0:
        return unseen.low, unseen.high
    return unseen.low * elsewhere.low, unseen.high * elsewhere.high
