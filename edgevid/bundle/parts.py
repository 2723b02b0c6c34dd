"""The `.tflite` files of a bundle as its manifest describes them: roles, precisions and tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgevid.errors import ManifestInvalid
from edgevid.quant import Dtype, QuantParams
from edgevid.schema import optional

Role = Literal["encoder", "head", "step", "whole"]
Precision = Literal["int8", "int16x8", "float16", "float32"]


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output of a part.

    Attributes:
        name: Name in the `.tflite` file; the order of an interpreter may differ from the manifest's.
        shape: Static shape of at least two axes; the first is the batch of 1.
        dtype: Storage type.
        scale: Quantisation scale; 1 for float32.
        zero_point: Quantisation zero point; 0 for float32.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        # Building the grid checks dtype, scale and zero point.
        _ = self.params
        ManifestInvalid.unless(
            len(self.shape) >= 2 and self.shape[0] == 1 and (min(self.shape) >= 1),
            expected="a static shape with a batch of 1",
            got=self.shape,
        )

    @property
    def params(self) -> QuantParams:
        """The quantisation grid."""
        return QuantParams(self.dtype, self.scale, self.zero_point)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One `.tflite` file of a bundle.

    Attributes:
        role: Role in the plan.
        file: Member name.
        precision: Types of weights and activations.
        inputs: Input tensors. Those of a part with states: the feature, then the states.
        outputs: Output tensors. Those of the last part: the scores, then the values, then the states.
        edgetpu: Member name of its twin, the same part compiled for the Edge TPU; empty without one.
    """

    role: Role
    file: str
    precision: Precision
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    edgetpu: str = optional("")
