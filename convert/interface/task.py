"""Decides whether a model's numbers are scores of classes, by the loss that it was compiled with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convert.options import Options
from convert.training_info import TrainingInfo
from edgevid.bundle.manifest import Scores
from edgevid.errors import ModelError

# Parts of the names of losses, without "_" and in lower case.
_OF_CLASSES = ("crossentropy", "hinge", "focal", "kullback", "kldivergence", "kld")
_OF_VALUES = (
    *("mse", "mae", "mape", "msle", "rmse", "meansquared", "meanabsolute", "huber", "logcosh", "cosine"),
    *("poisson", "rootmean"),
)


def loss_of(stated: Any, name: str, place: int) -> str:
    """Return the name of the loss of one output, such as "mse"; "" if the file holds none.

    Args:
        stated: The loss as the model file describes it: one for all outputs, or a list or dictionary
            of one for each.
        name: Name of the output.
        place: Place of the output in the model.
    """
    if isinstance(stated, str):
        return stated
    if isinstance(stated, list):
        return loss_of(stated[place], name, place) if place < len(stated) else ""
    if not isinstance(stated, Mapping):
        return ""
    if "class_name" not in stated:
        return loss_of(stated.get(name), name, place)
    # A function is an object whose configuration is its name.
    inner = stated.get("config")
    return inner if isinstance(inner, str) else str(stated["class_name"]).rpartition(">")[2]


def class_notes(kind: Scores, width: int, loss: str, options: Options, info: TrainingInfo | None) -> list[str]:
    """Return the assumption that numbers are scores of classes, if nothing states it.

    Args:
        kind: Kind of the scores.
        width: How many numbers the output has.
        loss: Name of the output's loss, or "".
        options: Options of the conversion; `labels` states that there are classes.
        info: Training metadata, which states it too.

    Raises:
        ModelError: The loss is that of a regression, or one linear number has no known loss.
    """
    if options.regression or options.labels is not None or info is not None or kind == "softmax":
        return []
    plain = loss.lower().replace("_", "")
    if any(each in plain for each in _OF_CLASSES):
        return []
    if any(each in plain for each in _OF_VALUES):
        raise _not_classes(f"{width} number(s) trained with the loss {loss}")
    if kind == "sigmoid_logits":
        raise _not_classes("one number without a sigmoid, and no loss that shows its meaning")
    if kind == "logits":
        return [f"its {width} numbers are taken for scores of classes; pass --regression if they are values"]
    return []


def _not_classes(found: str) -> ModelError:
    return ModelError(
        expected="a classifier",
        found=found,
        hint="Pass --regression to deliver the numbers as values, or --labels FILE if they are scores of classes.",
    )
