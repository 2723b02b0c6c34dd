"""Arranges a trained model as one window in and one vector of scores out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convert.graph.arguments import as_listed, positional
from convert.graph.layer_graph import Call, Extra, LayerGraph, needed
from convert.interface.input_adapters import AllTrueMask, InputAdapter
from convert.interface.inputs import AdaptedInputs, adapt_inputs
from convert.interface.outputs import LABELS, ChosenOutputs, NoScores, OutputAdapter, choose_outputs, ordered_outputs

# Number of the window's tensor; `read_model` numbers those of a model from 1.
_WINDOW = 0


@dataclass(frozen=True)
class ArrangedModel:
    """A model with one window as its input and one vector of scores as its output.

    Attributes:
        graph: The model's calls between its input and output adapters.
        ask: The trained model itself, from windows (N, T, *frame) to scores; accepts `training` as
            a Keras model does.
        notes: Assumptions, one line each.
    """

    graph: LayerGraph
    ask: WindowModel
    notes: tuple[str, ...]


@dataclass(frozen=True)
class WindowModel:
    """The trained model, called with the device's windows.

    Attributes:
        model: The Keras model.
        feeds: For each input of the model, the function from a window to that input.
        outputs: The outputs to return.
    """

    model: Any
    feeds: tuple[InputAdapter | AllTrueMask, ...]
    outputs: ChosenOutputs

    def __call__(self, windows: Any, training: bool = False) -> Any:
        """Return the scores (N, classes) of windows (N, T, *frame)."""
        answers = self._call(windows, training=training)
        return _adapt(answers[self.outputs.index], self.outputs.scores)

    def values(self, windows: Any) -> list[Any]:
        """Return the auxiliary outputs, each (N, size), of windows (N, T, *frame)."""
        answers = self._call(windows, training=False)
        return [_adapt(answers[place], adapter) for place, adapter in self.outputs.auxiliary.items()]

    def _call(self, windows: Any, *, training: bool) -> list[Any]:
        import tensorflow as tf

        inputs = [feed(tf.convert_to_tensor(windows)) for feed in self.feeds]
        answers = self.model(as_listed(self.model, inputs), training=training)
        return ordered_outputs(self.model, answers)


def _adapt(answer: Any, adapter: OutputAdapter | None) -> Any:
    return answer if adapter is None else adapter(answer)


def arrange(
    model: Any,
    *,
    axes: str | None = None,
    frames: int | None = None,
    frame_size: tuple[int, int] | None = None,
    output: str | None = None,
    scores_only: bool = False,
    regression: bool = False,
    look_ahead: int = 0,
) -> ArrangedModel:
    """Arrange a model of any inputs and outputs as one window in and one vector of scores out.

    Args:
        model: A Sequential or functional model of Keras 3 or tf_keras.
        axes: Meaning of the inputs' axes, one of `convert.interface.axes.AXES`; None to infer it.
        frames: Length of the window, if the model leaves it open.
        frame_size: (height, width) in pixels, if the model leaves it open.
        output: Name or number of the output that holds the scores; None to choose it.
        scores_only: Drop the other outputs, which are delivered as values otherwise.
        regression: Deliver the output `output` as values too: it holds no scores.
        look_ahead: Frames between the newest and the one whose answer is delivered, of a model with an
            answer for each frame.

    Raises:
        UsageError: `axes`, `frame_size`, `output` or `look_ahead` does not fit the model.
        ModelError: One source of frames cannot feed all inputs, or the output is not a vector of
            classes.
    """
    inputs = adapt_inputs(model, axes=axes, frames=frames, frame_size=frame_size)
    outputs = choose_outputs(
        inputs.graph,
        inputs.window[0],
        name=output,
        scores_only=scores_only,
        regression=regression,
        look_ahead=look_ahead,
    )
    return ArrangedModel(
        assemble(inputs, outputs),
        WindowModel(inputs.model, inputs.feeds, outputs),
        (*inputs.notes, *outputs.notes),
    )


def assemble(inputs: AdaptedInputs, outputs: ChosenOutputs) -> LayerGraph:
    """Join input adapters, the model's calls and output adapters in one graph.

    Args:
        inputs: The model with its input adapters; a plain input needs none in the graph.
        outputs: The outputs to deliver.

    Returns:
        The graph, without calls that no delivered output depends on.
    """
    graph = inputs.graph
    calls = [] if inputs.is_plain else _input_calls(inputs)
    calls += graph.calls
    delivered: list[Extra] = []
    for place, adapter in outputs.adapters:
        tensor = graph.outputs[place]
        if adapter is None:
            size = int(graph.output_shapes[place][0] or 1)
        else:
            source, size = tensor, LABELS if isinstance(adapter, NoScores) else adapter.classes
            tensor = 1 + max(number for call in calls for number in call.outputs)
            calls.append(Call(adapter, (source,), (tensor,), positional((source,)), (None, size)))
        delivered.append(Extra(graph.output_names[place], tensor, size))
    scores, *values = delivered
    start = graph.inputs[0] if inputs.is_plain else _WINDOW
    return LayerGraph(
        needed(calls, [each.tensor for each in delivered]), start, scores.tensor, inputs.window, tuple(values)
    )


def _input_calls(inputs: AdaptedInputs) -> list[Call]:
    graph = inputs.graph
    return [
        Call(adapter, (_WINDOW,), (number,), positional((_WINDOW,)), (None, *shape))
        for adapter, number, shape in zip(inputs.adapters, graph.inputs, graph.input_shapes, strict=True)
    ]
