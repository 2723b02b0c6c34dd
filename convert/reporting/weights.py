"""What a model's weights are like before and after: a pruned model keeps its zeros and a clustered one its few values, and both pack small."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.tflite_file import FileTensor, read_tflite
from edgevid.bundle import Bundle
from edgevid.bundle.manifest import Role
from edgevid.frames import Array

# A kernel with no more different values than a byte can count was clustered; a trained one of any size has thousands.
MAX_CLUSTERS = 256
_LEAST_KERNEL = 1024
# Pruning is worth a word from here on: training leaves next to no exact zeros by itself.
PRUNED = 0.05
_GZIP_LEVEL = 9


@dataclass(frozen=True, kw_only=True)
class PartWeights:
    """The weights of one part as its file holds them.

    Attributes:
        part: Its role.
        bytes: Size of the file.
        gzip_bytes: Size of the file packed by gzip, as an update over a network would send it.
        kernels: Numbers in kernels: constants of two axes or more.
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
        kernels: Numbers in kernels.
        zeros: Share of them that are zero.
        clusters: Most different values in a kernel, where every large one has few enough to have been clustered; else 0.
    """

    kernels: int
    zeros: float
    clusters: int


def part_weights(bundle: Bundle) -> list[PartWeights]:
    """Look into every part of a bundle.

    Args:
        bundle: The bundle.

    Returns:
        Their weights, in the order of the parts.
    """
    return [_part(part.role, bundle.models[part.file]) for part in bundle.manifest.parts]


def _part(role: Role, data: bytes) -> PartWeights:
    kernels = [tensor for tensor in read_tflite(data, role).constants() if _is_kernel(tensor)]
    count, zeros = _count([_stored(tensor) for tensor in kernels])
    return PartWeights(
        part=role, bytes=len(data), gzip_bytes=len(gzip.compress(data, _GZIP_LEVEL)), kernels=count, zeros=zeros
    )


def _is_kernel(tensor: FileTensor) -> bool:
    """Shapes, axes and biases are integers of 32 bits or have one axis."""
    return len(tensor.shape) > 1 and tensor.dtype in ("int8", "float16", "float32")


def _stored(tensor: FileTensor) -> Array:
    assert tensor.constant is not None
    zero_point = tensor.zero_points[0] if tensor.zero_points else 0
    return tensor.constant - zero_point if zero_point else tensor.constant


def trained_weights(model: Any) -> TrainedWeights:
    """Look into a Keras model of either framework.

    Args:
        model: The model.

    Returns:
        Its weights.
    """
    kernels = [weight for weight in map(np.asarray, model.get_weights()) if weight.ndim > 1]
    count, zeros = _count(kernels)
    large = [len(np.unique(kernel)) for kernel in kernels if kernel.size >= _LEAST_KERNEL]
    return TrainedWeights(
        kernels=count, zeros=zeros, clusters=max(large) if large and max(large) <= MAX_CLUSTERS else 0
    )


def _count(kernels: Iterable[Array]) -> tuple[int, float]:
    sizes = [(kernel.size, kernel.size - int(np.count_nonzero(kernel))) for kernel in kernels]
    total = sum(size for size, _ in sizes)
    return total, round(sum(zeros for _, zeros in sizes) / total, 4) if total else 0.0


def sparsity_note(trained: TrainedWeights, parts: Sequence[PartWeights]) -> str:
    """Say what became of pruning.

    Args:
        trained: Before.
        parts: After.

    Returns:
        A sentence, or an empty string where the model was not pruned.
    """
    if trained.zeros < PRUNED:
        return ""
    total = sum(part.kernels for part in parts)
    zeros = sum(part.zeros * part.kernels for part in parts) / total if total else 0.0
    kept = "keeps" if zeros >= trained.zeros - 0.01 else "does not keep"
    return (
        f"the model was pruned: {trained.zeros:.0%} of its kernels are zero, and the bundle {kept} them ({zeros:.0%})"
    )
