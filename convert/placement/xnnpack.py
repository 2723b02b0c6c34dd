"""Ask the interpreter which operators of a part the XNNPACK delegate runs, and in how many partitions.

An operator outside XNNPACK splits the graph in two and runs on slower kernels, and nothing reports it. A MobileNetV2
without the delegate takes twenty times as long. So the conversion counts operators in the very file of the bundle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convert.frameworks import internals
from convert.placement.operation_counts import count
from convert.tflite_file import read_tflite
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.bundle.parts import Role
from edgevid.prediction.work import Work

# The interpreter replaces each partition of a delegate by one node with this name.
_DELEGATE = "DELEGATE"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the operators of one part run on this machine's CPU.

    Attributes:
        part: Role of the part.
        operators: How many of each kind, the commonest first.
        partitions: Connected pieces that XNNPACK runs.
        delegated: Operators in them.
        outside: How many of each kind run on the interpreter's own kernels.
        work: Multiplications and numbers moved by one run of the part.
    """

    part: Role
    operators: Mapping[str, int]
    partitions: int
    delegated: int
    outside: Mapping[str, int]
    work: Work = field(default_factory=Work)


def measure(bundle: Bundle) -> list[Placement]:
    """Return the placement of every part of a bundle, in their order."""
    return [place(part.role, bundle.models[part.file]) for part in bundle.manifest.parts]


def place(role: Role, data: bytes) -> Placement:
    """Return the placement of one `.tflite` file.

    Args:
        role: Role of the part.
        data: Content of the file.
    """
    # The list holds the original operators and the nodes of the delegate that replace some of them.
    nodes = internals.operators_of(LiteRt().open(data, f"the {role}"))
    delegates = [node for node in nodes if node["op_name"] == _DELEGATE]
    own = [node for node in nodes if node["op_name"] != _DELEGATE]
    inside = {index for node in delegates for index in _inside(node, own)}
    outside = Counter(node["op_name"] for index, node in enumerate(own) if index not in inside)
    kinds = Counter(node["op_name"] for node in own)
    return Placement(
        part=role,
        operators=dict(kinds.most_common()),
        partitions=len(delegates),
        delegated=len(inside),
        outside=dict(outside.most_common()),
        work=count(read_tflite(data, f"the {role}")),
    )


def _inside(delegate: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return indices of the nodes that a delegate node replaces: those between its outputs and its inputs."""
    # The node of a delegate has no list of its operators, so walk back from its outputs.
    maker = {int(tensor): index for index, node in enumerate(nodes) for tensor in node["outputs"]}
    edge = {int(tensor) for tensor in delegate["inputs"]}
    pending = [int(tensor) for tensor in delegate["outputs"]]
    inside: set[int] = set()
    while pending:
        tensor = pending.pop()
        if tensor in edge or tensor not in maker or maker[tensor] in inside:
            continue
        inside.add(maker[tensor])
        pending.extend(int(each) for each in nodes[maker[tensor]]["inputs"])
    return inside


def describe(placements: Iterable[Placement]) -> list[str]:
    """Return a line of text for each placement."""
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
