"""Compares a SavedModel folder with the operators and classes that are allowed, before TensorFlow loads it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convert.frameworks import internals
from convert.guard.allowed_operators import COMPUTE, RESTORE, SAVE
from convert.guard.configuration import ConfigurationGuard
from convert.guard.findings import Finding
from edgevid.errors import ModelError

_INIT = ("__saved_model_init_op", "__saved_model_train_op")
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
# Grappler may replace a function by another with the same value of these.
_INTERCHANGEABLE = ("api_implements", "experimental_api_implements")


def graph_findings(path: Path) -> list[Finding]:
    """Return the operators of a SavedModel that are not allowed where they are.

    Args:
        path: The folder.

    Raises:
        OSError: The folder's description cannot be parsed.
    """
    found: dict[Finding, None] = {}
    for meta_graph in internals.parse_saved_model(path).meta_graphs:
        found |= dict.fromkeys(_Program(meta_graph).findings())
        for asset in meta_graph.asset_file_def:
            if Path(asset.filename).name != asset.filename:
                found[Finding("data", f"an asset outside of the folder ({asset.filename})")] = None
    return list(found)


def layer_findings(path: Path, guard: ConfigurationGuard) -> list[Finding]:
    """Return what the descriptions of Keras layers in a SavedModel name and may not.

    Args:
        path: The folder.
        guard: The lists of what is allowed.

    Raises:
        ModelError: A description cannot be parsed.
        OSError: The folder's description cannot be parsed.
    """
    found: dict[Finding, None] = {}
    for text in internals.keras_metadata(path):
        try:
            description = json.loads(text)
        except ValueError as error:
            raise ModelError(expected="layers described in JSON", found=f"{path}: {error}", path=path) from error
        # The loss and the optimizer are not read.
        if isinstance(description, dict):
            description.pop("training_config", None)
        found |= dict.fromkeys(guard.findings(description))
    return list(found)


@dataclass
class _Part:
    """Which nodes and functions one purpose of the program runs."""

    nodes: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)


class _Program:
    """The graph and the functions of a SavedModel, split by what runs them: inference, restoring, saving."""

    def __init__(self, meta_graph: Any) -> None:
        self._meta = meta_graph
        self._nodes = {node.name: node for node in meta_graph.graph_def.node}
        self._functions = {each.signature.name: each for each in meta_graph.graph_def.library.function}

    def findings(self) -> Iterator[Finding]:
        """Yield the operators that are not allowed in the part that runs them."""
        saver = self._meta.saver_def
        restoring = self._reached([saver.restore_op_name])
        saving = self._reached([saver.save_tensor_name])
        running = self._reached(self._entry_nodes())
        running.functions |= self._closure(self._object_functions())
        # TensorFlow 2 runs functions only. What else the main graph holds belongs to nobody, unless
        # it is the saver's.
        for name, node in self._nodes.items():
            yield from _of_operator(
                node.op, self._functions, _allowed(name, running.nodes, restoring.nodes, saving.nodes)
            )
        for name, function in self._functions.items():
            allowed = _allowed(name, running.functions, restoring.functions, saving.functions)
            if any(key in function.attr for key in _INTERCHANGEABLE):
                allowed = COMPUTE
            for node in function.node_def:
                yield from _of_operator(node.op, self._functions, allowed)

    def _entry_nodes(self) -> Iterator[str]:
        """Yield the nodes that a signature returns, or that run when the model is loaded."""
        for key, signature in self._meta.signature_def.items():
            yield from (tensor.name for tensor in signature.outputs.values())
            if key in _INIT:
                yield from (tensor.name for tensor in signature.inputs.values())
        for name in _INIT_COLLECTIONS:
            if name in self._meta.collection_def:
                yield from self._meta.collection_def[name].node_list.value

    def _object_functions(self) -> Iterator[str]:
        """Yield the functions that belong to objects, which a program can call."""
        objects = self._meta.object_graph_def
        yield from objects.concrete_functions
        yield from self._meta.meta_info_def.function_aliases
        for node in objects.nodes:
            yield from node.function.concrete_functions
            yield node.bare_concrete_function.concrete_function_name

    def _reached(self, entries: Iterable[str]) -> _Part:
        """Return the nodes that lead to some nodes of the main graph, and the functions that they call."""
        part, left = _Part(), [_node_name(each) for each in entries]
        while left:
            name = left.pop()
            if name in part.nodes or name not in self._nodes:
                continue
            part.nodes.add(name)
            left.extend(_node_name(each) for each in self._nodes[name].input)
        part.functions = self._closure(
            called for name in part.nodes for called in _called(self._nodes[name], self._functions)
        )
        return part

    def _closure(self, names: Iterable[str]) -> set[str]:
        reached: set[str] = set()
        left = list(names)
        while left:
            name = left.pop()
            if name in reached or name not in self._functions:
                continue
            reached.add(name)
            for node in self._functions[name].node_def:
                left.extend(_called(node, self._functions))
        return reached


def _allowed(name: str, running: set[str], restoring: set[str], saving: set[str]) -> frozenset[str]:
    if name in running:
        return COMPUTE
    return RESTORE if name in restoring else SAVE if name in saving else COMPUTE


def _of_operator(name: str, functions: Mapping[str, Any], allowed: Collection[str]) -> Iterator[Finding]:
    # A function is called by an operator of its name, too; its own operators are checked.
    if name not in allowed and name not in functions:
        yield Finding("operator", name)


def _called(node: Any, functions: Mapping[str, Any]) -> Iterator[str]:
    if node.op in functions:
        yield node.op
    for value in node.attr.values():
        if value.func.name:
            yield value.func.name
        yield from (each.name for each in value.list.func)


def _node_name(reference: str) -> str:
    """Return the node of a tensor or a control input, such as "dense/BiasAdd:0" or "^init"."""
    return reference.removeprefix("^").partition(":")[0]
