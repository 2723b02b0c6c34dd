"""Where a part's operators run, asked of the interpreter: how many the XNNPACK delegate took, in how many partitions, and which it left outside.

One operator outside of XNNPACK parts a graph in two and runs on slower kernels, without a word from anyone: a MobileNetV2 that loses the
delegate takes twenty times as long. So it is counted, on the very file that the bundle holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convert.frameworks import internals
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.bundle.manifest import Role

# The interpreter's name for a node that stands for all that a delegate took as one.
_DELEGATE = "DELEGATE"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the operators of one part run on this machine's CPU.

    Attributes:
        part: Role of the part.
        operators: How many of each kind, the commonest first.
        partitions: Pieces that XNNPACK took, each as a whole.
        delegated: Operators in them.
        outside: How many of each kind it left to the interpreter's own kernels.
    """

    part: Role
    operators: Mapping[str, int]
    partitions: int
    delegated: int
    outside: Mapping[str, int]


def measure(bundle: Bundle) -> list[Placement]:
    """Ask the interpreter about every part of a bundle.

    Args:
        bundle: The bundle.

    Returns:
        One placement a part, in their order.
    """
    return [place(part.role, bundle.models[part.file]) for part in bundle.manifest.parts]


def place(role: Role, data: bytes) -> Placement:
    """Ask the interpreter about one `.tflite` file.

    Args:
        role: What the part is used for.
        data: The file.

    Returns:
        Its placement.
    """
    # The nodes tell what was asked of the delegate and what it took.
    nodes = internals.operators_of(LiteRt().open(data, f"the {role}"))
    taken = [node for node in nodes if node["op_name"] == _DELEGATE]
    own = [node for node in nodes if node["op_name"] != _DELEGATE]
    inside = {index for node in taken for index in _inside(node, own)}
    outside = Counter(node["op_name"] for index, node in enumerate(own) if index not in inside)
    kinds = Counter(node["op_name"] for node in own)
    return Placement(
        part=role,
        operators=dict(kinds.most_common()),
        partitions=len(taken),
        delegated=len(inside),
        outside=dict(outside.most_common()),
    )


def _inside(delegate: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> set[int]:
    """Find the nodes that one delegate node stands for: all that its outputs are made of, back to its inputs."""
    maker = {int(tensor): index for index, node in enumerate(nodes) for tensor in node["outputs"]}
    edge = {int(tensor) for tensor in delegate["inputs"]}
    pending = [int(tensor) for tensor in delegate["outputs"]]
    found: set[int] = set()
    while pending:
        tensor = pending.pop()
        if tensor in edge or tensor not in maker or maker[tensor] in found:
            continue
        found.add(maker[tensor])
        pending.extend(int(each) for each in nodes[maker[tensor]]["inputs"])
    return found


def describe(placements: Iterable[Placement]) -> list[str]:
    """Say it for a person.

    Args:
        placements: Of the parts.

    Returns:
        One line a part.
    """
    lines = []
    for each in placements:
        total = sum(each.operators.values())
        outside = ", ".join(f"{count} {kind}" for kind, count in each.outside.items())
        pieces = "1 partition" if each.partitions == 1 else f"{each.partitions} partitions"
        lines.append(
            f"{each.part}: XNNPACK runs {each.delegated} of {total} operators in {pieces}"
            + (f"; outside: {outside}" if outside else "")
        )
    return lines
