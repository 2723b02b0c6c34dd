"""The loss of each operator of a part through its own precision, in any precision.

For int8, TensorFlow's QuantizationDebugger makes a file with a float copy of every operator, which runs on the inputs
of the int8 operator. The debugger itself would run it with all tensors in memory at once; here it runs in pieces.

The debugger supports int8 only. Asked for int16, it gives int16 tensors zero points, which the kernels reject
(TensorFlow 2.21); to it, float16 is no quantisation. Its method works with any two files of one part:

1. In the float32 file each operator gets inputs of its own, in place of the outputs of other operators.
2. The measured file runs, and the real numbers of its tensors become these inputs.
3. The difference between an operator's outputs in both files is its own error, not that of the operators before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from convert.frameworks import internals
from convert.quantization.file_pieces import OneAtATime, OperatorFile, PieceRunner
from edgevid.errors import ConversionError
from edgevid.frames import Array
from edgevid.quant import DTYPES, QuantParams, dequantize, quantize

# Operators between two kinds of numbers. Each precision has others, so they have no twins.
_BETWEEN = ("QUANTIZE", "DEQUANTIZE")
# The debugger's operator between a tensor and its float copy.
_VERIFY = "NumericVerify"
# Numbers that are compared at once: 32 MiB in float64.
_MOST_NUMBERS = 2**22
_Read = Callable[[int], Array]


@dataclass(frozen=True)
class OperatorOutputs:
    """The outputs of one operator for the same inputs, in float32 and in the measured precision.

    Attributes:
        number: Index of the operator among those that are compared.
        operator: Name in the schema, such as "CONV_2D".
        tensor: Name of its first output.
        floating: The float32 output, flat.
        stored: The other output, flat: real numbers, or integers on `grid`.
        grid: Grid of `stored`; None for real numbers.
    """

    number: int
    operator: str
    tensor: str
    floating: Array
    stored: Array
    grid: QuantParams | None = None

    def numbers(self) -> Iterator[tuple[Array, Array]]:
        """Yield both outputs in float64, a limited count of numbers at a time."""
        for start in range(0, self.floating.size, _MOST_NUMBERS):
            floating, stored = (each[start : start + _MOST_NUMBERS] for each in (self.floating, self.stored))
            yield floating.astype(np.float64), self._real(stored.astype(np.float64))

    def _real(self, stored: Array) -> Array:
        return stored if self.grid is None else (stored - self.grid.zero_point) * self.grid.scale


@dataclass(frozen=True)
class _Pair:
    """An operator's outputs twice, by the numbers of the tensors; and its place in the float32 file."""

    kind: str
    tensor: str
    floating: tuple[int, ...]
    measured: tuple[int, ...]
    place: int = 0


def compare_twins(tf: Any, debugged: bytes, samples: Sequence[Mapping[str, Array]]) -> Iterator[OperatorOutputs]:
    """Compare each operator in a file of the QuantizationDebugger with its float copy there.

    Args:
        tf: The module tensorflow.
        debugged: The file.
        samples: Real inputs of the part with the batch axis, by their names in the signature.

    Yields:
        For each sample the outputs of every operator that the debugger would compare.
    """
    whole = tf.lite.Interpreter(model_content=debugged)
    twins = _twins(whole)
    skipped = [place for place, each in enumerate(internals.operators_of(whole)) if each["op_name"] == _VERIFY]
    # With XNNPACK, as the debugger runs it and as the device does.
    runner = PieceRunner(OperatorFile(debugged, skip=skipped), lambda data: _started(tf, data))
    due = [runner.place_of((*each.floating, *each.measured)) for each in twins]
    needs = [_numbers(each for each, at in zip(twins, due, strict=True) if at == place) for place in runner.places]
    for sample in samples:
        for place in runner.run(_debug_inputs(whole, sample), needs):
            for number, each in enumerate(twins):
                if due[number] == place:
                    yield _twin_outputs(whole, number, each, runner.read)


def _twins(debugged: Any) -> list[_Pair]:
    operators = internals.operators_of(debugged)
    makers = {int(number): each["op_name"] for each in operators for number in each["outputs"]}
    verified = [each for each in operators if each["op_name"] == _VERIFY]
    return [
        _Pair(
            makers[int(each["inputs"][0])],
            _verified_name(internals.tensor_details(debugged, each["outputs"][0])["name"]),
            (int(each["inputs"][1]),),
            (int(each["inputs"][0]),),
        )
        for each in verified
    ]


def _verified_name(name: str) -> str:
    """Return the name of a tensor from that of its comparison, `NumericVerify/<tensor>:<number>`."""
    tensor = name.rsplit(":", 1)[0][len(_VERIFY) + 1 :]
    # As the debugger does: a digit at the end only tells tensors of one name apart.
    return tensor[:-1] if tensor[-1].isdigit() else tensor


def _numbers(pairs: Iterable[_Pair]) -> set[int]:
    return {number for each in pairs for number in (*each.floating, *each.measured)}


def _debug_inputs(debugged: Any, sample: Mapping[str, Array]) -> dict[int, Array]:
    # Quantised here: from float inputs the debugger skips those whose zero point is 0 (TensorFlow 2.21).
    return {
        int(each["index"]): _to_stored(sample[_signature_name(each["name"])], each)
        for each in debugged.get_input_details()
    }


def _signature_name(tensor: str) -> str:
    # `export` named the inputs; TensorFlow adds a prefix and a suffix, and the debugger's file has no signature.
    found = re.search(r"input_\d+", tensor)
    assert found is not None
    return found[0]


def _twin_outputs(debugged: Any, number: int, pair: _Pair, read: _Read) -> OperatorOutputs:
    grid = _grid(internals.tensor_details(debugged, pair.measured[0]))
    floating, stored = read(pair.floating[0]).reshape(-1), read(pair.measured[0]).reshape(-1)
    return OperatorOutputs(number, pair.kind, pair.tensor, floating, stored, grid)


def compare_operators(
    tf: Any, floating: bytes, measured: bytes, samples: Sequence[Mapping[str, Array]]
) -> Iterator[OperatorOutputs]:
    """Compare each operator of a file with its twin in float32.

    Args:
        tf: The module tensorflow.
        floating: The part in float32.
        measured: The part in the measured precision.
        samples: Real inputs of the part with the batch axis, by their names in the signature.

    Yields:
        For each sample the outputs of every operator.

    Raises:
        ConversionError: The converter made other operators for this precision, so there are no twins.
    """
    comparison = _Comparison(tf, floating, measured)
    for sample in samples:
        yield from comparison.run(sample)


class _Comparison:
    """Two files of one part, of which the measured one runs in pieces.

    Args:
        tf: The module tensorflow.
        floating: The part in float32.
        measured: The part in the measured precision.
    """

    def __init__(self, tf: Any, floating: bytes, measured: bytes) -> None:
        self._floating, self._measured = (tf.lite.Interpreter(model_content=data) for data in (floating, measured))
        # Without delegates: the tensors between operators that a delegate fuses cannot be read.
        resolver = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._start = partial(_started, tf, experimental_op_resolver_type=resolver)
        self._pairs = _pairs(self._floating, self._measured)
        self._file, self._runner = OperatorFile(floating), PieceRunner(OperatorFile(measured), self._start)
        due = [self._runner.place_of(each.measured) for each in self._pairs]
        self._due = [[number for number, at in enumerate(due) if at == place] for place in self._runner.places]
        # From a tensor of the float32 file to the one of the same numbers in the measured file.
        self._twin = {
            one: other for each in self._pairs for one, other in zip(each.floating, each.measured, strict=True)
        }
        self._isolated = OneAtATime(self._isolate)

    def _isolate(self, place: int) -> tuple[Any, dict[int, int]]:
        data, replaced = self._file.isolated([self._pairs[number].place for number in self._due[place]])
        return self._start(data), replaced

    def run(self, sample: Mapping[str, Array]) -> Iterator[OperatorOutputs]:
        """Yield the outputs of every operator for one sample."""
        real = {int(each["index"]): sample[name] for name, each in _signature(self._floating)}
        stored = {int(each["index"]): _to_stored(sample[name], each) for name, each in _signature(self._measured)}
        for place in self._runner.run(stored, [self._needed(place) for place in self._runner.places]):
            if self._due[place]:
                yield from self._compare(place, real)

    def _compare(self, place: int, real: Mapping[int, Array]) -> Iterator[OperatorOutputs]:
        """Run the float32 operators of a piece on the real numbers of the measured tensors."""
        isolated, replaced = self._isolated.at(place)
        for number, new in replaced.items():
            twin = self._twin.get(number)
            isolated.set_tensor(new, real[number] if twin is None else self._real(twin))
        isolated.invoke()
        for number in self._due[place]:
            pair = self._pairs[number]
            floating = _flat(map(isolated.get_tensor, pair.floating))
            yield OperatorOutputs(number, pair.kind, pair.tensor, floating, _flat(map(self._real, pair.measured)))

    def _needed(self, place: int) -> set[int]:
        """Return the numbers of the measured file's tensors that are read after one of its pieces."""
        pairs = [self._pairs[number] for number in self._due[place]]
        read = {number for each in pairs for number in self._file.operators[each.place].reads}
        return {self._twin[number] for number in read if number in self._twin}.union(*(each.measured for each in pairs))

    def _real(self, number: int) -> Array:
        grid, values = _grid(internals.tensor_details(self._measured, number)), self._runner.read(number)
        return values if grid is None else dequantize(values, grid)


def _started(tf: Any, data: bytes, **options: Any) -> Any:
    interpreter = tf.lite.Interpreter(model_content=data, **options)
    interpreter.allocate_tensors()
    return interpreter


def _pairs(floating: Any, measured: Any) -> list[_Pair]:
    # By their order, not by name: a float16 file gives tensors the names that others have in float32.
    ones, others = (
        [(place, each) for place, each in enumerate(internals.operators_of(file)) if each["op_name"] not in _BETWEEN]
        for file in (floating, measured)
    )
    if [each["op_name"] for _, each in ones] != [each["op_name"] for _, each in others]:
        raise ConversionError(
            expected="the same operators in both precisions",
            found=f"{len(ones)} in float32 and {len(others)} others",
        )
    return [
        _Pair(
            one["op_name"],
            internals.tensor_details(floating, one["outputs"][0])["name"],
            tuple(map(int, one["outputs"])),
            tuple(map(int, other["outputs"])),
            place,
        )
        for (place, one), (_, other) in zip(ones, others, strict=True)
    ]


def _signature(interpreter: Any) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return name and details of each input of a part."""
    return interpreter.get_signature_runner().get_input_details().items()


def _flat(tensors: Iterable[Array]) -> Array:
    return np.concatenate([np.ravel(each) for each in tensors])


def _grid(detail: Mapping[str, Any]) -> QuantParams | None:
    """Return a tensor's grid; None for plain numbers such as sizes and booleans."""
    (scale, zero_point), dtype = detail["quantization"], np.dtype(detail["dtype"]).name
    return QuantParams(dtype, float(scale), int(zero_point)) if scale and dtype in DTYPES else None


def _to_stored(values: Array, detail: Mapping[str, Any]) -> Array:
    grid = _grid(detail)
    return values.astype(detail["dtype"]) if grid is None else quantize(values, grid)
