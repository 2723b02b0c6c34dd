"""Reject models that cannot be split, by their input shape and their layers. Each error says what to change."""

from __future__ import annotations

from convert.graph.layer_graph import Call, LayerGraph
from edgevid.errors import ModelError


def window_shape(graph: LayerGraph, frames: int | None) -> tuple[int, ...]:
    """Return the static shape of the model's window.

    Args:
        graph: The model.
        frames: Length of the window if the model leaves it open.

    Returns:
        (T, H, W, C) or (T, F).

    Raises:
        ModelError: The input has other axes, or a size is not known.
    """
    shape = graph.input_shape
    _check_axes(shape, frames)
    window = (shape[0] if shape[0] is not None else frames, *shape[1:])
    if any(size is None for size in window):
        raise ModelError(
            expected="static frame sizes",
            got=shape,
            found=f"a model with dynamic ones: {shape}",
            hint="Set them: --frame-size HEIGHT,WIDTH.",
        )
    return tuple(int(size) for size in window if size is not None)


def _check_axes(shape: tuple[int | None, ...], frames: int | None) -> None:
    if len(shape) not in (2, 4):
        raise ModelError(expected="an input of (frames, height, width, channels) or (frames, features)", got=shape)
    if shape[0] is None and frames is None:
        raise ModelError(
            expected="a model with a fixed window",
            got=shape,
            found="one of any length",
            hint="Set how many frames it was trained on: --frames N.",
        )
    if shape[0] is not None and frames is not None and shape[0] != frames:
        raise ModelError(expected=f"--frames {shape[0]}, which the model fixes", got=frames)


def check_layers(graph: LayerGraph) -> None:
    """Reject layers that keep their state between windows.

    Args:
        graph: The model.

    Raises:
        ModelError: A layer has `stateful=True`; the message names the first one.
    """
    for call in graph.calls:
        _check_layer(call)


def _check_layer(call: Call) -> None:
    if getattr(call.layer, "stateful", False):
        raise ModelError(
            expected="a model that begins each window with zeros",
            found=f"stateful=True in {call.name!r} ({call.kind})",
            hint="Rebuild it with stateful=False.",
        )
