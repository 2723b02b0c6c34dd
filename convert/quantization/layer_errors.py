"""The loss of each layer through its own precision, as signal-to-noise ratio and cosine.

TensorFlow's QuantizationDebugger measures int8. It runs a float copy of every operator on the inputs of the
int8 operator, so that an error is the operator's own and not that of the operators before it. It supports no
other precision; `convert.quantization.operator_errors` does the same for those.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevid.bundle.parts import Precision, Role

# Above this an operator only moves numbers; what remains is float32's own rounding.
EXACT_DB = 90.0
ENERGIES = ("signal", "noise", "product", "stored")
# Of several fused operators, those with a layer's weights name it better than its activation does.
_WEIGHTED = ("Conv2D", "MatMul", "depthwise", "Conv3D", "BiasAdd")


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """The loss of one layer through its own precision, on calibration samples.

    Attributes:
        part: Role of the layer's part.
        precision: Precision of the part.
        layer: The layer's name, prefixed with those of the layers around it.
        operator: The kind of operator with the largest loss.
        operators: Number of operators that make up the layer.
        snr_db: Power of the float output over that of the error, in decibels; at most `EXACT_DB`.
        cosine: Cosine of the angle between the float output and the other.
        max_abs_error: Largest error of one number.
    """

    part: Role
    precision: Precision
    layer: str
    operator: str
    operators: int
    snr_db: float
    cosine: float
    max_abs_error: float


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """A part whose layers could not be measured.

    Attributes:
        part: The part's role.
        precision: The part's precision.
        reason: The error.
    """

    part: Role
    precision: Precision
    reason: str


@dataclass(frozen=True)
class Losses:
    """The losses of the layers of every converted part.

    Attributes:
        layers: Worst first. Parts in float32 are left out, because they lose nothing.
        unmeasured: The parts that could not be measured.
    """

    layers: tuple[LayerError, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()


def rank(role: Role, precision: Precision, rows: Iterable[Mapping[str, Any]], *, output: str) -> list[LayerError]:
    """Group the operators of a part by layer.

    Args:
        role: The part's role.
        precision: The part's precision.
        rows: From the child process, one per operator: "operator", "tensor", `ENERGIES` and "max_abs_error".
        output: Name of the layer whose output leaves the part. Its tensor is named after the signature instead.

    Returns:
        The layers, worst first.
    """
    groups: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        groups.setdefault(layer_of(row["tensor"], output=output), {}).setdefault(row["operator"], []).append(row)
    # An unrolled layer is hundreds of operators. Those of one kind count together, and the worst kind represents
    # the layer.
    errors = [
        min(_errors_by_kind(role, precision, layer, kinds), key=lambda error: error.snr_db)
        for layer, kinds in groups.items()
    ]
    return sorted(errors, key=lambda error: error.snr_db)


def layer_of(tensor: str, *, output: str) -> str:
    """Return the name of the layer that a tensor belongs to, prefixed with those of the layers around it.

    Args:
        tensor: Name in the `.tflite` file: the names of all fused operators, separated by semicolons.
        output: The name for the part's output.
    """
    names = [name for name in tensor.split(";") if "/" in name]
    if not names:
        return output
    weighted = [name for name in names if name.rpartition("/")[2].rstrip("0123456789_") in _WEIGHTED]
    # Our name scope repeats the layer's own, so neighbouring equal names are merged.
    return "/".join(name for name, _again in itertools.groupby((weighted or names)[0].split("/")[:-1]))


def _errors_by_kind(
    role: Role, precision: Precision, layer: str, kinds: Mapping[str, list[Mapping[str, Any]]]
) -> Iterator[LayerError]:
    count = sum(map(len, kinds.values()))
    for kind, rows in kinds.items():
        signal, noise, product, stored = (sum(row[name] for row in rows) for name in ENERGIES)
        yield LayerError(
            part=role,
            precision=precision,
            layer=layer,
            operator=kind,
            operators=count,
            snr_db=round(_decibels(signal, noise), 2),
            cosine=round(product / math.sqrt(signal * stored), 6) if signal and stored else float(signal == stored),
            max_abs_error=round(max(row["max_abs_error"] for row in rows), 6),
        )


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return EXACT_DB
    return min(10 * math.log10(signal / noise), EXACT_DB) if signal else 0.0


def blame(errors: Sequence[LayerError], precisions: Mapping[Role, Precision], *, count: int = 3) -> str:
    """Name the layers with the largest loss, for a conversion that no precision could keep within the budget.

    Args:
        errors: Layers of any parts in any precision.
        precisions: The precision of each part of the best trial. Its layers are named; if none of them was
            measured, those of other trials.
        count: Number of layers to name.

    Returns:
        One sentence; an empty string without layers.
    """
    best = [each for each in errors if precisions.get(each.part) == each.precision]
    worst = sorted(best or errors, key=lambda error: error.snr_db)[:count]
    named = ", ".join(f"{each.layer} in the {each.part} ({each.snr_db:.1f} dB in {each.precision})" for each in worst)
    return f"The layers that lose most: {named}." if named else ""
