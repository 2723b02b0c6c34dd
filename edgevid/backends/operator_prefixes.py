"""Files of the first operators of a `.tflite` file, which a benchmark times.

The package of the interpreter brings what reads and writes the format; `tflite-runtime` does not.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterable
from typing import Any

from edgevid.errors import BackendError, MissingDependency

_TOOLS, _PACKAGE = "ai_edge_litert.tools.flatbuffer_utils", "ai-edge-litert"


class OperatorPrefixes:
    """The prefixes of a file with one graph.

    Args:
        data: Content of the `.tflite` file.
        file: Its name, for errors.

    Attributes:
        names: Kind as the schema names it, and name of the first output, of each operator in order.

    Raises:
        MissingDependency: The installed interpreter cannot write files.
        BackendError: The file has several graphs.
    """

    def __init__(self, data: bytes, file: str) -> None:
        self._tools = _tools()
        self._model: Any = self._tools.convert_bytearray_to_object(bytearray(data))
        if len(self._model.subgraphs) != 1:
            raise BackendError(expected="a part with one graph", found=f"{file} with {len(self._model.subgraphs)}")
        self._graph = self._model.subgraphs[0]
        self.names = [(self._kind(each), self._output(each)) for each in self._graph.operators]

    def prefix(self, length: int) -> bytes:
        """Return a file of the first operators, with the file's inputs.

        Args:
            length: Number of operators, at least 1. Its outputs are what later operators read, and
                those of the file's outputs that are written.
        """
        graph, operators = copy.copy(self._graph), list(self._graph.operators)
        later = _numbers(each.inputs for each in operators[length:]) | _numbers([graph.outputs])
        written = _numbers(each.outputs for each in operators[:length])
        # An operator whose output nobody reads is still one.
        outputs = sorted(written & later) or sorted(_numbers([operators[length - 1].outputs]))
        graph.operators, graph.outputs = operators[:length], outputs
        model = copy.copy(self._model)
        # Signatures name the old outputs.
        model.subgraphs, model.signatureDefs = [graph], None
        return bytes(self._tools.convert_object_to_bytearray(model))

    def _kind(self, operator: Any) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex]
        if code.customCode is not None:
            return str(code.customCode.decode())
        return str(self._tools.opcode_to_name(self._model, operator.opcodeIndex))

    def _output(self, operator: Any) -> str:
        return str(self._graph.tensors[operator.outputs[0]].name.decode())


def _numbers(lists: Iterable[Any]) -> set[int]:
    return {int(number) for numbers in lists if numbers is not None for number in numbers}


def _tools() -> Any:
    try:
        return importlib.import_module(_TOOLS)
    except ImportError as error:
        raise MissingDependency(
            expected=f"the package {_PACKAGE}, whose tools cut a model between operators",
            found=str(error),
            hint=f"Run: python -m pip install {_PACKAGE}",
        ) from error
