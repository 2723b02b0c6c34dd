"""Which of a model's calls treat each frame by itself, and which of the others can be made one frame at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from convert.graph.layer_graph import Call, LayerGraph
from convert.heads import CausalConv, Recurrent
from convert.splitting.lookback import lookback, sees_newest_only

Stateful = Recurrent | CausalConv


class Prefix:
    """The calls that treat each frame by itself, and the tensors that leave them.

    Args:
        graph: The model.
        window: Shape of its window, without the batch.

    Attributes:
        calls: The prefix, in order.
        rest: All other calls.
        frontier: Tensors that go from one to the other.
        lookback: For each tensor of the prefix, how many earlier frames it depends on.
        outputs: What the model gives, the scores first.
        frames: Length of the window.
    """

    def __init__(self, graph: LayerGraph, window: tuple[int, ...]) -> None:
        self.lookback = {graph.input: 0}
        self._shape: dict[int, tuple[int | None, ...]] = {graph.input: (1, *window)}
        self.calls: list[Call] = []
        for call in graph.calls:
            back = self._lookback(call, window[0])
            if back is not None:
                self.calls.append(call)
                self.lookback.update(dict.fromkeys(call.outputs, back))
                self._shape.update(dict.fromkeys(call.outputs, call.shape))
        inside = set(self.calls)
        self.rest = [call for call in graph.calls if call not in inside]
        self.frontier = tuple(
            sorted({tensor for call in self.rest for tensor in call.inputs if tensor in self.lookback})
        )
        self._input, self.outputs = graph.input, graph.outputs
        self.frames = window[0]

    def _lookback(self, call: Call, frames: int) -> int | None:
        backs = {self.lookback.get(tensor) for tensor in call.inputs}
        if len(backs) != 1 or None in backs:
            return None
        ranks = {len(self._shape[tensor]) for tensor in call.inputs}
        if len(ranks) != 1 or min(ranks) < 3:
            # Broadcasting would lay one tensor's time along another's height; and without a third axis, a layer's last one is time.
            return None
        before = backs.pop() or 0
        own = lookback(call, frames - before, self._shape[call.inputs[0]])
        return None if own is None else before + own

    def worthwhile(self, stateful: Mapping[Call, Stateful]) -> bool:
        """Tell whether there is something to run once a frame, and something left to run over time.

        Args:
            stateful: Its calls that carry a state.

        Returns:
            Whether a split gains anything.
        """
        if not self.rest or len({self.lookback[tensor] for tensor in self.frontier}) != 1:
            return False
        if not self.takes_frames_as_they_come:
            return True
        # Frames as they come are features only where a recurrence projects them first; pictures only where one does, and so the encoder with it.
        readers = [call for call in self.rest if self._input in call.inputs]
        return all(isinstance(stateful.get(call), Recurrent) for call in readers) and (
            len(readers) == 1 or len(self._shape[self._input]) < 5
        )

    @property
    def takes_frames_as_they_come(self) -> bool:
        """Whether what runs over time reads the frames themselves."""
        return self._input in self.frontier


@dataclass(frozen=True)
class Causality:
    """Whether what follows the prefix can be run one frame at a time.

    Attributes:
        obstacle: Why not; empty where it can.
        by_frame: Calls of the rest that treat each frame by itself.
    """

    obstacle: str
    by_frame: frozenset[Call]


def causality_of(prefix: Prefix, stateful: Mapping[Call, Stateful]) -> Causality:
    """Follow time through the rest of a model.

    Args:
        prefix: Its prefix.
        stateful: Its calls that carry a state.

    Returns:
        What was found, with the first obstacle.
    """
    temporal, by_frame = set(prefix.frontier), set()
    for call in prefix.rest:
        layer = stateful.get(call)
        seen = temporal & set(call.inputs)
        if reason := _obstacle(call, layer, temporal):
            return Causality(f"layer {call.name!r} ({call.kind}) {reason}", frozenset())
        if layer is None and seen and not sees_newest_only(call):
            by_frame.add(call)
            temporal |= set(call.outputs)
        elif layer is not None and layer.return_sequences:
            temporal.add(call.outputs[0])
    return Causality(_end(prefix, stateful, temporal), frozenset(by_frame))


def _end(prefix: Prefix, stateful: Mapping[Call, Stateful], temporal: set[int]) -> str:
    given = set(prefix.outputs)
    if any(given & set(call.outputs) and call in stateful for call in prefix.rest):
        return "the answer is itself a state"
    if not any(call in stateful for call in prefix.rest):
        return "the head has no recurrent layer"
    return "" if not given & temporal else "the model answers for every frame of the window"


def _obstacle(call: Call, layer: Stateful | None, temporal: set[int]) -> str:
    """Say why a call cannot be made one frame at a time, if so; `temporal` are the tensors that have an axis of time."""
    if not temporal & set(call.inputs):
        return "" if layer is None else "runs over a sequence of its own"
    if layer is None:
        if not temporal >= set(call.inputs):
            return "joins each frame with the whole window"
        return "" if lookback(call, 0) == 0 or sees_newest_only(call) else "looks at the whole window"
    if len(call.inputs) > 1:
        return "begins with a state that is computed"
    return "" if layer.causal else "runs backwards in time"
