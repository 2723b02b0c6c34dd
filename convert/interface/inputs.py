"""Adapts the inputs of a model to one window of frames or feature rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from convert.graph.layer_graph import ModelGraph, read_model
from convert.heads import is_recurrent
from convert.interface.axes import PLAIN, InputLayout, axes_note, read_layout
from convert.interface.first_layers import first_layers
from convert.interface.input_adapters import AllTrueMask, InputAdapter
from convert.loading.rebuild import with_input_shapes
from convert.onnx_file.model import OnnxModel
from edgevid.errors import ModelError


@dataclass(frozen=True)
class AdaptedInputs:
    """A model whose inputs are all computed from one window.

    Attributes:
        model: The Keras model, rebuilt if its frame size was open.
        graph: The model's calls, without the inputs that are masks.
        window: Shape (T, *frame) of the window.
        adapters: For each input of `graph`, the function from the window to that input.
        masks: Names of the mask inputs, by their place among the inputs of `model`.
        is_plain: Whether the window is the only input, unchanged.
        notes: Assumptions, one line each.
    """

    model: Any
    graph: ModelGraph
    window: tuple[int, ...]
    adapters: tuple[InputAdapter, ...]
    masks: Mapping[int, str]
    is_plain: bool
    notes: tuple[str, ...]

    @property
    def feeds(self) -> tuple[InputAdapter | AllTrueMask, ...]:
        """For each input of `model`, masks included, the function from the window to that input."""
        feeds: list[InputAdapter | AllTrueMask] = list(self.adapters)
        # Places ascend, so that each mask is inserted where the model has it.
        for place, name in self.masks.items():
            feeds.insert(place, AllTrueMask(name))
        return tuple(feeds)


def adapt_inputs(
    model: Any, *, axes: str | None, frames: int | None, frame_size: tuple[int, int] | None
) -> AdaptedInputs:
    """Read the layout of each input and adapt all of them to one window.

    Args:
        model: A Sequential or functional model of Keras 3 or tf_keras.
        axes: Meaning of the inputs' axes, one of `convert.interface.axes.AXES`; None to infer it.
        frames: Length of the window, if the model leaves it open.
        frame_size: (height, width) in pixels, if the model leaves it open.

    Raises:
        UsageError: `axes` or `frame_size` does not fit the model.
        ModelError: One source of frames cannot feed all inputs, or a size is open.
    """
    notes: tuple[str, ...] = ()
    if isinstance(model, OnnxModel):
        model, reading = model.with_layout(axes=axes, frames=frames, size=frame_size)
        # Its open sizes are filled in, and its axes are those of the device where it sees pictures.
        axes, frame_size, notes = reading.axes, None, tuple(filter(None, [reading.note]))
    graph = read_model(model)
    masks = _masks(graph)
    if masks:
        graph = graph.without_inputs({graph.inputs[place] for place in masks})
    _check_states(graph)
    layouts = [
        read_layout(shape, first_layers(graph, place), axes=axes, frames=frames, size=frame_size)
        for place, shape in enumerate(graph.input_shapes)
    ]
    if frame_size is not None:
        if masks:
            raise ModelError(
                expected="a model of fixed frame sizes where it takes a mask",
                found="an open one",
                hint="Rebuild it with a fixed input size.",
            )
        model = with_input_shapes(model, [each.shape for each in layouts])
        graph = read_model(model)
    adapters, frame = _adapters(layouts, graph)
    first = layouts[0]
    return AdaptedInputs(
        model,
        graph,
        (first.frames, *frame),
        adapters,
        masks,
        len(adapters) == 1 and first.axes in PLAIN and len(graph.input_shapes[0]) == 1 + len(frame),
        (*notes, *_notes(layouts, graph, axes, masks)),
    )


def _check_states(graph: ModelGraph) -> None:
    """Reject inputs that are the states of recurrent layers."""
    states = {
        tensor
        for call in graph.calls
        if is_recurrent(call.layer) or call.kind.endswith("Cell")
        for tensor in call.inputs[1:]
    }
    names = [name for number, name in zip(graph.inputs, graph.input_names, strict=True) if number in states]
    if names:
        raise ModelError(
            expected="a model of a whole window, which begins with states of zero",
            found=f"one that takes its states as inputs ({', '.join(names)})",
            hint="Build it without initial_state and return_state, and copy its weights; "
            "--plan stateful carries the states from frame to frame.",
        )


def _masks(graph: ModelGraph) -> dict[int, str]:
    """Return the inputs (T,) that mark the valid frames of a padded window, by place."""
    lengths = {shape[0] for shape in graph.input_shapes if len(shape) > 1}
    inputs = zip(graph.input_shapes, graph.input_types, graph.input_names, strict=False)
    return {
        place: name
        for place, (shape, dtype, name) in enumerate(inputs)
        if len(shape) == 1 and shape[0] in lengths and (dtype == "bool" or "mask" in name)
    }


def _adapters(layouts: Sequence[InputLayout], graph: ModelGraph) -> tuple[tuple[InputAdapter, ...], tuple[int, ...]]:
    """Return an adapter for each input, and the shape of the frame or row that feeds them all."""
    _check_one_source(layouts, graph)
    if len(layouts[0].frame) == 3:
        # Images: every input sees the whole frame.
        adapters = [InputAdapter(layout, name) for layout, name in zip(layouts, graph.input_names, strict=True)]
        return tuple(adapters), layouts[0].frame
    # Feature rows: each input reads its own columns of one row.
    widths = [layout.frame[0] for layout in layouts]
    columns = [slice(end - width, end) for width, end in zip(widths, accumulate(widths), strict=True)]
    adapters = [
        InputAdapter(layout, name, part if len(layouts) > 1 else None)
        for layout, name, part in zip(layouts, graph.input_names, columns, strict=True)
    ]
    return tuple(adapters), (sum(widths),)


def _check_one_source(layouts: Sequence[InputLayout], graph: ModelGraph) -> None:
    """Reject inputs that one camera or one row of features cannot feed."""
    shapes = ", ".join(map(str, graph.input_shapes))
    if len({layout.frames for layout in layouts}) > 1:
        raise ModelError(
            expected="inputs that one source of frames can feed, all of one length",
            found=shapes,
            hint="Split the model into one for each.",
        )
    ranks = {len(layout.frame) for layout in layouts}
    if len(ranks) > 1 or (ranks == {3} and len({layout.frame for layout in layouts}) > 1):
        # No camera delivers two kinds of frames, but a program can compute a row that holds the
        # numbers of both.
        raise ModelError(
            expected="inputs that one camera can feed, all of the same frames",
            found=shapes,
            hint=f"Split the model into one for each, or pass {_columns(layouts, graph)} in one row of features "
            "a frame, as .npy clips and as a .npy source: --axes t,f",
        )


def _columns(layouts: Sequence[InputLayout], graph: ModelGraph) -> str:
    """Name the columns of a feature row that each input reads."""
    widths = [math.prod(layout.frame) for layout in layouts]
    return " and ".join(
        f"{name} in columns {end - width} to {end - 1}"
        for name, width, end in zip(graph.input_names, widths, accumulate(widths), strict=True)
    )


def _notes(layouts: Sequence[InputLayout], graph: ModelGraph, axes: str | None, masks: Mapping[int, str]) -> list[str]:
    notes = [
        axes_note(shape, layout)
        for layout, shape in zip(layouts, graph.input_shapes, strict=True)
        if axes is None and (layout.axes not in PLAIN or layout.reason)
    ]
    if len(layouts) > 1 and len(layouts[0].frame) == 1:
        notes.append(
            f"the inputs read each row of features side by side: {_columns(layouts, graph)}; "
            "int8 has one grid for a row, so inputs of unlike ranges need float16"
        )
    elif len(layouts) > 1:
        notes.append(
            f"all {len(layouts)} inputs ({', '.join(graph.input_names)}) receive the same frames, of one camera; "
            "views of several cameras cannot be fed"
        )
    return notes + [f"the mask {name} is all True, because a device's windows are full" for name in masks.values()]
