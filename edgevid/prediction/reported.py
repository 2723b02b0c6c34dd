"""Predict from the report of a bundle, without a reader of `.tflite` files: a device's half has none."""

from __future__ import annotations

from typing import Any

from edgevid.bundle import Bundle
from edgevid.errors import ManifestInvalid
from edgevid.prediction.boards import THREADS, PartWork, predict
from edgevid.prediction.work import Work
from edgevid.schema import from_json

# Beyond it, a float no longer holds each integer.
_MOST = 2**53


def reported_work(bundle: Bundle) -> tuple[PartWork, ...]:
    """Return the work of each part that the conversion counted.

    No reader needs the report, so that a part it does not describe as expected is no error.

    Returns:
        One entry per part in their order, or none for a bundle without them.
    """
    places = bundle.report.get("placement")
    places = places if isinstance(places, list) else []
    by_role = {str(place.get("part")): place.get("work") for place in places if isinstance(place, dict)}
    works = [_work(by_role.get(part.role)) for part in bundle.manifest.parts]
    return tuple(
        PartWork(precision=part.precision, work=work)
        for part, work in zip(bundle.manifest.parts, works, strict=True)
        if work is not None and None not in works
    )


def slow_board(bundle: Bundle, board: str, *, threads: object = 1) -> str:
    """Describe why a board may not keep a model's rate.

    Args:
        bundle: The model.
        board: Name of the board.
        threads: The interpreter's, as in the options of `edgevid run`. Times are published of some numbers only; the
            next lower one is taken.

    Returns:
        A sentence; empty if the board should keep the rate, or if the report does not list the work.
    """
    parts = reported_work(bundle)
    if not parts:
        return ""
    count = max(each for each in THREADS if each <= max(threads, 1)) if isinstance(threads, int) else THREADS[0]
    predictions = predict(parts, bundle.manifest.window.interval_s, threads=count)
    found = next(each for each in predictions if each.board == board)
    if found.keeps == "yes":
        return ""
    return (
        f"the board {'will' if found.keeps == 'no' else 'may'} not keep the model's rate, by prediction: "
        f"{found.low_ms:.3g} to {found.high_ms:.3g} ms a frame on {count} thread{'s' if count > 1 else ''}, and a "
        f"frame every {found.interval_ms:.3g} ms. `edgevid fit` compares the boards."
    )


def _work(data: Any) -> Work | None:
    try:
        work = from_json(Work, data, "report.placement.work")
    except ManifestInvalid:
        return None
    return work if all(0 <= number <= _MOST for number in vars(work).values()) else None
