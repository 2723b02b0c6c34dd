"""Find what the axes of a file's input mean, by its first convolution.

PyTorch has channels before pixels. The device delivers them last, so the input is translated with its axes in the
device's order, and nothing is turned there. What has no convolution over pictures is read as for any other model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.onnx_file.builder import Order
from convert.onnx_file.read import OnnxFile
from edgevid.errors import ModelError, UsageError

_COLORS = (1, 3)
# Shorter sides are numbers of joints or features, which a convolution may treat as a picture.
_LEAST_PX = 16
# Operators that leave every axis where it is.
_STAYING = frozenset("Identity Cast Sub Add Mul Div Relu Clip Neg Pow BatchNormalization Dropout".split())
_PICTURE_OPERATORS = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
# What a node does that leaves an axis fewer.
_SHORTER = ("fold", "take")
_SCALAR = -1
_DEVICE = ("t", "h", "w", "c")


@dataclass(frozen=True)
class InputReading:
    """What the input of a file means.

    Attributes:
        shape: With a batch of 1 and every open size filled in, in the file's order.
        order: For each axis that the device delivers, the axis in the file.
        axes: Layout of what the device delivers, as in `--axes`; None to infer it as for any model.
        note: The assumption, or "".
    """

    shape: tuple[int, ...]
    order: Order
    axes: str | None
    note: str


def read_input(file: OnnxFile, *, axes: str | None, frames: int | None, size: tuple[int, int] | None) -> InputReading:
    """Read the axes of a file's input and fill in its open sizes.

    Args:
        file: The file.
        axes: The layout that the user stated, in the file's order; None to infer it.
        frames: Length of the window, if the file leaves it open.
        size: (height, width), if the file leaves it open.

    Raises:
        UsageError: `axes` has another number of axes than the input.
        ModelError: A size is open that no option states.
    """
    names = axes.split(",") if axes is not None else _picture_names(file)
    is_stated = axes is not None
    if names is None or "c" not in names or not (is_stated or _is_picture(file.shape[1:], names)):
        return _as_it_is(file, axes, frames)
    if len(names) != len(file.shape) - 1:
        raise UsageError(
            expected=f"an input of {len(names)} axes for --axes {axes}",
            got=len(file.shape) - 1,
            found=f"{len(file.shape) - 1}: {file.shape[1:]} in {file.path}",
        )
    shape = _filled(file, names, frames, size)
    device = [name for name in _DEVICE if name in names]
    order = (0, *(1 + names.index(name) for name in device))
    note = "" if is_stated or names == device else _note(file.shape[1:], names)
    return InputReading(shape, order, ",".join(device), note)


def _note(shape: Sequence[int | None], names: Sequence[str]) -> str:
    shown = ", ".join("?" if each is None else str(each) for each in shape)
    return f"the axes of input ({shown}) are read as {','.join(names)}; pass --axes if they are others"


def _as_it_is(file: OnnxFile, axes: str | None, frames: int | None) -> InputReading:
    """Read an input that is no picture, such as rows of key points."""
    shape = list(file.shape)
    if len(shape) > 2 and shape[1] is None:
        shape[1] = frames
    names = ["b", "t", *(f"f{place}" for place in range(len(shape) - 2))]
    _check_filled(file, shape, names)
    known = tuple(int(each or 1) for each in shape)
    return InputReading(known, tuple(range(len(known))), axes, "")


def _filled(file: OnnxFile, names: Sequence[str], frames: int | None, size: tuple[int, int] | None) -> tuple[int, ...]:
    stated = {"t": frames, "h": size[0] if size else None, "w": size[1] if size else None}
    shape = [1, *(each or stated.get(name) for each, name in zip(file.shape[1:], names, strict=True))]
    _check_filled(file, shape, ["b", *names])
    for name, each in zip(names, shape[1:], strict=True):
        if stated.get(name) not in (None, each):
            raise ModelError(expected=f"{_option(name)} {each}, which the file fixes", got=stated[name], path=file.path)
    return tuple(int(each or 1) for each in shape)


def _option(name: str) -> str:
    return "--frames" if name == "t" else "--frame-size with"


def _check_filled(file: OnnxFile, shape: Sequence[int | None], names: Sequence[str]) -> None:
    open_axes = [(place, name) for place, name in enumerate(names) if place and not shape[place]]
    if not open_axes:
        return
    place, name = open_axes[0]
    dim = file.frame.type.tensor_type.shape.dim[place].dim_param
    hints = {"t": "State how many frames it was trained on: --frames N."}
    hints |= dict.fromkeys("hw", "State which it was trained on: --frame-size HEIGHT,WIDTH.")
    raise ModelError(
        expected="static sizes",
        got=tuple(shape),
        found=f"axis {place}{f' ({dim})' if dim else ''} of {file.frame.name!r} open in {file.path}",
        hint=hints.get(name, "Export the model with this size fixed; the batch and time may stay open."),
        path=file.path,
    )


def _is_picture(shape: Sequence[int | None], names: Sequence[str]) -> bool:
    sizes = dict(zip(names, shape, strict=True))
    sides = (sizes.get("h"), sizes.get("w"))
    return sizes["c"] in _COLORS and all(each is None or each >= _LEAST_PX for each in sides)


def _picture_names(file: OnnxFile) -> list[str] | None:
    """Follow the input to its first convolution; return the names of its axes, or None."""
    name, rank, turns = file.frame.name, len(file.shape), list[Any]()
    lengths, readers = _lengths(file), _first_readers(file)
    # A file may name a tensor twice, and so form a ring.
    for _ in file.model.graph.node:
        node = readers.get(name)
        if node is None:
            return None
        if node.op_type in _PICTURE_OPERATORS:
            return _names_before(_names_at(rank), turns)
        turn = _turn(node, rank, lengths)
        if turn is None:
            return None
        turns.append(turn)
        rank, name = rank - 1 if turn in _SHORTER else rank, node.output[0]
    return None


def _first_readers(file: OnnxFile) -> dict[str, Any]:
    """Return the first node that reads the numbers of each tensor."""
    readers: dict[str, Any] = {}
    for node in file.model.graph.node:
        if node.op_type != "Shape":
            for name in node.input:
                readers.setdefault(name, node)
    return readers


def _lengths(file: OnnxFile) -> dict[str, int]:
    """Return the lengths of the vectors that may be shapes, and `_SCALAR` for places of one frame."""
    found = {name: array.size if array.ndim else _SCALAR for name, array in file.weights.items()}
    for node in file.model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            dims = node.attribute[0].t.dims
            found[node.output[0]] = int(np.prod(dims)) if dims else _SCALAR
        elif node.op_type == "Concat":
            # A shape that is computed from the batch, size by size.
            found[node.output[0]] = len(node.input)
    return found


def _turn(node: Any, rank: int, lengths: dict[str, int]) -> Any:
    """Return what a node does to the axes: "" for nothing, a permutation, "fold" or "take"; None if it is unknown."""
    if node.op_type in _STAYING:
        return ""
    given = {each.name: each for each in node.attribute}
    if node.op_type == "Transpose":
        return list(given["perm"].ints) if "perm" in given else list(range(rank))[::-1]
    if node.op_type == "Reshape" and lengths.get(node.input[-1]) == rank - 1 == 4:
        return "fold"
    is_scalar = node.op_type == "Gather" and lengths.get(node.input[-1]) == _SCALAR
    return "take" if is_scalar and "axis" in given and given["axis"].i == 1 else None


def _names_at(rank: int) -> list[str]:
    """Return the names of the axes at a convolution, with the batch."""
    return {4: ["b", "c", "h", "w"], 5: ["b", "c", "t", "h", "w"]}.get(rank, [])


def _names_before(names: list[str], turns: list[Any]) -> list[str] | None:
    """Return the names of the input's axes, without the batch."""
    for turn in reversed(turns):
        if turn in _SHORTER:
            # Frames are folded into the batch, or one is taken out of the window.
            names = ["b", "t", *names[1:]] if names else []
        elif turn and names:
            names = [names[turn.index(axis)] for axis in range(len(turn))]
    return names[1:] if names and names[0] == "b" and len(set(names)) == len(names) else None
