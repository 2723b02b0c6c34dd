"""Chooses the output that holds the scores, and adapts all outputs to flat vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convert.graph.arguments import flat
from convert.graph.layer_graph import ModelGraph
from convert.interface.scores import activation_of, last_activation
from edgevid.bundle.manifest import MAX_VALUES
from edgevid.errors import ModelError, UsageError


class OutputAdapter:
    """The last step from an output to a flat vector.

    It drops axes of size 1, or selects one frame of an output with an axis of time.

    Args:
        frames_behind: The frame to select, counted back from the newest, of an output with an axis of
            time; None for one without.
        classes: Size of the vector.
        name: Name of the output.

    Attributes:
        newest_only: Whether the adapter selects the newest frame of a window.
        frames_behind: See above.
        classes: Size of the vector.
        name: Name of the output.
    """

    trainable_weights = ()

    def __init__(self, *, frames_behind: int | None, classes: int, name: str = "scores") -> None:
        self.newest_only, self.frames_behind = frames_behind == 0, frames_behind
        self.classes = classes
        self.name = name

    def __call__(self, answer: Any) -> Any:
        """Adapt an output with a batch of N to (N, classes)."""
        import tensorflow as tf

        selected = answer if self.frames_behind is None else answer[:, -1 - self.frames_behind]
        return tf.reshape(selected, (-1, self.classes))


# A bundle has two labels at least.
LABELS = 2


class NoScores(OutputAdapter):
    """The scores of a model that has no classes: the first of two labels, always.

    A bundle has scores, so a regression gets constant ones next to its values.
    """

    is_constant = True

    def __call__(self, answer: Any) -> Any:
        """Return (N, 2): ones and zeros for an output with a batch of N."""
        import tensorflow as tf

        nothing = super().__call__(answer)[:, :1] * 0.0
        # A negative number leaves -0.0, whose square is 0.0.
        return tf.concat([nothing + 1.0, nothing * nothing], axis=-1)


@dataclass(frozen=True)
class ChosenOutputs:
    """The outputs of a model that a bundle delivers.

    Attributes:
        index: Place of the output that holds the scores.
        scores: Its adapter; None if the output is a flat vector already.
        auxiliary: Adapters of the other outputs, by their place; None for a flat vector.
        notes: Assumptions, one line each.
        name: Name of the output that holds the scores.
    """

    index: int
    scores: OutputAdapter | None
    auxiliary: Mapping[int, OutputAdapter | None]
    notes: tuple[str, ...]
    name: str

    @property
    def adapters(self) -> list[tuple[int, OutputAdapter | None]]:
        """Place of an output and its adapter, for each vector to deliver, that of the scores first."""
        return [(self.index, self.scores), *self.auxiliary.items()]


def choose_outputs(
    graph: ModelGraph,
    frames: int,
    *,
    name: str | None,
    scores_only: bool,
    regression: bool = False,
    look_ahead: int = 0,
) -> ChosenOutputs:
    """Choose the output that holds the scores, and the outputs that are delivered with them.

    Args:
        graph: The model.
        frames: Length of the window.
        name: Name or number of the output that holds the scores; None for the first that ends in
            probabilities.
        scores_only: Drop the other outputs.
        regression: The output `name` holds numbers and no scores: deliver it as values.
        look_ahead: Frames between the newest and the one whose answer is delivered, of a model with an
            answer for each frame.

    Raises:
        UsageError: There is no output `name`, or `look_ahead` does not fit the model.
        ModelError: The output is not a vector of classes, or cannot be delivered as values.
    """
    index = _scores_index(graph, name)
    UsageError.unless(0 <= look_ahead < frames, expected=f"--look-ahead of 0 to {frames - 1} frames", got=look_ahead)
    if regression:
        _check_look_ahead(None, look_ahead)
        return _values_alone(graph, index, frames, scores_only=scores_only)
    scores = _scores_adapter(graph, index, frames, look_ahead)
    _check_look_ahead(scores, look_ahead)
    auxiliary = {} if scores_only else _auxiliary(graph, frames, scores=index, look_ahead=look_ahead)
    notes = (*_frame_notes(scores), *_notes(graph, index, auxiliary, name))
    return ChosenOutputs(index, scores, auxiliary, notes, graph.output_names[index])


def _check_look_ahead(scores: OutputAdapter | None, look_ahead: int) -> None:
    UsageError.unless(
        look_ahead == 0 or (scores is not None and scores.frames_behind is not None),
        expected="a model with scores for each frame of the window for --look-ahead",
        got=look_ahead,
        found="one with a single answer",
    )


def _frame_notes(scores: OutputAdapter | None) -> tuple[str, ...]:
    if scores is None or scores.frames_behind is None:
        return ()
    if scores.frames_behind == 0:
        return (
            "the model answers for each frame of the window: the newest frame's answer is delivered; "
            "--look-ahead N delivers that of an earlier one, which has seen N frames more",
        )
    return (
        f"the model answers for each frame of the window: the answer to the frame {scores.frames_behind} before the "
        "newest is delivered",
    )


def _values_alone(graph: ModelGraph, index: int, frames: int, *, scores_only: bool) -> ChosenOutputs:
    """Choose the outputs of a model without classes: all of them are values."""
    values = _auxiliary(graph, frames, scores=None)
    name = graph.output_names[index]
    if index not in values:
        raise ModelError(
            expected=f"an output of 1 to {MAX_VALUES} numbers for --regression",
            got=graph.output_shapes[index],
            found=f"{graph.output_shapes[index]} from {name!r}",
            hint="Choose another output with --scores NAME.",
        )
    if scores_only:
        values = {index: values[index]}
    shape, adapter = graph.output_shapes[index], values[index]
    size = int(shape[0] or 1) if adapter is None else adapter.classes
    behind = None if adapter is None else adapter.frames_behind
    delivered = ", ".join(graph.output_names[place] for place in values)
    note = f"{delivered}: numbers, delivered as values with each decision; the label is constant"
    return ChosenOutputs(index, NoScores(frames_behind=behind, classes=size), values, (note,), name)


def ordered_outputs(model: Any, answers: Any) -> list[Any]:
    """Return the outputs of one call in the order in which the model lists them.

    Args:
        model: A model of either framework.
        answers: One tensor, a list of them or a dictionary.
    """
    if not isinstance(answers, dict):
        return flat(answers)
    # Each framework flattens dictionaries in an order of its own.
    if type(model).__module__.startswith("tf_keras"):
        import tensorflow as tf

        return list(tf.nest.flatten(answers))
    import keras

    return list(keras.tree.flatten(answers))


def _scores_index(graph: ModelGraph, name: str | None) -> int:
    names = list(graph.output_names)
    if name is not None:
        UsageError.unless(name in (*names, *map(str, range(len(names)))), expected="--scores", choices=names, got=name)
        return names.index(name) if name in names else int(name)
    activations = [last_activation(graph.calls, tensor) for tensor in graph.outputs]
    for wanted in ("softmax", "sigmoid"):
        if wanted in activations:
            return activations.index(wanted)
    return 0


def _auxiliary(
    graph: ModelGraph, frames: int, *, scores: int | None, look_ahead: int = 0
) -> dict[int, OutputAdapter | None]:
    adapters: dict[int, OutputAdapter | None] = {}
    for place, (shape, name) in enumerate(zip(graph.output_shapes, graph.output_names, strict=True)):
        has_time = len(shape) > 1 and shape[0] in (None, frames)
        sizes = shape[1:] if has_time else shape
        count = math.prod(size or 1 for size in sizes)
        is_scores = scores is not None and graph.outputs[place] == graph.outputs[scores]
        # Feature maps and outputs of an open size do not fit into an event.
        if is_scores or None in sizes or not 1 <= count <= MAX_VALUES:
            continue
        # The values of one frame belong together.
        behind = look_ahead if has_time else None
        adapters[place] = None if len(shape) == 1 else OutputAdapter(frames_behind=behind, classes=count, name=name)
    return adapters


def _scores_adapter(graph: ModelGraph, index: int, frames: int, look_ahead: int) -> OutputAdapter | None:
    shape = graph.output_shapes[index]
    if len(shape) == 1:
        return None
    sizes = [size for size in shape if size != 1]
    if len(sizes) <= 1 and None not in sizes:
        return OutputAdapter(frames_behind=None, classes=int(sizes[0] or 1) if sizes else 1)
    if len(shape) == 2 and shape[0] in (None, frames) and shape[1] is not None and _scores_each_frame(graph, index):
        return OutputAdapter(frames_behind=look_ahead, classes=int(shape[1]))
    raise ModelError(
        expected="a classifier with an output of (classes)",
        got=shape,
        found=f"{shape} from {graph.output_names[index]!r}, which holds no scores to decide by",
        hint="End the model with a Dense over classes, or choose another output with --scores NAME.",
    )


def _scores_each_frame(graph: ModelGraph, index: int) -> bool:
    """Return whether an output (T, K) holds probabilities for each frame."""
    # The output of an autoencoder has the same shape, and is a sequence that it reconstructs.
    call = next((each for each in graph.calls if graph.outputs[index] in each.outputs), None)
    layer = getattr(call, "layer", None)
    if call is not None and layer is not None and hasattr(layer, "answers_on_noise"):
        answers = layer.answers_on_noise(call.outputs.index(graph.outputs[index]))
        # An autoencoder's numbers may lie between 0 and 1 as well, but never add up to 1.
        return activation_of(answers, int(graph.output_shapes[index][-1] or 1)) == "softmax"
    if call is not None and call.kind == "TimeDistributed":
        layer = getattr(layer, "layer", layer)
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    return activation in ("softmax", "sigmoid") or type(layer).__name__ == "Softmax"


def _notes(graph: ModelGraph, index: int, auxiliary: Mapping[int, Any], name: str | None) -> list[str]:
    names = graph.output_names
    if len(names) == 1:
        return []
    delivered = [names[place] for place in auxiliary]
    dropped = [each for place, each in enumerate(names) if place not in (index, *auxiliary)]
    notes = [
        f"of {len(names)} outputs {names[index]!r} gives the scores"
        + ("" if name else "; pass --scores NAME for another")
    ]
    if delivered:
        notes.append(f"{', '.join(delivered)} is delivered with the scores, as values; --scores-only drops it")
    if dropped:
        notes.append(f"{', '.join(dropped)} is dropped")
    return notes
