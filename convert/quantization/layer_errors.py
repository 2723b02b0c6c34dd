"""How much each layer loses by itself to its precision: signal-to-noise ratio and cosine.

TensorFlow's QuantizationDebugger measures int8: it puts a float copy of every operator beside the int8 one and gives both the same inputs, so that an
error is the operator's own and not what came before. It knows no other precision; `convert.quantization.operator_errors` does the same for those. An unrolled layer
is many operators: those of one kind count together, and a layer is as good as its worst kind.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevid.bundle.manifest import Precision, Role

# Above this an operator only moves numbers; the rest is float32's own rounding.
EXACT_DB = 90.0
ENERGIES = ("signal", "noise", "product", "stored")
# Operators that carry a layer's weights name it better than the activation that was fused behind them.
_WEIGHTED = ("Conv2D", "MatMul", "depthwise", "Conv3D", "BiasAdd")


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """What its precision costs one layer, on calibration samples.

    Attributes:
        part: Role of the part that it is in.
        precision: Of the part.
        layer: Its name, with those of the layers around it.
        operator: The kind of its operators that loses most.
        operators: How many operators it is made of.
        snr_db: Power of the float answer over that of the error, in decibels; at most `EXACT_DB`.
        cosine: Of the angle between the float answer and the other.
        max_abs_error: Greatest error of one number.
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
        part: Its role.
        precision: Its precision.
        reason: Why not.
    """

    part: Role
    precision: Precision
    reason: str


@dataclass(frozen=True)
class Losses:
    """What the precisions that were tried cost the layers.

    Attributes:
        layers: Worst first, of every part that was converted; float32 costs nothing.
        unmeasured: Parts that could not be measured.
    """

    layers: tuple[LayerError, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()


def rank(role: Role, precision: Precision, rows: Iterable[Mapping[str, Any]], *, output: str) -> list[LayerError]:
    """Put the operators of a part together by layer.

    Args:
        role: The part.
        precision: Its precision.
        rows: As the child process gives them: "operator", "tensor", `ENERGIES` and "max_abs_error", one an operator.
        output: Name of the layer whose answer leaves the part; its tensor is named for the signature.

    Returns:
        The layers, worst first.
    """
    groups: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        groups.setdefault(layer_of(row["tensor"], output=output), {}).setdefault(row["operator"], []).append(row)
    errors = (_of_kinds(role, precision, layer, kinds) for layer, kinds in groups.items())
    return sorted((min(of_one, key=lambda error: error.snr_db) for of_one in errors), key=lambda error: error.snr_db)


def layer_of(tensor: str, *, output: str) -> str:
    """Find the layer that a tensor belongs to.

    Args:
        tensor: Its name in the `.tflite` file: the names of all operators that were fused into one, parted by semicolons.
        output: What to call the part's output.

    Returns:
        The layer's name, with those of the layers around it.
    """
    names = [name for name in tensor.split(";") if "/" in name]
    if not names:
        return output
    weighted = [name for name in names if name.rpartition("/")[2].rstrip("0123456789_") in _WEIGHTED]
    # Our scope and the layer's own have one name.
    return "/".join(name for name, _again in itertools.groupby((weighted or names)[0].split("/")[:-1]))


def _of_kinds(
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


def blame(errors: Sequence[LayerError], tried: Mapping[Role, Precision], *, count: int = 3) -> str:
    """Name the layers that lose most where nothing fits.

    Args:
        errors: Of any parts in any precision.
        tried: Role to precision of what came nearest: its layers are to blame, and others only where it loses nothing that was measured.
        count: How many to name.

    Returns:
        One line, or an empty string where there are none.
    """
    nearest = [each for each in errors if tried.get(each.part) == each.precision]
    worst = sorted(nearest or errors, key=lambda error: error.snr_db)[:count]
    named = ", ".join(f"{each.layer} in the {each.part} ({each.snr_db:.1f} dB in {each.precision})" for each in worst)
    return f"The layers that lose most: {named}." if named else ""
