"""A trained model as one input and one answer: several inputs are fed from one window, one of several outputs is chosen, and layouts are settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.axes import PLAIN, Feed, Layout, read_layout
from convert.graph import Call, LayerGraph, ModelGraph, flat, needed, read_model
from convert.operators import is_operator
from edgevid.backends.survey import is_tflite
from edgevid.errors import ModelError, UsageError

# Layers that leave open what kind of thing they are given.
_TRANSPARENT = frozenset("Rescaling Normalization BatchNormalization Dropout GaussianNoise Activation ActivityRegularization Identity".split())
_WINDOW = 0
"""Number of the window's tensor; those of a model begin with 1."""


@dataclass(frozen=True)
class Arranged:
    """A model that takes windows and gives scores.

    Attributes:
        graph: Its calls.
        ask: From windows (N, T, *frame) to the trained model's scores; takes `training` as a model does.
        notes: What was assumed.
    """

    graph: LayerGraph
    ask: Asked
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """The trained model, with the device's windows for inputs and the chosen scores for an output.

    Attributes:
        model: The Keras model.
        feeds: One for each input.
        index: Which output.
        end: From that output to scores; None where it is them.
    """

    model: Any
    feeds: tuple[Feed, ...]
    index: int
    end: End | None

    def __call__(self, windows: Any, training: bool = False) -> Any:
        """Ask the model.

        Args:
            windows: (N, T, *frame).
            training: As for every Keras model.

        Returns:
            (N, classes).
        """
        inputs = [feed(windows) for feed in self.feeds]
        answers = self.model(inputs if len(inputs) > 1 else inputs[0], training=training)
        answer = flat(list(answers.values()) if isinstance(answers, dict) else answers)[self.index]
        return answer if self.end is None else self.end(answer)


class End:
    """The last step from a model's output to scores: axes of one are dropped, and of answers for every frame the newest is taken.

    Args:
        newest: Whether the output has an axis of time.
        classes: How many scores there are.

    Attributes:
        newest_only: Whether it takes the newest frame out of a window.
        classes: How many scores there are.
    """

    trainable_weights = ()
    name = "scores"

    def __init__(self, *, newest: bool, classes: int) -> None:
        self.newest_only = newest
        self.classes = classes

    def __call__(self, answer: Any) -> Any:
        """Give scores.

        Args:
            answer: The model's output, with the batch.

        Returns:
            (N, classes).
        """
        import tensorflow as tf

        return tf.reshape(answer[:, -1] if self.newest_only else answer, (-1, self.classes))


def arrange(model: Any, *, axes: str | None = None, frames: int | None = None, output: str | None = None) -> Arranged:
    """Lay a model out with one input and one output.

    Args:
        model: A Sequential or functional model of Keras 3 or tf_keras.
        axes: What the axes of its inputs are, one of `convert.axes.AXES`.
        frames: Length of the window where the model leaves it open.
        output: Name or number of the output to take.

    Returns:
        The model.

    Raises:
        UsageError: `axes` or `output` is not one of the model's.
        ModelError: The inputs do not go with one source of frames, or no output is a list of classes.
    """
    whole = read_model(model)
    layouts = [read_layout(shape, _first(whole, number), axes=axes, frames=frames) for number, shape in zip(whole.inputs, whole.input_shapes, strict=True)]
    notes = [f"the axes of input {shape} are taken as {each.axes}; give --axes if they are others" for each, shape in _guessed(layouts, whole, axes)]
    feeds, frame = _feeds(layouts, whole)
    notes += [f"all {len(feeds)} inputs are given the same frames"] if len(feeds) > 1 and len(frame) == 3 else []
    notes += ["the inputs are taken from each row of features side by side, in the model's order"] if len(feeds) > 1 and len(frame) == 1 else []
    index, assumed = _choose(whole, output)
    end = _end(whole, index, layouts[0].frames)
    plain = len(feeds) == 1 and layouts[0].axes in PLAIN and len(whole.input_shapes[0]) == 1 + len(frame)
    graph = _assemble(whole, [] if plain else feeds, index, end, (layouts[0].frames, *frame))
    return Arranged(graph, Asked(model, tuple(feeds), index, end), (*notes, *assumed))


def _guessed(layouts: Sequence[Layout], whole: ModelGraph, axes: str | None) -> list[tuple[Layout, tuple[int | None, ...]]]:
    return [] if axes else [(each, shape) for each, shape in zip(layouts, whole.input_shapes, strict=True) if each.axes not in PLAIN]


def _first(whole: ModelGraph, tensor: int) -> str:
    """Class of the first layer that says what kind of input it is given."""
    readers = [call for call in whole.calls if tensor in call.inputs]
    while len(readers) == 1 and (is_operator(readers[0]) or readers[0].kind in _TRANSPARENT):
        tensor = readers[0].outputs[0]
        readers = [call for call in whole.calls if tensor in call.inputs]
    return readers[0].kind if readers else ""


def _feeds(layouts: Sequence[Layout], whole: ModelGraph) -> tuple[list[Feed], tuple[int, ...]]:
    frames, kinds = {each.frames for each in layouts}, {len(each.frame) for each in layouts}
    shapes = ", ".join(map(str, whole.input_shapes))
    if len(frames) > 1 or len(kinds) > 1:
        raise ModelError(f"Expected inputs that one source of frames can feed, all of one length and kind, got {shapes}. Split the model into one for each.")
    if kinds == {3}:
        if len({each.frame for each in layouts}) > 1:
            raise ModelError(f"Expected inputs that take the same frames, got frames of other sizes or channels: {shapes}. Split the model into one for each.")
        return [Feed(each, name) for each, name in zip(layouts, whole.input_names, strict=True)], layouts[0].frame
    ends = np.cumsum([each.frame[0] for each in layouts]).tolist()
    columns = [slice(end - each.frame[0], end) if len(layouts) > 1 else None for each, end in zip(layouts, ends, strict=True)]
    return [Feed(each, name, part) for each, name, part in zip(layouts, whole.input_names, columns, strict=True)], (int(ends[-1]),)


def _choose(whole: ModelGraph, asked: str | None) -> tuple[int, list[str]]:
    """Which output to take: the one asked for, else the first that ends in probabilities, else the first."""
    names = list(whole.output_names)
    if asked is not None:
        if asked not in (*names, *map(str, range(len(names)))):
            raise UsageError(f"Expected --scores, one of {', '.join(names)}, got {asked!r}.", expected=tuple(names), got=asked)
        return names.index(asked) if asked in names else int(asked), []
    if len(names) == 1:
        return 0, []
    endings = [_activation(whole, tensor) for tensor in whole.outputs]
    index = next((place for wanted in ("softmax", "sigmoid") for place, each in enumerate(endings) if each == wanted), 0)
    others = ", ".join(name for place, name in enumerate(names) if place != index)
    return index, [f"of {len(names)} outputs {names[index]!r} is taken, and {others} left out; give --scores NAME for another"]


def _activation(whole: ModelGraph, tensor: int) -> str:
    call = next((each for each in whole.calls if tensor in each.outputs), None)
    return getattr(getattr(call.layer, "activation", None), "__name__", "") if call is not None else ""


def _end(whole: ModelGraph, index: int, frames: int) -> End | None:
    shape = whole.output_shapes[index]
    if len(shape) == 1:
        return None
    sizes = [size for size in shape if size != 1]
    if len(sizes) <= 1 and None not in sizes:
        return End(newest=False, classes=int(sizes[0] or 1) if sizes else 1)
    if len(shape) == 2 and shape[0] in (None, frames) and shape[1] is not None and _answers_by_frame(whole, index):
        return End(newest=True, classes=int(shape[1]))
    raise ModelError(
        f"Expected a classifier with an output of (classes), got {shape} from {whole.output_names[index]!r}: it gives no scores to decide by. "
        "Take the layers up to a Dense over classes, or another output with --scores NAME.",
        got=shape,
    )


def _answers_by_frame(whole: ModelGraph, index: int) -> bool:
    """Whether an output (T, K) is a list of probabilities for each frame, and no sequence that was made up again."""
    call = next((each for each in whole.calls if whole.outputs[index] in each.outputs), None)
    inner = getattr(call.layer, "layer", call.layer) if call is not None and call.kind == "TimeDistributed" else getattr(call, "layer", None)
    return getattr(getattr(inner, "activation", None), "__name__", "") in ("softmax", "sigmoid") or type(inner).__name__ == "Softmax"


def _assemble(whole: ModelGraph, feeds: Sequence[Feed], index: int, end: End | None, window: tuple[int, ...]) -> LayerGraph:
    """Put the feeds before the model's calls and the end behind them; without feeds the window is the model's input as it is."""
    start = _WINDOW if feeds else whole.inputs[0]
    shapes = [(None, *shape) for shape in whole.input_shapes]
    calls = [_call(feed, _WINDOW, number, shape) for feed, number, shape in zip(feeds, whole.inputs, shapes, strict=False)]
    calls, output = [*calls, *whole.calls], whole.outputs[index]
    if end is not None:
        last = 1 + max(number for call in calls for number in call.outputs)
        calls, output = [*calls, _call(end, output, last, (None, end.classes))], last
    return LayerGraph(needed(calls, [output]), start, output, window)


def _call(layer: Any, source: int, target: int, shape: tuple[int | None, ...]) -> Call:
    return Call(layer, (source,), (target,), lambda values: ((values[source],), {}), shape)


@dataclass(frozen=True)
class Seen:
    """What a model file takes.

    Attributes:
        frames: Length of its window.
        frame: (H, W, C) or (F,).
        written_by: Keras version, or what it is.
    """

    frames: int
    frame: tuple[int, ...]
    written_by: str


def look(path: str | Path) -> Seen:
    """Load a model file only to see what it takes.

    Args:
        path: Any file that `convert_model` takes.

    Returns:
        What it takes.

    Raises:
        ModelError: It cannot be loaded, or its window is not known.
    """
    from convert.adopt import adopt
    from convert.load import load

    if is_tflite(path):
        adopted = adopt(Path(path))
        return Seen(adopted.parts.frames, adopted.parts.frame_shape, adopted.loaded.written_by)
    trained = load(path)
    window = arrange(trained.model).graph.input_shape
    return Seen(int(window[0] or 1), tuple(int(size or 1) for size in window[1:]), trained.written_by)
