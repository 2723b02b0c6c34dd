"""Run a `.tflite` file piece by piece, so that the tensors of a piece fit into memory together.

To compare operators, every tensor must be readable after the run. The tensors of an unrolled ConvLSTM over
20 frames of 255x255 take 7 GB.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from edgevid.frames import Array

# Tensors of one piece, unless a single operator has more. Most models are one piece.
MOST_BYTES = 64 * 2**20
# By number in the schema: float32, int32, int64, int16 and float16; all others have one byte.
_BYTES_BY_TYPE = {0: 4, 2: 4, 4: 8, 7: 2, 1: 2}


class Operator(NamedTuple):
    """Numbers of the tensors that an operator reads, without weights, and of those that it writes."""

    reads: tuple[int, ...]
    writes: tuple[int, ...]


class OperatorFile:
    """The operators of a file with one graph.

    Args:
        data: The file.
        skip: Places of operators that are left out; no other one reads what they write.

    Attributes:
        operators: In the order in which they run.
    """

    def __init__(self, data: bytes, *, skip: Collection[int] = ()) -> None:
        from tensorflow.lite.tools import flatbuffer_utils

        self._model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
        graph = self._graph = self._model.subgraphs[0]
        graph.operators = [operator for place, operator in enumerate(graph.operators) if place not in skip]
        written = {int(number) for operator in graph.operators for number in operator.outputs}
        computed = written | {int(number) for number in graph.inputs}
        self.operators = [
            Operator(
                tuple(int(number) for number in operator.inputs if int(number) in computed),
                tuple(int(number) for number in operator.outputs),
            )
            for operator in graph.operators
        ]

    def cut(self, most_bytes: int) -> list[range]:
        """Return the operators of each piece, whose tensors take at most these bytes together."""
        starts, held = [0], 0
        for place, operator in enumerate(self.operators):
            needed = sum(map(self._bytes, operator.writes))
            if held and held + needed > most_bytes:
                starts, held = [*starts, place], 0
            held += needed
        return [range(start, end) for start, end in zip(starts, [*starts[1:], len(self.operators)], strict=True)]

    def _bytes(self, number: int) -> int:
        tensor = self._graph.tensors[number]
        return math.prod(map(int, tensor.shape)) * _BYTES_BY_TYPE.get(int(tensor.type), 1)

    def entries(self, piece: Sequence[int]) -> list[int]:
        """Return the numbers of the tensors that operators read and none of them writes, ascending."""
        return sorted(set(self._reads(piece)) - self.written(piece))

    def _reads(self, piece: Sequence[int]) -> list[int]:
        return sorted({number for place in piece for number in self.operators[place].reads})

    def written(self, piece: Sequence[int]) -> set[int]:
        """Return the numbers of the tensors that operators write."""
        return {number for place in piece for number in self.operators[place].writes}

    def piece(self, piece: Sequence[int]) -> bytes:
        """Return a file of some operators. Its inputs are their `entries`; all that they write are its outputs."""
        graph = copy.copy(self._graph)
        graph.operators = [graph.operators[place] for place in piece]
        graph.inputs, graph.outputs = self.entries(piece), sorted(self.written(piece))
        return self._packed(graph)

    def isolated(self, piece: Sequence[int]) -> tuple[bytes, dict[int, int]]:
        """Return a file of some operators, each with inputs of its own in place of what others write.

        Returns:
            The file, and the number of the new input for each tensor that it replaces.
        """
        graph = copy.copy(self._graph)
        replacements = {number: len(graph.tensors) + index for index, number in enumerate(self._reads(piece))}
        graph.tensors = [*graph.tensors, *(graph.tensors[number] for number in replacements)]
        graph.operators = [copy.copy(graph.operators[place]) for place in piece]
        for operator in graph.operators:
            operator.inputs = [replacements.get(int(number), int(number)) for number in operator.inputs]
        graph.inputs, graph.outputs = list(replacements.values()), sorted(self.written(piece))
        return self._packed(graph), replacements

    def _packed(self, graph: Any) -> bytes:
        from tensorflow.lite.tools import flatbuffer_utils

        model = copy.copy(self._model)
        # Signatures name the old inputs and outputs.
        model.subgraphs, model.signatureDefs = [graph], None
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


class PieceRunner:
    """Runs the pieces of a file one after the other, each with what the earlier ones wrote for it.

    Args:
        file: The file.
        start: From a file's bytes to an interpreter with allocated tensors.

    Attributes:
        places: The places of the pieces, in order.
    """

    def __init__(self, file: OperatorFile, start: Callable[[bytes], Any]) -> None:
        self._file, self._pieces = file, file.cut(MOST_BYTES)
        self.places = range(len(self._pieces))
        self._interpreter = OneAtATime(lambda place: start(file.piece(self._pieces[place])))
        self._place_of = {number: place for place, piece in enumerate(self._pieces) for number in file.written(piece)}
        # What the current piece wrote, and the values from before it.
        self._written: set[int] = set()
        self._values: dict[int, Array] = {}

    def place_of(self, numbers: Iterable[int]) -> int:
        """Return the place of the first piece after which all these tensors are known."""
        return max(self._place_of.get(number, 0) for number in numbers)

    def run(self, inputs: Mapping[int, Array], needs: Sequence[Collection[int]]) -> Iterator[int]:
        """Run the file on one sample.

        Args:
            inputs: Values of its inputs, by number of the tensor.
            needs: For each piece the numbers of the tensors that the caller reads after it.

        Yields:
            The place of each piece after its run; until the next one runs, `read` returns tensors.
        """
        self._values, self._written = dict(inputs), set()
        for place, piece in enumerate(self._pieces):
            interpreter = self._interpreter.at(place)
            for number in self._file.entries(piece):
                interpreter.set_tensor(number, self._values[number])
            interpreter.invoke()
            del interpreter
            self._written = self._file.written(piece)
            yield place
            self._values = {number: self.read(number) for number in self._later(place, needs)}

    def _later(self, place: int, needs: Sequence[Collection[int]]) -> set[int]:
        """Return the numbers of the tensors that are known after a piece and read after a later one."""
        entries = [self._file.entries(each) for each in self._pieces[place + 1 :]]
        return set().union(*entries, *needs[place + 1 :]) & (self._written | set(self._values))

    def read(self, number: int) -> Array:
        """Return a copy of a tensor that the current piece wrote or received, or that was needed after it."""
        current = self._interpreter.current
        return current.get_tensor(number) if number in self._written else self._values[number]


class OneAtATime:
    """Interpreters of which one is held. A file of one piece keeps its interpreter for all samples.

    Args:
        start: From a place to an interpreter.
    """

    def __init__(self, start: Callable[[int], Any]) -> None:
        self._start, self._place = start, -1
        self.current: Any = None

    def at(self, place: int) -> Any:
        """Return the interpreter of a place; the one of another place is released first."""
        if place != self._place:
            self.current = None
            self.current, self._place = self._start(place), place
        return self.current
