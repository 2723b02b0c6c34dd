"""The tensors that each plan expects of its parts, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgevid.bundle.parts import Part, Tensor
from edgevid.errors import PartsDoNotJoin

# Name of a tensor in messages, and its legal shapes with the batch axis.
_Expected = tuple[str, tuple[tuple[int, ...], ...]]

# Plan -> (inputs, outputs) of each part in the order they run, as names of groups of `_groups`.
# Keep it equal to the table "Plans" of docs/reference/bundle-format.md.
_TENSORS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "window": (("frame", "feature"), ("ring", "scores values")),
    "in flight": (("frame", "feature"), ("feature states", "scores values states")),
    "stateful": (("frame", "feature"), ("feature states", "scores values states")),
    "one step": (("frame states", "scores values states"),),
    "stack": (("frame", "scores values"),),
}


@dataclass(frozen=True, kw_only=True)
class PlanSizes:
    """The sizes of a manifest that determine the shapes of its parts' tensors.

    Attributes:
        plan: A key of the table: the manifest's plan, "in flight", or "one step" for plan "stateful" in a
            single part.
        frame: Shape of the frame input, without the batch: (H, W, C) or (F,), with the number of
            frames before it if the first part sees several.
        steps: Features in a window.
        labels: Number of labels.
        is_sigmoid: Whether the scores are sigmoids, of which one is enough for two labels.
        values: Size of each output besides the scores, by name.
    """

    plan: str
    frame: tuple[int, ...]
    steps: int
    labels: int
    is_sigmoid: bool
    values: Mapping[str, int]


def check_tensors(parts: Sequence[Part], sizes: PlanSizes) -> None:
    """Reject parts whose tensors do not match the manifest or each other.

    Args:
        parts: Their roles are those of the plan.
        sizes: The manifest's.

    Raises:
        PartsDoNotJoin: If the number of tensors or a shape differs from the plan's.
    """
    groups = _groups(parts, sizes)
    for part, (inputs, outputs) in zip(parts, _TENSORS[sizes.plan], strict=True):
        _compare(part, "input", part.inputs, [each for name in inputs.split() for each in groups[name]])
        _compare(part, "output", part.outputs, [each for name in outputs.split() for each in groups[name]])


def _groups(parts: Sequence[Part], sizes: PlanSizes) -> dict[str, list[_Expected]]:
    """Return the tensors of each group in the table, with the sizes of this manifest."""
    first, last = parts[0], parts[-1]
    # An encoder without outputs fails the comparison of its own tensors, before that of the head's.
    feature = first.outputs[0].shape[1:] if first.outputs else ()
    is_in_flight = sizes.plan == "in flight"
    # A head of windows in flight holds one row per window, in scores, values and states alike.
    rows = (sizes.steps,) if is_in_flight else ()
    state = "a state of windows in flight" if is_in_flight else "a state"
    # The files of other people keep an axis of time, of one frame.
    times: tuple[tuple[int, ...], ...] = ((), (1,)) if sizes.plan == "one step" else ((),)
    # The units of a state are the model's own affair. Inputs set the shape; outputs must repeat it.
    states: list[_Expected] = [
        (state, ((1, *rows, *tensor.shape[2:]) if is_in_flight else tensor.shape,)) for tensor in last.inputs[1:]
    ]
    return {
        "frame": [("the frame input", tuple((1, *time, *sizes.frame) for time in times))],
        "feature": [("the features", ((1, *feature),))],
        "ring": [("the features", ((1, sizes.steps, *feature),))],
        "scores": [("the scores", tuple((1, *rows, *time, _width(sizes, last)) for time in times))],
        "values": [(f"the value {name!r}", ((1, *rows, size),)) for name, size in sizes.values.items()],
        "states": states,
    }


def _width(sizes: PlanSizes, last: Part) -> int:
    """Return the number of scores: one per label, or 1 for two labels under a sigmoid."""
    has_one_score = bool(last.outputs) and last.outputs[0].shape[-1] == 1
    return 1 if has_one_score and sizes.labels == 2 and sizes.is_sigmoid else sizes.labels


def _compare(
    part: Part, side: Literal["input", "output"], tensors: tuple[Tensor, ...], expected: list[_Expected]
) -> None:
    if len(tensors) != len(expected):
        sides = side if len(expected) == 1 else f"{side}s"
        names = ", ".join(name for name, _ in expected)
        raise PartsDoNotJoin(
            expected=f"{len(expected)} {sides} of part {part.role!r} ({names})",
            got=len(tensors),
        )
    for (name, shapes), tensor in zip(expected, tensors, strict=True):
        if tensor.shape not in shapes:
            raise PartsDoNotJoin(expected=f"{name} to have shape {shapes[0]}", got=tensor.shape)
