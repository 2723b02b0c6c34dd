"""Pack neighbouring pixels into channels, for convolutions over few channels that leave int8 lanes empty.

An int8 kernel multiplies channels in groups of 4 or 8, depending on the instruction set. A first convolution
over RGB fills three lanes of eight: five products of eight are padding, in the layer with the largest picture.
Two pixels side by side, read as one position of six channels, fill six lanes. In return, some weights are zero
where the windows of the two pixels do not overlap.

The sums have the same terms, so the int8 outputs are equal to the bit. The best grouping follows from the
lanes of the processor's kernel.

Source of the lanes: `log2_kr` of the qs8_qc8w microkernels that XNNPACK registers for each core,
https://github.com/google/XNNPACK/blob/0011854617d9c930e475f0a896aaad014b5aea0e/src/configs/gemm-config.c
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convert.frameworks import internals
from convert.frameworks.layer_calls import replace_calls
from convert.splitting.split import PartFunction, Split
from edgevid.boards_and_cameras import boards
from edgevid.errors import UsageError

Tensor = Any
Call = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Kernel:
    """The tile of a processor's int8 matrix kernel.

    Attributes:
        channels: Input channels multiplied at once.
        filters: Output channels computed at once.
    """

    channels: int
    filters: int


ANY, HOST = "any", "host"
# By core. With the tile of "any" no packing saves a product, so the parts stay as trained.
KERNELS: Mapping[str, Kernel] = {
    ANY: Kernel(1, 1),
    "Cortex-A53": Kernel(1, 16),
    "Cortex-A72": Kernel(8, 8),
    "Cortex-A76": Kernel(4, 16),
    "x86 with AVX2": Kernel(8, 8),
    "x86 with VNNI": Kernel(8, 16),
    "x86 with AMX": Kernel(4, 64),
}
# Lines of `/proc/cpuinfo`, strongest core first: a processor with AMX lists the flags of the others too.
_CORES = (
    (re.compile(r"^flags\s*:.*\bamx_int8\b", re.M), "x86 with AMX"),
    (re.compile(r"^flags\s*:.*\b(avx512_vnni|avx_vnni)\b", re.M), "x86 with VNNI"),
    (re.compile(r"^flags\s*:.*\bavx2\b", re.M), "x86 with AVX2"),
    (re.compile(r"^CPU part\s*:\s*0xd0b\b", re.M), "Cortex-A76"),
    (re.compile(r"^CPU part\s*:\s*0xd08\b", re.M), "Cortex-A72"),
    (re.compile(r"^CPU part\s*:\s*0xd03\b", re.M), "Cortex-A53"),
)
_MAX_PIXELS = 8
# Padding and reshaping cost two copies of the frame, so packing must leave at most this share of the products.
_WORTHWHILE = 0.85


@dataclass(frozen=True)
class Packing:
    """The grouping of pixels for one convolution.

    Attributes:
        pixels: Pixels of a row that become one position.
        outputs: Output pixels per position: `pixels / stride`.
        taps: Positions that a row of the kernel spans.
    """

    pixels: int
    outputs: int
    taps: int


def pack(parts: Split, model: Any, target: str) -> Split:
    """Return the parts with their convolutions over few channels packed for a processor.

    Args:
        parts: The split model.
        model: The Keras model whose layers the parts call.
        target: One of `targets()`.

    Returns:
        The parts; the same object if packing saves nothing.

    Raises:
        UsageError: There is no such target.
    """
    if target not in targets():
        raise UsageError(expected="a target", choices=targets(), got=target)
    return pack_as(parts, packings(model, KERNELS[core_of(target)]))


def packings(model: Any, kernel: Kernel) -> dict[Any, Packing]:
    """Return the convolutions of a model that a kernel profits from packing, and how."""
    return {layer: packing for layer in _convolutions(model) if (packing := plan(layer, kernel)) is not None}


def pack_as(parts: Split, packings: Mapping[Any, Packing]) -> Split:
    """Return the parts with some convolutions packed; the same object if there are none."""
    calls = {layer: _convolution(layer, packing) for layer, packing in packings.items()}
    if not calls:
        return parts
    encoder = None if parts.encoder is None else _packed(parts.encoder, calls)
    return replace(parts, encoder=encoder, whole=_packed(parts.whole, calls))


def targets() -> tuple[str, ...]:
    """Return the legal targets: "any", "host" for this machine, and every board that edgevid knows."""
    return (ANY, HOST, *boards())


def core_of(target: str) -> str:
    """Return the core of a target, as a key of `KERNELS`; "any" if its kernels are unknown."""
    if target == ANY:
        return ANY
    core = host_core() if target == HOST else boards()[target].cpu
    return core if core in KERNELS else ANY


def host_core(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return this machine's core, as a key of `KERNELS`; "any" if its kernels are unknown."""
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    return next((core for pattern, core in _CORES if pattern.search(text)), ANY)


def plan(layer: Any, kernel: Kernel) -> Packing | None:
    """Choose the grouping with the fewest products, including those with padding.

    Args:
        layer: A built Conv2D.
        kernel: The processor's tile.

    Returns:
        The grouping; None if the layer should stay as trained.
    """
    if not _is_plain(layer):
        return None
    width, channels, filters = (int(size) for size in layer.kernel.shape[1:])
    stride = int(layer.strides[1])
    # Several outputs per position need a reshape after the convolution, and the converter cannot fuse a later
    # activation across it. So they are allowed only if the layer has its own activation.
    most = _MAX_PIXELS if _ends_in_activation(layer) else stride
    options = [_packing(pixels, width, stride) for pixels in range(max(stride, 2), most + 1, stride)]
    best = min(options, key=lambda each: _cost(each, channels, filters, kernel), default=None)
    as_trained = _cost(Packing(1, 1, width), channels, filters, kernel)
    return best if best is not None and _cost(best, channels, filters, kernel) <= _WORTHWHILE * as_trained else None


def _packing(pixels: int, width: int, stride: int) -> Packing:
    outputs = pixels // stride
    return Packing(pixels, outputs, math.ceil(((outputs - 1) * stride + width) / pixels))


def _cost(packing: Packing, channels: int, filters: int, kernel: Kernel) -> float:
    """Return the number of products for one output pixel and one row of the kernel."""
    channels = _round_up(packing.pixels * channels, kernel.channels)
    filters = _round_up(packing.outputs * filters, kernel.filters)
    return packing.taps * channels * filters / packing.outputs


def _round_up(count: int, multiple: int) -> int:
    return math.ceil(count / multiple) * multiple


def _convolutions(model: Any) -> list[Any]:
    return [
        layer
        for layer in internals.all_layers(model, include_self=False)
        if type(layer).__name__ == "Conv2D" and layer.built
    ]


def _is_plain(layer: Any) -> bool:
    dilated = {int(rate) for rate in layer.dilation_rate} != {1}
    return (
        layer.data_format == "channels_last"
        and layer.groups == 1
        and not dilated
        and layer.padding in ("same", "valid")
    )


def _ends_in_activation(layer: Any) -> bool:
    return getattr(layer.activation, "__name__", "linear") in ("relu", "relu6")


def _packed(part: PartFunction, calls: Mapping[Any, Call]) -> PartFunction:
    def function(*inputs: Tensor) -> list[Tensor]:
        with replace_calls(calls):
            return part.function(*inputs)

    return replace(part, function=function)


def _convolution(layer: Any, packing: Packing) -> Call:
    """Return a `call` for a layer that computes on packed pixels if the width of its input can be grouped."""
    import tensorflow as tf

    kernel = packed_kernel(np.asarray(layer.kernel), int(layer.strides[1]), packing)
    bias = np.tile(np.asarray(layer.bias), packing.outputs) if layer.use_bias else None
    as_trained = layer.call

    def call(frames: Tensor) -> Tensor:
        edges = _edges(layer, packing, int(frames.shape[1]), int(frames.shape[2]))
        if edges is None:
            return as_trained(frames)
        (top, bottom), (left, right) = edges
        padded = tf.pad(frames, [[0, 0], [top, bottom], [left, right], [0, 0]])
        positions = tf.reshape(padded, (padded.shape[0], padded.shape[1], padded.shape[2] // packing.pixels, -1))
        # The packing has absorbed the stride along a row; the one along a column remains.
        result = tf.nn.conv2d(positions, kernel, (int(layer.strides[0]), 1), "VALID")
        result = layer.activation(result if bias is None else tf.nn.bias_add(result, bias))
        if packing.outputs == 1:
            return result
        return tf.reshape(result, (result.shape[0], result.shape[1], -1, int(layer.filters)))

    return tf.autograph.experimental.do_not_convert(call)


def packed_kernel(kernel: np.ndarray[Any, Any], stride: int, packing: Packing) -> np.ndarray[Any, Any]:
    """Rearrange a kernel's weights for packed pixels.

    Args:
        kernel: (rows, columns, channels, filters).
        stride: Stride of the convolution along a row.
        packing: The grouping.

    Returns:
        (rows, taps, pixels * channels, outputs * filters), zero outside the window of each output.
    """
    rows, columns, channels, filters = kernel.shape
    wide = np.zeros((rows, packing.taps * packing.pixels, channels, packing.outputs, filters), kernel.dtype)
    for output in range(packing.outputs):
        wide[:, output * stride : output * stride + columns, :, output] = kernel
    return wide.reshape(rows, packing.taps, packing.pixels * channels, packing.outputs * filters)


def _edges(layer: Any, packing: Packing, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the padding (top, bottom), (left, right) of a picture; None if its width cannot be grouped."""
    same = layer.padding == "same"
    top, bottom, _ = _along(height, int(layer.kernel.shape[0]), int(layer.strides[0]), same=same)
    left, _, across = _along(width, int(layer.kernel.shape[1]), int(layer.strides[1]), same=same)
    right = (across // packing.outputs + packing.taps - 1) * packing.pixels - width - left
    return ((top, bottom), (left, right)) if across % packing.outputs == 0 and right >= 0 else None


def _along(size: int, kernel: int, stride: int, *, same: bool) -> tuple[int, int, int]:
    """Return the padding before and after one axis, and the size of the output along it.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    """
    if not same:
        return 0, 0, (size - kernel) // stride + 1
    out = math.ceil(size / stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2, out
