"""Walk over the calls of a model, nested ones included, and collect what each layer does with channels."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

import numpy as np

from convert.graph.layer_graph import Call, is_nested, read_model
from convert.graph.operators import constants, is_by_element, is_operator
from convert.pruning.channels import FIXED, ChannelMap, Channels, LayerChannels, Visit
from convert.pruning.layer_rules import Rule, carry, rule_of, sums
from edgevid.errors import ModelError


def follow_channels(model: Any, *, encoder: AbstractSet[str]) -> ChannelMap:
    """Follow the channels of a model.

    Args:
        model: A Sequential or functional Keras model of either framework.
        encoder: Names of the calls whose channels may be removed and whose cost counts.

    Raises:
        ModelError: A layer reads channels that may go, and what it does with them is not known.
    """
    graph = read_model(model)
    follower = _Follower(encoder)
    tensors = {number: Channels((None, *shape)) for number, shape in zip(graph.inputs, graph.input_shapes, strict=True)}
    follower.follow(graph.calls, tensors, is_inside=False)
    for number in graph.outputs:
        follower.found.pin(tensors[number].known)
    return follower.found


class _Follower:
    """Collects what the calls of a model do with channels."""

    def __init__(self, encoder: AbstractSet[str]) -> None:
        self.found = ChannelMap()
        self._encoder = encoder

    def follow(self, calls: Sequence[Call], tensors: dict[int, Channels], *, is_inside: bool) -> None:
        """Add calls, and store the channels of their outputs in `tensors`."""
        for call in calls:
            inputs = [tensors[number] for number in call.inputs]
            inside = is_inside or call.name in self._encoder
            output = self._call(call, inputs, is_inside=inside)
            # Further outputs are states of recurrent layers, whose channels all stay.
            tensors.update({number: Channels(call.shape) for number in call.outputs})
            tensors[call.outputs[0]] = output

    def _call(self, call: Call, inputs: list[Channels], *, is_inside: bool) -> Channels:
        if call.kind != "TimeDistributed":
            return self._layer(call, call.layer, inputs, call.shape, is_inside=is_inside)
        layer = call.layer.layer
        # What the layer sees is one frame: without the axis of time.
        frames = [Channels((None, *each.shape[2:]), each.numbers) for each in inputs]
        if is_nested(layer):
            seen = self._nested(layer, frames[0], is_inside=is_inside)
        else:
            seen = self._layer(call, layer, frames, (None, *call.shape[2:]), is_inside=is_inside)
        return Channels(call.shape, seen.numbers)

    def _nested(self, model: Any, frame: Channels, *, is_inside: bool) -> Channels:
        # The nested model states the shape of its input, which rebuilding keeps.
        self.found.pin(frame.known)
        graph = read_model(model)
        tensors = {graph.inputs[0]: Channels(frame.shape)}
        self.follow(graph.calls, tensors, is_inside=is_inside)
        return tensors[graph.outputs[0]]

    def _layer(
        self, call: Call, layer: Any, inputs: list[Channels], shape: tuple[int | None, ...], *, is_inside: bool
    ) -> Channels:
        nothing_goes = all(each.numbers is None for each in inputs)
        rule = _operator_rule(call) if is_operator(call) else rule_of(layer)
        if nothing_goes and (rule is None or not is_inside):
            return Channels(shape)
        if rule is None:
            raise ModelError(
                expected="layers whose channels can be followed, with --prune",
                found=f"layer {layer.name!r} ({type(layer).__name__})",
                hint="Convert the model without --prune.",
            )
        made = rule(Visit(layer, tuple(inputs), shape, self.found, is_inside))
        known = self.found.layers.get(id(layer))
        self.found.layers[id(layer)] = made if known is None else self._shared(known, made)
        return Channels(shape, None if (made.output == FIXED).all() else made.output)

    def _shared(self, known: LayerChannels, made: LayerChannels) -> LayerChannels:
        """Tie the channels of a layer's further call to those of its first."""
        for first, further in zip(known.slices, made.slices, strict=True):
            for axis, numbers in further.items():
                self.found.tie(first[axis], numbers)
        return replace(known, products=(*known.products, *made.products))


def _operator_rule(call: Call) -> Rule | None:
    """Return the rule of an operator such as `x + y` or `x / 2`; None if none is known."""
    if not is_by_element(call) or any(np.ndim(each) for each in constants(call)):
        return None
    return sums if len(call.inputs) > 1 else carry
