"""The results of training as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from convert.training.cross_validation import CrossValidation, Score
from convert.training.fit import TrainedModel
from convert.training.metrics import Evaluation
from convert.training.transfer_facts import TransferFacts


def report(trained: TrainedModel, *, seconds: float) -> dict[str, Any]:
    """Return the results as `json.dumps` accepts them.

    Args:
        trained: The model and its metrics.
        seconds: Time that training took.

    Returns:
        Always "labels", "seconds", "cached" (clips whose features were on disk already) and
        "epochs". With folds or a hold-out "accuracy", "low" and "high" (a 95 % interval), "clips",
        "confusion" and "predictions"; with folds also "folds", "groups" (the worst first), "chance"
        and "learned"; with a frozen encoder "encoder", "streams", "head", "losses" and "int8".
    """
    cached = 0 if trained.transfer is None else trained.transfer.cached
    return {
        "labels": list(trained.info.labels),
        "seconds": round(seconds, 1),
        "cached": cached,
        "epochs": len(trained.history),
        **_of_evaluation(trained.evaluation),
        **_of_folds(trained.cross_validation),
        **_of_transfer(trained.transfer),
    }


def _of_evaluation(evaluation: Evaluation | None) -> dict[str, Any]:
    if evaluation is None:
        return {}
    return {
        "accuracy": evaluation.accuracy,
        "low": evaluation.low,
        "high": evaluation.high,
        "clips": len(evaluation.predictions),
        "confusion": [list(row) for row in evaluation.confusion],
        "predictions": [
            {"path": str(each.path), "truth": each.truth, "answer": each.answer, "scores": list(each.scores)}
            for each in evaluation.predictions
        ],
    }


def _of_folds(measured: CrossValidation | None) -> dict[str, Any]:
    if measured is None:
        return {}
    return {
        "folds": [{"groups": list(fold.groups), "method": fold.method, **score(fold.score)} for fold in measured.folds],
        "groups": {name: score(each) for name, each in measured.groups.items()},
        "int8": None if measured.int8 is None else score(measured.int8),
        "chance": measured.chance,
        "learned": measured.is_learned,
    }


def _of_transfer(facts: TransferFacts | None) -> dict[str, Any]:
    if facts is None:
        return {}
    stated = asdict(facts)
    return {**stated, "streams": list(facts.streams), "losses": dict(facts.losses)}


def score(value: Score) -> dict[str, Any]:
    """Return an accuracy with its interval as JSON has it."""
    return asdict(value)
