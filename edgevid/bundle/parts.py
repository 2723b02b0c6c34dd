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
        shape: Static shape. All tensors but the states of a step have a batch of 1 in front.
        dtype: Storage type; "int32" and "int64" for states of a step only.
        scale: Quantisation scale; 1 for float32 and whole numbers.
        zero_point: Quantisation zero point; 0 for float32 and whole numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        # Building the grid checks dtype, scale and zero point.
        _ = self.params
        ManifestInvalid.unless(all(size >= 1 for size in self.shape), expected="a static shape", got=self.shape)

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
        initial_states: Member name of the values that a step's states start with; empty for zeros.
    """

    role: Role
    file: str
    precision: Precision
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    edgetpu: str = optional("")
    initial_states: str = optional("")

    def __post_init__(self) -> None:
        for tensor in (*self.inputs[: len(self.inputs) - len(self.states_before)], *self.outputs[: self._first_state]):
            _check_batch(tensor)
        for before, after in zip(self.states_before, self.states_after, strict=False):
            _check_counter(before, after)
        ManifestInvalid.unless(
            not self.initial_states or bool(self.states_before),
            expected="initial states for a step with states only",
            got=self.initial_states,
        )

    @property
    def states_before(self) -> tuple[Tensor, ...]:
        """The states among the inputs of a step; none for other roles."""
        return self.inputs[1:] if self.role == "step" else ()

    @property
    def states_after(self) -> tuple[Tensor, ...]:
        """The states among the outputs of a step, in the order of those among its inputs."""
        return self.outputs[self._first_state :]

    @property
    def _first_state(self) -> int:
        return max(len(self.outputs) - len(self.states_before), 0)


def _check_batch(tensor: Tensor) -> None:
    """Reject a tensor that is not a state unless it has a batch of 1 and holds real numbers."""
    ManifestInvalid.unless(
        len(tensor.shape) >= 2 and tensor.shape[0] == 1, expected="a static shape with a batch of 1", got=tensor.shape
    )
    ManifestInvalid.unless(
        not tensor.params.is_counter, expected="whole numbers in states of a step only", got=tensor.dtype
    )


def _check_counter(before: Tensor, after: Tensor) -> None:
    """Reject a count that comes back as a real number, or as one of another size."""
    ManifestInvalid.unless(
        before.dtype == after.dtype or not (before.params.is_counter or after.params.is_counter),
        expected=f"a state of {before.dtype} to come back as {before.dtype}",
        got=after.dtype,
    )
