"""Which of a model's outputs gives the scores, what comes beside them, and the last step from either to a list of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from convert.graph.arguments import flat
from convert.graph.layer_graph import ModelGraph
from convert.interface.scores import ending
from edgevid.bundle.manifest import MAX_VALUES
from edgevid.errors import ModelError, UsageError


class OutputAdapter:
    """The last step from a model's output to scores: axes of one are dropped, and of answers for every frame the newest is taken.

    Args:
        newest: Whether the output has an axis of time.
        classes: How many scores there are.
        name: What is given.

    Attributes:
        newest_only: Whether it takes the newest frame out of a window.
        classes: How many scores there are.
        name: What is given.
    """

    trainable_weights = ()

    def __init__(self, *, newest: bool, classes: int, name: str = "scores") -> None:
        self.newest_only = newest
        self.classes = classes
        self.name = name

    def __call__(self, answer: Any) -> Any:
        """Give scores.

        Args:
            answer: The model's output, with the batch.

        Returns:
            (N, classes).
        """
        import tensorflow as tf

        return tf.reshape(answer[:, -1] if self.newest_only else answer, (-1, self.classes))


def in_order(model: Any, answers: Any) -> list[Any]:
    """A model's outputs in the order in which it lists them: of a dictionary each framework has its own.

    Args:
        model: Of either framework.
        answers: What it gave.

    Returns:
        Tensors.
    """
    if not isinstance(answers, dict):
        return flat(answers)
    if type(model).__module__.startswith("tf_keras"):
        import tensorflow as tf

        return list(tf.nest.flatten(answers))
    import keras

    return list(keras.tree.flatten(answers))


def choose(whole: ModelGraph, asked: str | None) -> int:
    """Which output gives the scores: the one asked for, else the first that ends in probabilities, else the first.

    Args:
        whole: The model.
        asked: Name or number of an output, or None.

    Returns:
        Its place.

    Raises:
        UsageError: There is no such output.
    """
    names = list(whole.output_names)
    if asked is not None:
        if asked not in (*names, *map(str, range(len(names)))):
            raise UsageError(expected="--scores", choices=names, got=asked)
        return names.index(asked) if asked in names else int(asked)
    endings = [ending(whole.calls, tensor) for tensor in whole.outputs]
    return next((place for wanted in ("softmax", "sigmoid") for place, each in enumerate(endings) if each == wanted), 0)


def beside(whole: ModelGraph, index: int, frames: int) -> dict[int, OutputAdapter | None]:
    """The other outputs that are lists of numbers, each with its last step: of values for every frame the newest frame's are given.

    Args:
        whole: The model.
        index: The output that gives the scores.
        frames: Length of the window.

    Returns:
        From their places to their last steps; None where there is nothing to do.
    """
    found: dict[int, OutputAdapter | None] = {}
    for place, (shape, name) in enumerate(zip(whole.output_shapes, whole.output_names, strict=True)):
        newest = len(shape) > 1 and shape[0] in (None, frames)
        sizes = shape[1:] if newest else shape
        if (
            place == index
            or None in sizes
            or not 1 <= math.prod(size or 1 for size in sizes) <= MAX_VALUES
            or whole.outputs[place] == whole.outputs[index]
        ):
            continue
        found[place] = (
            None
            if len(shape) == 1
            else OutputAdapter(newest=newest, classes=math.prod(size or 1 for size in sizes), name=name)
        )
    return found


def notes(whole: ModelGraph, index: int, beside: Mapping[int, OutputAdapter | None], *, asked: str | None) -> list[str]:
    """Say which outputs were taken for what.

    Args:
        whole: The model.
        index: The output that gives the scores.
        beside: Those that come beside them, by their place.
        asked: What a person said of it.

    Returns:
        Notes; none for a model of one output.
    """
    names = whole.output_names
    if len(names) == 1:
        return []
    left = [name for place, name in enumerate(names) if place not in (index, *beside)]
    given = [names[place] for place in beside]
    told = [
        f"of {len(names)} outputs {names[index]!r} gives the scores"
        + ("" if asked else "; give --scores NAME for another")
    ]
    told += [f"{', '.join(given)} comes beside the scores, as values; --scores-only leaves it out"] if given else []
    return told + ([f"{', '.join(left)} is left out"] if left else [])


def end(whole: ModelGraph, index: int, frames: int) -> OutputAdapter | None:
    """Give the last step to the scores.

    Args:
        whole: The model.
        index: The output that gives them.
        frames: Length of the window.

    Returns:
        The step; None where the output is the scores.

    Raises:
        ModelError: It is no list of classes.
    """
    shape = whole.output_shapes[index]
    if len(shape) == 1:
        return None
    sizes = [size for size in shape if size != 1]
    if len(sizes) <= 1 and None not in sizes:
        return OutputAdapter(newest=False, classes=int(sizes[0] or 1) if sizes else 1)
    if len(shape) == 2 and shape[0] in (None, frames) and shape[1] is not None and _answers_by_frame(whole, index):
        return OutputAdapter(newest=True, classes=int(shape[1]))
    raise ModelError(
        expected="a classifier with an output of (classes)",
        got=shape,
        found=f"{shape} from {whole.output_names[index]!r}: it gives no scores to decide by",
        hint="Take the layers up to a Dense over classes, or another output with --scores NAME.",
    )


def _answers_by_frame(whole: ModelGraph, index: int) -> bool:
    """Whether an output (T, K) is a list of probabilities for each frame, and no sequence that was made up again."""
    call = next((each for each in whole.calls if whole.outputs[index] in each.outputs), None)
    inner = (
        getattr(call.layer, "layer", call.layer)
        if call is not None and call.kind == "TimeDistributed"
        else getattr(call, "layer", None)
    )
    return (
        getattr(getattr(inner, "activation", None), "__name__", "") in ("softmax", "sigmoid")
        or type(inner).__name__ == "Softmax"
    )
