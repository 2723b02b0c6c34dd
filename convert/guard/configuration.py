"""Compares a model's configuration with the classes and functions that are allowed.

It is the JSON in a `.keras` or HDF5 file, or in the metadata of a SavedModel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from convert.guard.allowed_classes import CLASSES, MODULES
from convert.guard.allowed_functions import ACTIVATIONS, FUNCTIONS, TENSOR_ATTRIBUTES, is_mathematical
from convert.guard.allowed_operators import COMPUTE
from convert.guard.findings import Finding

_OWN_PACKAGE = "edgevid"
# The modules of edgevid's own layers, beside those with which Keras marks a class of no module.
_OWN_MODULES = (None, "builtins", "convert.frameworks.frame_difference", "convert.frameworks.temporal_statistics")
_MODULE = re.compile(
    r"(?:keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras)(?:\.src)?(?:\.(?P<part>\w+)[\w.]*)?"
)
_OPERATOR_LAYERS = ("TFOpLambda", "SlicingOpLambda")
_TENSOR_LAYERS = ("InstanceMethod", "InstanceProperty")
_CONSTANT = "_CONSTANT_VALUE"


class ConfigurationGuard:
    """Finds what a configuration names and may not.

    Args:
        custom: Names of the user's own classes and functions, which are allowed.
        is_operator: Whether Keras 3 has an operator class of a name, such as "GetItem". It computes on
            tensors as a layer does.
        operator_of: The name of the operator in a serialized `NodeDef`.
    """

    def __init__(
        self, custom: Collection[str], *, is_operator: Callable[[str], bool], operator_of: Callable[[Any], str]
    ) -> None:
        self._custom = frozenset(custom)
        self._is_operator, self._operator_of = is_operator, operator_of

    def findings(self, config: Any) -> list[Finding]:
        """Return everything that is not allowed, without repetitions.

        Args:
            config: A configuration, from JSON. The arguments of `compile`, which are not read, do not
                count; those of inner models do.
        """
        if isinstance(config, dict):
            config = {key: value for key, value in config.items() if key != "compile_config"}
        names = frozenset(_layer_names(config))
        found: dict[Finding, None] = {}
        # Without recursion, whose depth a file could exceed.
        left = [config]
        while left:
            value = left.pop()
            if isinstance(value, dict):
                found |= dict.fromkeys((*self._of_object(value, names), *self._of_fields(value)))
            left.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
        return list(found)

    def _of_object(self, value: Mapping[str, Any], names: frozenset[str]) -> Iterator[Finding]:
        if "class_name" not in value:
            return
        name, config = value["class_name"], value.get("config")
        if name in ("Lambda", "__lambda__"):
            if not self._is_replaced(name, config):
                yield Finding("code", "a Lambda layer" if name == "Lambda" else "a Python function")
        elif name == "function":
            yield from self._of_function(value)
        elif name in _OPERATOR_LAYERS:
            yield from _of_operator_layer(value, names)
        elif name in _TENSOR_LAYERS:
            attribute = _field(config, "attr_name")
            yield from _unless(attribute in TENSOR_ATTRIBUTES, "attribute", attribute)
        elif name == "TensorFlowOpLayer":
            operator = self._operator_of(config.get("node_def") if isinstance(config, dict) else None)
            yield from _unless(operator in COMPUTE, "operator", operator)
        else:
            yield from self._of_class(name, value)

    def _is_replaced(self, name: str, config: Any) -> bool:
        """Return whether a Lambda layer calls a function of the user's, by name."""
        return (
            name == "Lambda"
            and isinstance(config, dict)
            and config.get("function_type") == "function"
            and not config.get("module")
            and isinstance(config.get("function"), str)
            and config["function"] in self._custom
        )

    def _of_function(self, value: Mapping[str, Any]) -> Iterator[Finding]:
        name, module = value.get("config"), value.get("module")
        registered = value.get("registered_name")
        if self._is_custom(name) or self._is_custom(registered):
            return
        is_listed = name in FUNCTIONS if isinstance(name, str) else False
        # Keras states the registered name of a built-in function as "function", or repeats the name.
        is_plain = registered in (None, "function", name) or registered in FUNCTIONS
        if not (is_listed and is_plain and (module in (None, "builtins") or _is_framework(module))):
            yield Finding("function", f"{module}.{name}" if module not in (None, "builtins") else str(name))

    def _of_class(self, name: Any, value: Mapping[str, Any]) -> Iterator[Finding]:
        if not isinstance(name, str):
            yield Finding("class", repr(name)[:80])
            return
        module, registered = value.get("module"), value.get("registered_name")
        if self._is_custom(registered or name) or self._is_custom(name):
            return
        own = str(registered or name)
        if own.startswith(f"{_OWN_PACKAGE}>") and module in _OWN_MODULES:
            return
        # A package before the name is a key of the framework's registry, which no file fills.
        plain = name.rpartition(">")[2]
        is_listed = plain in CLASSES or self._is_operator(plain)
        is_plain = registered in (None, "", name) or str(registered).rpartition(">")[2] in {plain, *CLASSES}
        if not (is_listed and is_plain and (module in (None, "builtins") or _is_framework(module))):
            in_framework = module in (None, "builtins") or _is_framework(module)
            yield Finding("class", name if in_framework else f"{module}.{name}")

    def _of_fields(self, value: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the functions that the fields of a layer name, as strings or as compiled code."""
        for key, field in value.items():
            kind = value.get(f"{key}_type")
            if kind == "lambda":
                yield Finding("code", f"a Python function in the field {key}")
            elif kind == "function" and not self._is_custom(field) and field not in FUNCTIONS:
                yield Finding("function", str(field))
            elif key.endswith("activation") and isinstance(field, str) and not self._is_activation(field):
                yield Finding("function", field)

    def _is_activation(self, name: str) -> bool:
        return name in ACTIVATIONS or self._is_custom(name)

    def _is_custom(self, name: Any) -> bool:
        return isinstance(name, str) and (name in self._custom or name.rpartition(">")[2] in self._custom)


def _of_operator_layer(value: Mapping[str, Any], names: frozenset[str]) -> Iterator[Finding]:
    function = _field(value.get("config"), "function")
    yield from _unless(is_mathematical(function), "function", f"tf.{function}")
    nodes = value.get("inbound_nodes")
    # On constants alone it would run while the model is built, on whatever the file passes.
    if isinstance(nodes, list) and nodes and not all(_takes_tensor(node, names) for node in nodes):
        yield Finding("constant", f"tf.{function}")


def _takes_tensor(node: Any, names: frozenset[str]) -> bool:
    """Return whether a call has a reference [layer, node, tensor] to another layer among its arguments."""
    left = [node]
    while left:
        value = left.pop()
        if isinstance(value, list):
            head = value[:3]
            if len(head) == 3 and head[0] in names and all(isinstance(each, int) for each in head[1:]):
                return True
        left.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    return False


def _layer_names(config: Any) -> Iterator[str]:
    left = [config]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            inner = value.get("config")
            for name in (value.get("name"), inner.get("name") if isinstance(inner, dict) else None):
                if "class_name" in value and isinstance(name, str) and name != _CONSTANT:
                    yield name
        left.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def _is_framework(module: Any) -> bool:
    match = _MODULE.fullmatch(module) if isinstance(module, str) else None
    return match is not None and (match["part"] is None or match["part"] in MODULES)


def _field(config: Any, key: str) -> str:
    return str(config.get(key)) if isinstance(config, dict) else ""


def _unless(is_allowed: bool, kind: str, name: str) -> Iterable[Finding]:
    return () if is_allowed else (Finding(kind, name),)
