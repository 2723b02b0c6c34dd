"""The last blocks of an encoder as a model of their own, so that they alone are run and trained.

The frozen layers before them see each frame once. What they return is a map, and the last blocks are trained on maps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import keras

from convert.encoders.efficientnet_lite0 import BLOCKS
from convert.encoders.frame_encoder import LITE0, FrameEncoder, digest_of
from convert.graph.layer_graph import Call, LayerGraph, read_graph, repeat
from edgevid.errors import UsageError


@dataclass(frozen=True, eq=False)
class CutEncoder:
    """An encoder in two pieces, with weights of its own.

    Attributes:
        encoder: The whole encoder.
        front: From frames (B, H, W, C) to maps (B, *map), which enter the last blocks.
        tail: From maps to features (B, F).
        tuned: Names of the layers of the last blocks that are trained, in their order.
    """

    encoder: FrameEncoder
    front: keras.Model
    tail: keras.Model
    tuned: tuple[str, ...]

    def new_tail(self) -> keras.Model:
        """Return a copy of the tail whose last blocks are trained by `fit`.

        Batch normalisation keeps its statistics and its factors: batches of a few clips have none to learn from.
        """
        tail = _copy(self.tail)
        for layer in tail.layers:
            layer.trainable = layer.name in self.tuned
        return tail

    def with_tail(self, tail: keras.Model) -> FrameEncoder:
        """Return the encoder with the weights of a trained tail."""
        model = _copy(self.encoder.model)
        for call in read_graph(model).calls:
            if call.name in self.tuned:
                call.layer.set_weights(tail.get_layer(call.name).get_weights())
        model.trainable = False
        return replace(self.encoder, model=model, digest=digest_of(model))


def cut_encoder(encoder: FrameEncoder, blocks: int) -> CutEncoder:
    """Cut an encoder before its last blocks.

    A block of EfficientNet-Lite0 is an inverted residual; the convolution behind the last one belongs to it. A block
    of any other network is one layer with weights, in the order of the layers, batch normalisation apart.

    Args:
        encoder: The encoder; it is not changed.
        blocks: Number of its last blocks.

    Raises:
        UsageError: The encoder has fewer blocks, or two layers in different parts of it share a name.
    """
    start = _start(encoder, read_graph(encoder.model), blocks)
    graph = read_graph(_copy(encoder.model))
    end, tensor = max(_single(graph, start))
    front_calls, tail_calls = graph.calls[:end], graph.calls[end:]
    front = _model(front_calls, graph.input, tensor, graph.input_shape, "front")
    tail = _model(tail_calls, tensor, graph.output, front.output_shape[1:], "tail")
    earlier = {id(call.layer) for call in graph.calls[:start]}
    tuned = dict.fromkeys(call.name for call in graph.calls[start:] if _learns(call) and id(call.layer) not in earlier)
    return CutEncoder(encoder, front, tail, tuple(tuned))


def _start(encoder: FrameEncoder, graph: LayerGraph, blocks: int) -> int:
    """Return the place of the first call of the last blocks."""
    starts = list(_starts(graph, is_lite0=encoder.name.startswith(f"{LITE0}@")))
    UsageError.unless(
        1 <= blocks <= len(starts), expected=f"1 to {len(starts)} blocks of {encoder.name} to fine-tune", got=blocks
    )
    names = {id(call.layer): call.name for call in graph.calls}
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    UsageError.unless(not twice, expected="an encoder without two layers of one name to fine-tune", got=twice)
    return starts[-blocks]


def _starts(graph: LayerGraph, *, is_lite0: bool) -> Iterator[int]:
    """Yield the place of the first call of each block."""
    if is_lite0:
        for number in range(BLOCKS):
            yield next(place for place, call in enumerate(graph.calls) if call.name.startswith(f"block{number}_"))
        return
    seen: set[int] = set()
    for place, call in enumerate(graph.calls):
        if _learns(call) and id(call.layer) not in seen:
            seen.add(id(call.layer))
            yield place


def _learns(call: Call) -> bool:
    """Return whether training changes a layer's weights."""
    layer = call.layer
    if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.layers.BatchNormalization):
        return False
    # A frozen layer hides which of its weights could be trained.
    was = layer.trainable
    layer.trainable = True
    found = bool(layer.trainable_weights)
    layer.trainable = was
    return found


def _single(graph: LayerGraph, start: int) -> Iterator[tuple[int, int]]:
    """Yield each place up to the start of the blocks that a single tensor crosses, and that tensor.

    A shortcut around a place would carry a second one.
    """
    yield 0, graph.input
    for end in range(1, start + 1):
        made = {graph.input, *(number for call in graph.calls[:end] for number in call.outputs)}
        crossing = made & {number for call in graph.calls[end:] for number in call.inputs}
        # A call's shape is known for its first output alone.
        if len(crossing) == 1 and crossing & {call.outputs[0] for call in graph.calls[:end]}:
            yield end, crossing.pop()


def _model(calls: Sequence[Call], source: int, target: int, shape: Sequence[int | None], name: str) -> keras.Model:
    inputs = keras.Input(tuple(shape), name=f"{name}_input")
    return keras.Model(inputs, repeat(calls, {source: inputs})[target], name=name)


def _copy(model: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
