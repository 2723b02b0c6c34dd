"""The weights of a model before and after conversion.

A pruned model should keep its zeros and a clustered model its few values: both compress well.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.tflite_file import FileTensor, read_tflite
from edgevid.bundle import Bundle
from edgevid.bundle.parts import Role
from edgevid.frames import Array

# A kernel with no more distinct values than a byte can count was clustered; a trained one has thousands.
MAX_CLUSTERS = 256
# Smaller kernels have few distinct values anyway.
_MIN_KERNEL = 1024
# Training by itself leaves almost no exact zeros, so from this share on a model counts as pruned.
PRUNED = 0.05
# A share of zeros that is lower by this much still counts as preserved.
_ZEROS_SLACK = 0.01
_GZIP_LEVEL = 9


@dataclass(frozen=True, kw_only=True)
class PartWeights:
    """The weights in the file of one part.

    Attributes:
        part: The part's role.
        bytes: Size of the file.
        gzip_bytes: Size of the file compressed by gzip, as an update over a network would send it.
        kernels: Count of kernel weights: numbers in constants of two axes or more.
        zeros: Share of them that are zero.
    """

    part: Role
    bytes: int
    gzip_bytes: int
    kernels: int
    zeros: float


@dataclass(frozen=True, kw_only=True)
class TrainedWeights:
    """The weights of the trained model.

    Attributes:
        kernels: Count of kernel weights.
        zeros: Share of them that are zero.
        clusters: Largest number of distinct values in a kernel; 0 if the model was not clustered.
    """

    kernels: int
    zeros: float
    clusters: int


def part_weights(bundle: Bundle) -> list[PartWeights]:
    """Measure the weights of every part of a bundle, in the order of the parts."""
    return [_part(part.role, bundle.models[part.file]) for part in bundle.manifest.parts]


def _part(role: Role, data: bytes) -> PartWeights:
    kernels = [tensor for tensor in read_tflite(data, role).constants() if _is_kernel(tensor)]
    count, zeros = _count([_stored(tensor) for tensor in kernels])
    return PartWeights(
        part=role, bytes=len(data), gzip_bytes=len(gzip.compress(data, _GZIP_LEVEL)), kernels=count, zeros=zeros
    )


def _is_kernel(tensor: FileTensor) -> bool:
    # Shapes and axes are int32; biases have one axis.
    return len(tensor.shape) > 1 and tensor.dtype in ("int8", "float16", "float32")


def _stored(tensor: FileTensor) -> Array:
    """Return a constant's stored numbers, shifted so that 0 stands for 0."""
    assert tensor.constant is not None
    zero_point = tensor.zero_points[0] if tensor.zero_points else 0
    return tensor.constant - zero_point if zero_point else tensor.constant


def trained_weights(model: Any) -> TrainedWeights:
    """Measure the weights of a Keras model of either framework."""
    kernels = [weight for weight in map(np.asarray, model.get_weights()) if weight.ndim > 1]
    count, zeros = _count(kernels)
    most = max((len(np.unique(kernel)) for kernel in kernels if kernel.size >= _MIN_KERNEL), default=0)
    return TrainedWeights(kernels=count, zeros=zeros, clusters=most if most <= MAX_CLUSTERS else 0)


def _count(kernels: Iterable[Array]) -> tuple[int, float]:
    sizes = [(kernel.size, kernel.size - int(np.count_nonzero(kernel))) for kernel in kernels]
    total = sum(size for size, _ in sizes)
    return total, round(sum(zeros for _, zeros in sizes) / total, 4) if total else 0.0


def sparsity_note(trained: TrainedWeights, parts: Sequence[PartWeights]) -> str:
    """Return a sentence about whether the bundle preserves pruning; an empty string if the model was not pruned.

    Args:
        trained: The weights of the trained model.
        parts: The weights of the bundle.
    """
    if trained.zeros < PRUNED:
        return ""
    total = sum(part.kernels for part in parts)
    zeros = sum(part.zeros * part.kernels for part in parts) / total if total else 0.0
    verb = "keeps" if zeros >= trained.zeros - _ZEROS_SLACK else "does not keep"
    zero = f"{trained.zeros:.0%} of its kernel weights are zero"
    return f"the model was pruned: {zero}, and the bundle {verb} them ({zeros:.0%})"
