"""Finds the frame, the scores and the states among a stream's tensors.

A state is an output that is the next frame's input. Pairs are those that the user states, then those of
one name, then those of one shape where there is only one reading.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edgevid.bundle.parts import Tensor
from edgevid.errors import ModelError, UsageError

Tensors = Mapping[str, Tensor]
_CHANNELS = (1, 3)
# Words that converters and authors add to a name on one side only.
_SIDES = frozenset(
    "in out input output inputs outputs prev previous last next new old before after serving default".split()
)
# h0 and hn, stateN: how PyTorch and its users name a state before and after.
_ENDS = re.compile(r"(?P<state>h|c|hidden|cell|state)(0|n)")


@dataclass(frozen=True)
class State:
    """A state: an output that is the next frame's input.

    Attributes:
        name: The input's name in the file's signature, or the tensor's name.
        before: The input.
        after: The output.
    """

    name: str
    before: Tensor
    after: Tensor


@dataclass(frozen=True)
class StreamTensors:
    """The tensors of a stream by what they are for.

    Attributes:
        frame: The input of one frame.
        scores: The output of the scores.
        states: The states, in the order of the file's inputs.
        by_shape: Names of the pairs of states that only their shapes showed.
    """

    frame: Tensor
    scores: Tensor
    states: tuple[State, ...]
    by_shape: tuple[tuple[str, str], ...] = ()


def find_pairs(inputs: Tensors, outputs: Tensors, *, stated: Sequence[tuple[str, str]], file: str) -> StreamTensors:
    """Find what each tensor of a stream is for.

    Args:
        inputs: By their names in the file's signature, or their own if there is none.
        outputs: Likewise.
        stated: Pairs of an input's and an output's name that the user states.
        file: The file's name, for messages.

    Raises:
        UsageError: A stated name is unknown, or a stated pair has two shapes.
        ModelError: A state has no partner, or several.
    """
    pairs = _stated(inputs, outputs, stated)
    if not _is_settled(_without(inputs, pairs), _without(outputs, pairs.values())):
        pairs |= _named(_without(inputs, pairs), _without(outputs, pairs.values()))
    rest, results = _without(inputs, pairs), _without(outputs, pairs.values())
    frame, scores, shaped = _by_shape(rest, results, file)
    pairs |= shaped
    states = tuple(State(name, tensor, outputs[pairs[name]]) for name, tensor in inputs.items() if name in pairs)
    return StreamTensors(inputs[frame], outputs[scores], states, tuple(shaped.items()))


def frame_of(tensor: Tensor) -> tuple[int, ...] | None:
    """Return the shape of the one frame, (H, W, C) or (F,), that an input takes; None for any other input."""
    shape = tensor.shape[1:]
    if tensor.params.is_counter or tensor.shape[:1] != (1,):
        return None
    # An axis of time, of one frame.
    if len(shape) in (2, 4) and shape[0] == 1:
        shape = shape[1:]
    is_picture = len(shape) == 3 and shape[-1] in _CHANNELS
    return shape if is_picture or len(shape) == 1 else None


def width_of(tensor: Tensor) -> int | None:
    """Return how many scores an output holds; None for an output of another shape than (1, K) or (1, 1, K)."""
    is_vector = len(tensor.shape) in (2, 3) and set(tensor.shape[:-1]) == {1} and not tensor.params.is_counter
    return tensor.shape[-1] if is_vector else None


def describe(name: str, tensor: Tensor) -> str:
    """Return a tensor's name, shape and type for messages."""
    return f"{name!r} {tensor.shape} {tensor.dtype}"


def _without(tensors: Tensors, names: Collection[str]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def _is_settled(inputs: Tensors, outputs: Tensors) -> bool:
    """Return whether only the frame and the scores are left."""
    return len(inputs) == len(outputs) == 1


def _stated(inputs: Tensors, outputs: Tensors, stated: Sequence[tuple[str, str]]) -> dict[str, str]:
    pairs = {_resolve(before, inputs): _resolve(after, outputs) for before, after in stated}
    UsageError.unless(
        len(pairs) == len(set(pairs.values())) == len(stated),
        expected="each state in one --state",
        found=", ".join(f"{before}={after}" for before, after in stated),
    )
    for before, after in pairs.items():
        UsageError.unless(
            inputs[before].shape == outputs[after].shape,
            expected=f"--state {before}=OUTPUT of shape {inputs[before].shape}",
            found=describe(after, outputs[after]),
        )
    return pairs


def _resolve(name: str, tensors: Tensors) -> str:
    """Return the key of a tensor by its name in the signature or its own."""
    found = name if name in tensors else next((key for key, each in tensors.items() if each.name == name), None)
    if found is None:
        raise UsageError(expected="--state INPUT=OUTPUT", choices=tuple(tensors), got=name)
    return found


def _named(inputs: Tensors, outputs: Tensors) -> dict[str, str]:
    """Pair tensors of one shape and one name, up to what names the side."""
    pairs: dict[str, str] = {}
    for name, tensor in inputs.items():
        same = [key for key in (name,) if key in outputs] or [key for key in outputs if _stem(key) == _stem(name) != ()]
        others = [key for key in inputs if _stem(key) == _stem(name)]
        if len(same) == 1 and (len(others) == 1 or same == [name]) and outputs[same[0]].shape == tensor.shape:
            pairs[name] = same[0]
    return pairs


def _stem(name: str) -> tuple[str, ...]:
    """Return the words of a name that do not say on which side it is; () for none but numbers."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", re.sub(r":\d+$", "", name).lower()) if word]
    kept = [word for word in words if word not in _SIDES]
    if all(word.isdigit() for word in kept):
        return ()
    return tuple(_ENDS.sub(r"\g<state>", word) if _ENDS.fullmatch(word) else word for word in kept)


def _by_shape(inputs: Tensors, outputs: Tensors, file: str) -> tuple[str, str, dict[str, str]]:
    """Return the frame, the scores and the pairs of the rest, if there is one reading only."""
    if _is_settled(inputs, outputs):
        return next(iter(inputs)), next(iter(outputs)), {}
    readings = [
        (frame, scores, pairs)
        for frame in inputs
        if frame_of(inputs[frame]) is not None
        for scores in outputs
        if width_of(outputs[scores]) is not None
        if (pairs := _matched(_without(inputs, (frame,)), _without(outputs, (scores,)))) is not None
    ]
    if len(readings) != 1:
        raise _unpaired(inputs, outputs, [frame for frame, _, _ in readings], file)
    return readings[0]


def _matched(inputs: Tensors, outputs: Tensors) -> dict[str, str] | None:
    """Pair tensors by shape and type; None if one of them has no partner or several."""
    partners = {name: _partners(tensor, outputs) for name, tensor in inputs.items()}
    pairs = {name: found[0] for name, found in partners.items() if len(found) == 1}
    return pairs if len(pairs) == len(inputs) == len(outputs) == len(set(pairs.values())) else None


def _partners(tensor: Tensor, others: Tensors) -> list[str]:
    return [name for name, other in others.items() if (other.shape, other.dtype) == (tensor.shape, tensor.dtype)]


def _unpaired(inputs: Tensors, outputs: Tensors, frames: Sequence[str], file: str) -> ModelError:
    """Return the error that names a state without a partner, or with several."""
    partners = {name: _partners(tensor, outputs) for name, tensor in inputs.items()}
    several = next((name for name, found in partners.items() if len(found) > 1), None)
    alone = [name for name, found in partners.items() if not found]
    never_a_frame = next((name for name in alone if frame_of(inputs[name]) is None), None)
    if len(frames) > 1:
        expected, found = "one input of frames", " or ".join(map(repr, dict.fromkeys(frames)))
    elif not inputs:
        expected, found = "an input of frames besides the states", "none"
    elif several is not None:
        expected = f"one output for the state {describe(several, inputs[several])}"
        first, second, *more = map(repr, partners[several])
        found = f"{first} and {second}" + (f" and {len(more)} more" if more else "")
    elif never_a_frame is not None:
        expected, found = f"an output for the state {describe(never_a_frame, inputs[never_a_frame])}", _listed(outputs)
    else:
        expected = "one input of frames and one output of scores besides the states"
        found = f"inputs {_listed(inputs)} and outputs {_listed(outputs)}"
    return ModelError(expected=expected, found=f"{found} in {file}", hint="Pass --state INPUT=OUTPUT for each state.")


def _listed(tensors: Tensors) -> str:
    return ", ".join(describe(name, tensor) for name, tensor in tensors.items()) or "none"
