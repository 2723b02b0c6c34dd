"""Predict which operators of a part the Edge TPU runs, from Google's published table (`edgetpu.toml`).

The compiler maps the graph from its input up to the first operator that the Edge TPU does not support. All operators
after that one run on the CPU.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from convert.tflite_file import FileTensor, Operator, TfliteFile

_TABLE = Path(__file__).with_name("edgetpu.toml")
_MOST_SOFTMAX = 16_000


@dataclass(frozen=True, kw_only=True)
class OperatorVerdict:
    """The table's verdict on one operator of a part.

    Attributes:
        place: Position of the operator in the file.
        operator: Kind of the operator.
        reason: Why the Edge TPU does not run it; empty if it does.
    """

    place: int
    operator: str
    reason: str


@cache
def table() -> Mapping[str, Any]:
    """Return the content of `edgetpu.toml`."""
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def check(file: TfliteFile) -> list[OperatorVerdict]:
    """Compare every operator of a file with the table.

    Returns:
        One verdict per operator, in order.
    """
    return [
        OperatorVerdict(place=place, operator=each.kind, reason=_reason(file, each))
        for place, each in enumerate(file.operators)
    ]


def mapped(verdicts: list[OperatorVerdict]) -> int:
    """Return how many operators the compiler should map: those before the first that is not supported."""
    return next((each.place for each in verdicts if each.reason), len(verdicts))


def _reason(file: TfliteFile, operator: Operator) -> str:
    entry = table()["operators"].get(operator.kind)
    if entry is None or operator.custom:
        return "is not in the table"
    # The schema marks an optional input that is absent with -1.
    inputs, outputs = (
        [file.tensors[number] for number in numbers if number >= 0] for numbers in (operator.inputs, operator.outputs)
    )
    activations = [each for each in (*inputs, *outputs) if each.constant is None]
    constants = [each for each in inputs if each.constant is not None]
    reason = _tensor_reason(activations, constants)
    rule = _RULES.get(entry.get("rule", ""))
    return reason or ("" if rule is None or rule(file, operator) else str(entry["limit"]))


def _tensor_reason(activations: list[FileTensor], constants: list[FileTensor]) -> str:
    legal = table()["tensors"]
    illegal = [each.dtype for each in activations if each.dtype not in legal["dtypes"]]
    illegal += [each.dtype for each in constants if each.dtype not in legal["constants"]]
    if illegal:
        return f"works on {illegal[0]}"
    wide = next(
        (each.shape for each in activations if any(size > 1 for size in each.shape[: -legal["inner_axes"]])), None
    )
    return (
        f"has a tensor of {'x'.join(map(str, wide))}: only the three innermost axes may be longer than 1"
        if wide
        else ""
    )


def _no_fused_activation(_file: TfliteFile, operator: Operator) -> bool:
    return not operator.options.get("fusedActivationFunction", 0)


def _same_dilation(_file: TfliteFile, operator: Operator) -> bool:
    return bool(operator.options.get("dilationWFactor", 1) == operator.options.get("dilationHFactor", 1))


def _default_weights(file: TfliteFile, operator: Operator) -> bool:
    # TensorFlow 2.16 introduced dense weights with a grid per channel, after the last release of the compiler.
    return not operator.options.get("weightsFormat", 0) and len(file.tensors[operator.inputs[1]].scales) <= 1


def _few_features(file: TfliteFile, operator: Operator) -> bool:
    return file.tensors[operator.inputs[0]].shape[-1] <= table()["lstm"]["most_features"]


def _not_over_batch(file: TfliteFile, operator: Operator) -> bool:
    axes, rank = file.tensors[operator.inputs[1]].constant, len(file.tensors[operator.inputs[0]].shape)
    return axes is not None and all(int(axis) % rank for axis in axes)


def _not_along_batch(_file: TfliteFile, operator: Operator) -> bool:
    return operator.options.get("axis", 1) != 0


def _at_most_16000(file: TfliteFile, operator: Operator) -> bool:
    shape = file.tensors[operator.inputs[0]].shape
    return all(size == 1 for size in shape[:-1]) and shape[-1] <= _MOST_SOFTMAX


def _plain_slice(file: TfliteFile, operator: Operator) -> bool:
    strides = file.tensors[operator.inputs[3]].constant
    masks = operator.options.get("ellipsisMask", 0) or operator.options.get("newAxisMask", 0)
    return strides is not None and all(int(each) == 1 for each in strides) and not masks


# By the name of the `rule` in the table.
_RULES: dict[str, Callable[[TfliteFile, Operator], bool]] = {
    "no_fused_activation": _no_fused_activation,
    "same_dilation": _same_dilation,
    "default_weights": _default_weights,
    "few_features": _few_features,
    "not_over_batch": _not_over_batch,
    "not_along_batch": _not_along_batch,
    "at_most_16000": _at_most_16000,
    "plain_slice": _plain_slice,
}
