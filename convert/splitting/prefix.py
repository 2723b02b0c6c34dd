"""Find the calls that treat each frame by itself, and whether the others can run one frame at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from convert.graph.layer_graph import Call, LayerGraph
from convert.graph.operators import fixed_tensors
from convert.heads import CausalConv, Recurrent
from convert.splitting.lookback import lookback, sees_newest_only

Stateful = Recurrent | CausalConv


class Prefix:
    """The calls that treat each frame by itself, grown from the input.

    Args:
        graph: The model.
        window: Shape of its window, without the batch.

    Attributes:
        calls: The prefix, in order.
        rest: All other calls, in order.
        frontier: Numbers of the tensors that the rest reads from the prefix, ascending.
        lookback: For each tensor of the prefix, how many earlier frames it depends on.
        outputs: Numbers of the model's outputs, the scores first.
        frames: Length of the window, T.
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
        # Sorted: the order of the tensors is the layout of a row of features.
        self.frontier = tuple(
            sorted({tensor for call in self.rest for tensor in call.inputs if tensor in self.lookback})
        )
        self._input, self.outputs = graph.input, graph.outputs
        self.frames = window[0]

    def _lookback(self, call: Call, frames: int) -> int | None:
        """Return how many earlier frames of the window a call depends on; None if it is not in the prefix."""
        backs = {self.lookback.get(tensor) for tensor in call.inputs}
        if len(backs) != 1 or None in backs:
            return None
        ranks = {len(self._shape[tensor]) for tensor in call.inputs}
        if len(ranks) != 1 or min(ranks) < 3:
            # Broadcasting would align one tensor's time with another's height. And without a third axis,
            # time is the last axis, on which pointwise layers act.
            return None
        before = backs.pop() or 0
        own = lookback(call, frames - before, self._shape[call.inputs[0]])
        return None if own is None else before + own

    def worthwhile(self, stateful: Mapping[Call, Stateful]) -> bool:
        """Return whether a split gains anything: work to do once per frame, and work left to do over time.

        Args:
            stateful: The recurrent calls of the model.
        """
        # The ring holds one row per frame, so all tensors of a row need the same look-back.
        if not self.rest or len({self.lookback[tensor] for tensor in self.frontier}) != 1:
            return False
        if not self.takes_frames_as_they_come:
            return True
        # Only the input projection of a recurrent layer turns raw frames into features. With several readers there
        # is no single projection to hoist: rows of raw features are small enough for the ring, pictures are not.
        readers = [call for call in self.rest if self._input in call.inputs]
        return all(isinstance(stateful.get(call), Recurrent) for call in readers) and (
            len(readers) == 1 or len(self._shape[self._input]) < 5
        )

    @property
    def takes_frames_as_they_come(self) -> bool:
        """Whether a call outside the prefix reads the frames themselves."""
        return self._input in self.frontier


@dataclass(frozen=True)
class Causality:
    """Whether the calls after the prefix can run one frame at a time.

    Attributes:
        obstacle: The reason why not; empty if they can.
        by_frame: Calls of the rest that treat each frame by itself.
    """

    obstacle: str
    by_frame: frozenset[Call]


def causality_of(prefix: Prefix, stateful: Mapping[Call, Stateful]) -> Causality:
    """Follow the axis of time through the calls after the prefix.

    Args:
        prefix: The model's prefix.
        stateful: The recurrent calls of the model.

    Returns:
        The calls that can run one frame at a time, or the first obstacle.
    """
    temporal, by_frame = set(prefix.frontier), set()
    for call in prefix.rest:
        layer = stateful.get(call)
        if reason := _obstacle(call, layer, temporal):
            return Causality(f"layer {call.name!r} ({call.kind}) {reason}", frozenset())
        if layer is not None:
            if layer.return_sequences:
                temporal.add(call.outputs[0])
        elif temporal & set(call.inputs) and not sees_newest_only(call):
            by_frame.add(call)
            temporal |= set(call.outputs)
    return Causality(_obstacle_at_end(prefix, stateful, temporal), frozenset(by_frame))


def _obstacle_at_end(prefix: Prefix, stateful: Mapping[Call, Stateful], temporal: set[int]) -> str:
    outputs = set(prefix.outputs)
    if any(outputs & set(call.outputs) and call in stateful for call in prefix.rest):
        return "the answer is itself a state"
    if not any(call in stateful for call in prefix.rest):
        return "the head has no recurrent layer"
    return "" if not outputs & temporal else "the model answers for every frame of the window"


def _obstacle(call: Call, layer: Stateful | None, temporal: set[int]) -> str:
    """Return why a call cannot run one frame at a time; empty if it can.

    Args:
        call: A call after the prefix.
        layer: The object that runs it, if it is recurrent.
        temporal: Numbers of the tensors that have an axis of time.
    """
    if not temporal & set(call.inputs):
        return "" if layer is None else "runs over a sequence of its own"
    if layer is None:
        if not temporal >= set(call.inputs):
            return "combines each frame with the whole window"
        return "" if lookback(call, 0) == 0 or sees_newest_only(call) else "looks at the whole window"
    if len(call.inputs) > 1:
        return "starts from a computed state"
    if fixed_tensors(call):
        return "has a mask or initial state for fixed places in the window"
    return "" if layer.causal else "runs backwards in time"
