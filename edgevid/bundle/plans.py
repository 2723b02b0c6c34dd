"""The tensors that each plan expects of its parts, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from edgevid.errors import PartsDoNotJoin

if TYPE_CHECKING:
    from edgevid.bundle.manifest import Manifest, Part, Tensor

# Name of a tensor in messages, and its shape without the batch axis.
_Expected = tuple[str, tuple[int, ...]]

# Plan -> (inputs, outputs) of each part in the order they run, as names of groups of `_groups`.
# Keep it equal to the table "Plans" of docs/bundle-format.md.
_TENSORS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "window": (("frame", "feature"), ("ring", "scores values")),
    "in flight": (("frame", "feature"), ("feature states", "scores values states")),
    "stateful": (("frame", "feature"), ("feature states", "scores values states")),
    "stack": (("frame", "scores values"),),
}


def check_tensors(manifest: Manifest) -> None:
    """Reject parts whose tensors do not match the manifest or each other.

    Args:
        manifest: Its parts have the roles of its plan.

    Raises:
        PartsDoNotJoin: If the number of tensors or a shape differs from the plan's.
    """
    groups = _groups(manifest)
    plan = "in flight" if manifest.in_flight else manifest.plan
    for part, (inputs, outputs) in zip(manifest.parts, _TENSORS[plan], strict=True):
        _compare(part, "input", part.inputs, [each for name in inputs.split() for each in groups[name]])
        _compare(part, "output", part.outputs, [each for name in outputs.split() for each in groups[name]])


def _groups(manifest: Manifest) -> dict[str, list[_Expected]]:
    """Return the tensors of each group in the table, with the sizes of this manifest."""
    first, last = manifest.parts[0], manifest.parts[-1]
    # An encoder without outputs fails the comparison of its own tensors, before that of the head's.
    feature = first.outputs[0].shape[1:] if first.outputs else ()
    # A head of windows in flight holds one row per window, in scores, values and states alike.
    rows = (manifest.steps,) if manifest.in_flight else ()
    state = "a state of windows in flight" if manifest.in_flight else "a state"
    return {
        "frame": [("the frame input", _stacked(manifest.seen_frames, manifest.input.shape))],
        "feature": [("the features", feature)],
        "ring": [("the features", (manifest.steps, *feature))],
        "scores": [("the scores", (*rows, _width(manifest, last)))],
        "values": [(f"the value {value.name!r}", (*rows, value.size)) for value in manifest.values],
        # The units of a state are the model's own affair. Inputs set the shape; outputs must repeat it.
        "states": [(state, (*rows, *tensor.shape[1 + len(rows) :])) for tensor in last.inputs[1:]],
    }


def _stacked(count: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if count == 1 else (count, *shape)


def _width(manifest: Manifest, last: Part) -> int:
    """Return the number of scores: one per label, or 1 for two labels under a sigmoid."""
    has_one_score = bool(last.outputs) and last.outputs[0].shape[-1] == 1
    if has_one_score and len(manifest.labels) == 2 and manifest.scores.startswith("sigmoid"):
        return 1
    return len(manifest.labels)


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
    for (name, shape), tensor in zip(expected, tensors, strict=True):
        if tensor.shape != (1, *shape):
            raise PartsDoNotJoin(expected=f"{name} to have shape {(1, *shape)}", got=tensor.shape)
