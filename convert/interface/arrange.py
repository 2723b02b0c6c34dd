"""A trained model as one input and one answer: several inputs are fed from one window, one of several outputs is chosen, and layouts are settled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.graph.arguments import as_listed, positional
from convert.graph.layer_graph import Call, Extra, LayerGraph, ModelGraph, needed, read_model
from convert.graph.operators import is_operator
from convert.interface import outputs
from convert.interface.axes import PLAIN, AllTrueMask, InputAdapter, InputLayout, read_layout
from convert.loading.rebuild import with_input_shapes
from edgevid.errors import ModelError

# Layers that leave open what kind of thing they are given.
_TRANSPARENT = frozenset(
    "Rescaling Normalization BatchNormalization Dropout GaussianNoise Activation ActivityRegularization Identity".split()
)
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
        beside: Outputs that are given beside the scores, each with its own last step.
    """

    model: Any
    feeds: tuple[InputAdapter | AllTrueMask, ...]
    index: int
    end: outputs.OutputAdapter | None
    beside: tuple[tuple[int, outputs.OutputAdapter | None], ...] = ()

    def __call__(self, windows: Any, training: bool = False) -> Any:
        """Ask the model.

        Args:
            windows: (N, T, *frame).
            training: As for every Keras model.

        Returns:
            (N, classes).
        """
        return self._end(self._answers(windows, training=training), self.index, self.end)

    def values(self, windows: Any) -> list[Any]:
        """Ask the model for what it gives beside its scores.

        Args:
            windows: (N, T, *frame).

        Returns:
            (N, size) for each.
        """
        answers = self._answers(windows, training=False)
        return [self._end(answers, index, end) for index, end in self.beside]

    def _answers(self, windows: Any, *, training: bool) -> list[Any]:
        import tensorflow as tf

        inputs = [feed(tf.convert_to_tensor(windows)) for feed in self.feeds]
        answers = self.model(as_listed(self.model, inputs), training=training)
        return outputs.in_order(self.model, answers)

    @staticmethod
    def _end(answers: list[Any], index: int, end: outputs.OutputAdapter | None) -> Any:
        return answers[index] if end is None else end(answers[index])


def arrange(
    model: Any,
    *,
    axes: str | None = None,
    frames: int | None = None,
    frame_size: tuple[int, int] | None = None,
    output: str | None = None,
    scores_only: bool = False,
) -> Arranged:
    """Lay a model out with one input and one list of scores; what else it gives comes beside them.

    Args:
        model: A Sequential or functional model of Keras 3 or tf_keras.
        axes: What the axes of its inputs are, one of `convert.interface.axes.AXES`.
        frames: Length of the window where the model leaves it open.
        frame_size: (height, width) where the model leaves it open.
        output: Name or number of the output that gives the scores.
        scores_only: Leave the other outputs out.

    Returns:
        The model.

    Raises:
        UsageError: `axes` or `output` is not one of the model's.
        ModelError: The inputs do not go with one source of frames, or no output is a list of classes.
    """
    whole = read_model(model)
    masks = _masks(whole)
    whole = whole.without_inputs({whole.inputs[place] for place in masks}) if masks else whole
    readers = [_first(whole, number) for number in whole.inputs]
    layouts = [
        read_layout(shape, kind, axes=axes, frames=frames, size=frame_size, channels_first=first)
        for shape, (kind, first) in zip(whole.input_shapes, readers, strict=True)
    ]
    if frame_size is not None:
        if masks:
            raise ModelError(
                expected="a model of fixed frame sizes where it takes a mask",
                found="an open one",
                hint="Rebuild it with a fixed input size.",
            )
        model = with_input_shapes(model, [each.shape for each in layouts])
        whole = read_model(model)
    feeds, frame = _feeds(layouts, whole)
    index = outputs.choose(whole, output)
    beside = {} if scores_only else outputs.beside(whole, index, layouts[0].frames)
    ends = {index: outputs.end(whole, index, layouts[0].frames), **beside}
    plain = len(feeds) == 1 and layouts[0].axes in PLAIN and len(whole.input_shapes[0]) == 1 + len(frame)
    graph = _assemble(whole, [] if plain else feeds, ends, (layouts[0].frames, *frame))
    asked = Asked(model, _with_masks(feeds, masks), index, ends[index], tuple(beside.items()))
    sizes = [math.prod(each.frame) for each in layouts]
    columns = _side_by_side(whole, sizes) if len(feeds) > 1 and len(frame) == 1 else ""
    notes = _notes(_guessed(layouts, whole, axes), feeds, columns, masks)
    return Arranged(graph, asked, (*notes, *outputs.notes(whole, index, beside, asked=output)))


def _notes(
    guessed: Sequence[tuple[InputLayout, tuple[int | None, ...]]],
    feeds: Sequence[InputAdapter],
    columns: str,
    masks: Mapping[int, str],
) -> list[str]:
    notes = [
        f"the axes of input {shape} are taken as {each.axes}; give --axes if they are others" for each, shape in guessed
    ]
    notes += [f"all {len(feeds)} inputs are given the same frames"] if len(feeds) > 1 and not columns else []
    if columns:
        notes += [
            f"the inputs are taken from each row of features side by side: {columns}; int8 has one grid for a row, so inputs of unlike ranges need float16"
        ]
    return notes + [f"the mask {name} is given as all True: a device's windows are full" for name in masks.values()]


def _with_masks(feeds: Sequence[InputAdapter], masks: Mapping[int, str]) -> tuple[InputAdapter | AllTrueMask, ...]:
    given: list[InputAdapter | AllTrueMask] = list(feeds)
    for place, name in masks.items():
        given.insert(place, AllTrueMask(name))
    return tuple(given)


def _masks(whole: ModelGraph) -> dict[int, str]:
    """Inputs that say which frames of a padded window count, by their place: one boolean for each frame that another input has."""
    lengths = {shape[0] for shape in whole.input_shapes if len(shape) > 1}
    shapes = zip(whole.input_shapes, whole.input_types, whole.input_names, strict=False)
    return {
        place: name
        for place, (shape, kind, name) in enumerate(shapes)
        if len(shape) == 1 and shape[0] in lengths and (kind == "bool" or "mask" in name)
    }


def _guessed(
    layouts: Sequence[InputLayout], whole: ModelGraph, axes: str | None
) -> list[tuple[InputLayout, tuple[int | None, ...]]]:
    return (
        []
        if axes
        else [(each, shape) for each, shape in zip(layouts, whole.input_shapes, strict=True) if each.axes not in PLAIN]
    )


def _first(whole: ModelGraph, tensor: int) -> tuple[str, bool]:
    """Class of the first layer that says what kind of input it is given, and whether it takes channels first."""
    readers = [call for call in whole.calls if tensor in call.inputs]
    while len(readers) == 1 and (is_operator(readers[0]) or readers[0].kind in _TRANSPARENT):
        tensor = readers[0].outputs[0]
        readers = [call for call in whole.calls if tensor in call.inputs]
    if not readers:
        return "", False
    layer = readers[0].layer
    return readers[0].kind, getattr(getattr(layer, "layer", layer), "data_format", None) == "channels_first"


def _feeds(layouts: Sequence[InputLayout], whole: ModelGraph) -> tuple[list[InputAdapter], tuple[int, ...]]:
    frames, kinds = {each.frames for each in layouts}, {len(each.frame) for each in layouts}
    if len(frames) > 1 or len(kinds) > 1 or (kinds == {3} and len({each.frame for each in layouts}) > 1):
        raise _not_one_source(layouts, whole)
    if kinds == {3}:
        return [InputAdapter(each, name) for each, name in zip(layouts, whole.input_names, strict=True)], layouts[
            0
        ].frame
    ends = np.cumsum([each.frame[0] for each in layouts]).tolist()
    columns = [
        slice(end - each.frame[0], end) if len(layouts) > 1 else None for each, end in zip(layouts, ends, strict=True)
    ]
    return [
        InputAdapter(each, name, part) for each, name, part in zip(layouts, whole.input_names, columns, strict=True)
    ], (int(ends[-1]),)


def _not_one_source(layouts: Sequence[InputLayout], whole: ModelGraph) -> ModelError:
    """No camera gives two kinds of frames, but a program can compute a row of all their numbers."""
    shapes = ", ".join(map(str, whole.input_shapes))
    if len({each.frames for each in layouts}) > 1:
        return ModelError(
            expected="inputs that one source of frames can feed, all of one length",
            found=f"{shapes}",
            hint="Split the model into one for each.",
        )
    sizes = [math.prod(each.frame) for each in layouts]
    return ModelError(
        expected="inputs that one camera can feed, all of the same frames",
        found=f"{shapes}",
        hint=f"Split the model into one for each, or give {_side_by_side(whole, sizes)} in one row of features a frame, as .npy clips and as a .npy source: --axes t,f",
    )


def _side_by_side(whole: ModelGraph, sizes: Sequence[int]) -> str:
    return " and ".join(
        f"{name} in columns {end - size} to {end - 1}"
        for name, size, end in zip(whole.input_names, sizes, np.cumsum(sizes).tolist(), strict=True)
    )


def _assemble(
    whole: ModelGraph,
    feeds: Sequence[InputAdapter],
    ends: Mapping[int, outputs.OutputAdapter | None],
    window: tuple[int, ...],
) -> LayerGraph:
    """Put the feeds before the model's calls and the ends behind them, that of the scores first; without feeds the window is the input as it is."""
    start = _WINDOW if feeds else whole.inputs[0]
    shapes = [(None, *shape) for shape in whole.input_shapes]
    calls = [
        Call(feed, (_WINDOW,), (number,), positional((_WINDOW,)), shape)
        for feed, number, shape in zip(feeds, whole.inputs, shapes, strict=False)
    ]
    calls += whole.calls
    given: list[Extra] = []
    for index, end in ends.items():
        tensor, size = whole.outputs[index], end.classes if end is not None else int(whole.output_shapes[index][0] or 1)
        if end is not None:
            last = 1 + max(number for call in calls for number in call.outputs)
            calls.append(Call(end, (tensor,), (last,), positional((tensor,)), (None, size)))
            tensor = last
        given.append(Extra(whole.output_names[index], tensor, size))
    outputs = [each.tensor for each in given]
    return LayerGraph(needed(calls, outputs), start, outputs[0], window, tuple(given[1:]))
