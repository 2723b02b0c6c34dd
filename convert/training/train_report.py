"""The results of training and evaluation as JSON."""

from __future__ import annotations

from typing import Any

from convert.training.cross_validation import CrossValidation, LearningCurve
from convert.training.fit import TrainedModel
from convert.training.metrics import Evaluation
from convert.training.transfer_facts import TransferFacts
from edgevid.schema import to_json


def report(trained: TrainedModel, *, seconds: float) -> dict[str, Any]:
    """Return the results as `json.dumps` accepts them.

    Args:
        trained: The model and its metrics.
        seconds: Time that training took.

    Returns:
        Always "labels", "seconds", "cached" (clips whose features were on disk already) and
        "epochs". With folds or a hold-out "accuracy", "low" and "high" (a 95 % interval), "clips",
        "confusion" and "predictions"; with folds also "folds", "groups" (the worst first), "chance",
        "learned" and "learning_curve" (accuracy by clips of each class, and what ten more may bring;
        None if it was not measured); with a frozen encoder "encoder", "streams", "head", "losses" and "int8".
    """
    cached = 0 if trained.transfer is None else trained.transfer.cached
    return {
        "labels": list(trained.info.labels),
        "seconds": round(seconds, 1),
        "cached": cached,
        "epochs": len(trained.history),
        **({} if trained.evaluation is None else evaluation_json(trained.evaluation)),
        **_of_folds(trained.cross_validation),
        **_of_transfer(trained.transfer),
    }


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return metrics with the number of clips and the answer to each, as `json.dumps` accepts them."""
    metrics = to_json(evaluation)
    for each in metrics["predictions"]:
        each["path"] = str(each["path"])
    skipped = [{"path": str(path), "reason": reason} for path, reason in metrics.pop("skipped")]
    return {"clips": len(evaluation.predictions), **metrics, "skipped": skipped}


def _of_folds(measured: CrossValidation | None) -> dict[str, Any]:
    if measured is None:
        return {}
    return {
        "folds": [
            {"groups": list(fold.groups), "method": fold.method, **to_json(fold.score)} for fold in measured.folds
        ],
        "groups": {name: to_json(each) for name, each in measured.groups.items()},
        "int8": None if measured.int8 is None else to_json(measured.int8),
        "chance": measured.chance,
        "learned": measured.is_learned,
        "learning_curve": None if measured.curve is None else _of_curve(measured.curve),
    }


def _of_curve(curve: LearningCurve) -> dict[str, Any]:
    return {
        "points": [{"clips_per_class": each.clips_per_class, **to_json(each.score)} for each in curve.points],
        "last": to_json(curve.last),
        "ten_more": to_json(curve.forecast(10)),
    }


def _of_transfer(facts: TransferFacts | None) -> dict[str, Any]:
    if facts is None:
        return {}
    stated: dict[str, Any] = to_json(facts)
    return stated
