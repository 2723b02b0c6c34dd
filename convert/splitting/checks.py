"""What can be converted, as far as the layers alone say: each refusal names the layer and what to do."""

from __future__ import annotations

from convert.graph.layer_graph import Call, LayerGraph
from edgevid.errors import ModelError


def window_shape(graph: LayerGraph, frames: int | None) -> tuple[int, ...]:
    """Settle the shape of the model's window.

    Args:
        graph: The model.
        frames: Length of the window where the model leaves it open.

    Returns:
        (T, H, W, C) or (T, F).

    Raises:
        ModelError: It has other axes, or is not static.
    """
    shape = graph.input_shape
    if len(shape) not in (2, 4):
        raise ModelError(
            expected="an input of (frames, height, width, channels) or (frames, features)", got=shape, found=f"{shape}"
        )
    if shape[0] is None and frames is None:
        raise ModelError(
            expected="a model with a fixed window",
            got=shape,
            found="one of any length",
            hint="Say how many frames it was trained on: --frames N.",
        )
    if shape[0] is not None and frames is not None and shape[0] != frames:
        raise ModelError(expected=f"--frames {shape[0]}, which the model fixes", got=frames, found=f"{frames}")
    window = (shape[0] if shape[0] is not None else frames, *shape[1:])
    if any(size is None for size in window):
        raise ModelError(
            expected="static frame sizes",
            got=shape,
            found=f"a model with dynamic ones: {shape}",
            hint="Say which: --frame-size HEIGHT,WIDTH.",
        )
    return tuple(int(size) for size in window if size is not None)


def check_layers(graph: LayerGraph) -> None:
    """Refuse layers whose answer depends on more than the window: masks, and states that begin with something else than zeros.

    Args:
        graph: The model.

    Raises:
        ModelError: Names the first such layer.
    """
    for call in graph.calls:
        _check_layer(call)


def _check_layer(call: Call) -> None:
    layer, name = call.layer, f"{call.name!r} ({call.kind})"
    if getattr(layer, "stateful", False):
        raise ModelError(
            expected="a model that begins each window with zeros",
            found=f"stateful=True in {name}",
            hint="Rebuild it with stateful=False.",
        )
