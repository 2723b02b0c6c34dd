"""Layouts of a model's input, and the conversion of a device's window to each of them.

A device delivers windows of frames (T, H, W, C) or of feature rows (T, F). Models take them with
frames stacked on the channels, channels first, without a channel axis, cut into clips of a clip, or
flat. A shape does not always identify the layout; the conversion notes each assumption.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convert.interface.first_layers import FirstLayers
from convert.interface.readings import CHANNELS, Reading, infer
from edgevid.errors import ModelError, UsageError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class InputLayout:
    """The layout of one input.

    Attributes:
        axes: Name of the layout, one of `AXES`.
        frames: Length of the window, T.
        frame: Shape of the device's frame or row: (H, W, C) or (F,).
        convert: From a window (N, T, *frame) to the model's input, in operators of TensorFlow or
            numpy.
        by_frame: Whether time stays axis 1, so that any number of frames can be converted.
        shape: Shape of the model's input without the batch, with every open size filled in.
        reason: Why the axes were read so, if there was another reading.
    """

    axes: str
    frames: int
    frame: Shape
    convert: Callable[[Any], Any]
    by_frame: bool
    shape: tuple[int | None, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class _Stated:
    """Sizes that the shape of an input may not hold.

    Attributes:
        frames: Length of the window.
        size: (height, width) in pixels.
    """

    frames: int | None
    size: tuple[int, int] | None


def read_layout(
    shape: Sequence[int | None],
    first: FirstLayers,
    *,
    axes: str | None = None,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
) -> InputLayout:
    """Identify the layout of an input.

    Args:
        shape: Shape of the input without the batch; None for an open size.
        first: What the model's first layers reveal.
        axes: The layout, one of `AXES`, with or without "*"; None to infer it.
        frames: Length of the window, if the shape does not hold it.
        size: (height, width) in pixels, if the shape does not hold it.

    Raises:
        UsageError: `axes` is not a layout, or `axes` or `size` does not fit the shape.
        ModelError: The window's length or a frame's size is open, no layout has such a shape, or the
            layers contradict the only one.
    """
    stated = None if axes is None else axes.replace("*", "")
    UsageError.unless(stated is None or stated in AXES, expected="--axes", choices=AXES, got=axes)
    reading = Reading(stated) if stated else infer(tuple(shape), first, frames, known=frozenset(AXES))
    name, kind = reading.axes, AXES[reading.axes]
    if kind.rank is not None and len(shape) != kind.rank:
        raise UsageError(
            expected=f"an input of {kind.rank} axes for --axes {name}",
            got=len(shape),
            found=f"{len(shape)}: {tuple(shape)}",
        )
    frames = _agreed(frames, reading.frames)
    full = _fill_window(tuple(shape), kind.time, frames)
    if not kind.is_flat:
        full = _fill_size(full, name, size)
    if any(each is None for each in full):
        raise _open_sizes_error(full, name)
    stated_sizes = _Stated(frames, size or reading.size)
    layout = kind.layout(name, tuple(int(each) for each in full if each is not None), stated_sizes)
    return replace(layout, shape=full, reason=reading.reason)


def _agreed(frames: int | None, found: int | None) -> int | None:
    """Return the window's length by the user or by the layers."""
    if frames is not None and found is not None and frames != found:
        raise ModelError(expected=f"--frames {found}, by which the model's layers cut its input", got=frames)
    return found if frames is None else frames


def axes_note(shape: Sequence[int | None], layout: InputLayout) -> str:
    """Return the note that a layout was inferred.

    Args:
        shape: Shape of the input without the batch.
        layout: The layout that was inferred.
    """
    because = f", because {layout.reason}" if layout.reason else ""
    return f"the axes of input {tuple(shape)} are read as {layout.axes}{because}; pass --axes if they are others"


def _fill_window(shape: tuple[int | None, ...], place: int | None, frames: int | None) -> tuple[int | None, ...]:
    """Fill in the window's length if the model leaves it open."""
    if place is None:
        return shape
    if shape[place] is None and frames is None:
        raise ModelError(
            expected="a model with a fixed window",
            got=shape,
            found="one of any length",
            hint="State how many frames it was trained on: --frames N.",
        )
    if shape[place] is not None and frames is not None and shape[place] != frames:
        raise ModelError(expected=f"--frames {shape[place]}, which the model fixes", got=frames)
    return tuple(frames if axis == place and size is None else size for axis, size in enumerate(shape))


def _fill_size(shape: tuple[int | None, ...], axes: str, size: tuple[int, int] | None) -> tuple[int | None, ...]:
    """Fill in a frame's height and width if the model leaves them open."""
    if size is None:
        return shape
    stated = dict(zip("hw", size, strict=True))
    # Not strict: "t,f" names two axes and matches any number.
    filled = tuple(stated.get(name, each) for name, each in zip(axes.split(","), shape, strict=False))
    is_fixed = any(each not in (None, wanted) for each, wanted in zip(shape, filled, strict=False))
    if is_fixed or "h" not in axes:
        reason = f"the model fixes: {shape}" if is_fixed else f"a model of {axes} does not have"
        raise UsageError(expected=f"no --frame-size, which {reason}", got=size, found=f"{size[0]},{size[1]}")
    return filled


def _open_sizes_error(shape: tuple[int | None, ...], axes: str) -> ModelError:
    open_axes = {name for name, each in zip(axes.split(","), shape, strict=False) if each is None}
    if open_axes <= {"h", "w"} and "h" in axes:
        return ModelError(
            expected="a frame size",
            got=shape,
            found=f"a model that takes frames of any: {shape}",
            hint="State which it was trained on: --frame-size HEIGHT,WIDTH.",
        )
    return ModelError(
        expected="static sizes",
        got=shape,
        found=f"a model with an open number of channels or features: {shape}",
        hint="Rebuild it with a fixed one.",
    )


def _unchanged(window: Any) -> Any:
    return window


def _permuted(*order: int) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda window: tf.transpose(window, order)


def _reshaped(*sizes: int) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda window: tf.reshape(window, (-1, *sizes))


def _images(axes: str, shape: Shape, _stated: _Stated) -> InputLayout:
    return InputLayout(axes, shape[0], shape[1:], _unchanged, True)


def _rows(axes: str, shape: Shape, _stated: _Stated) -> InputLayout:
    import tensorflow as tf

    width = math.prod(shape[1:])
    if len(shape) == 2:
        return InputLayout(axes, shape[0], (width,), _unchanged, True)
    return InputLayout(
        axes, shape[0], (width,), lambda window: tf.reshape(window, (-1, int(window.shape[1]), *shape[1:])), True
    )


def _volume(axes: str, shape: Shape, _stated: _Stated) -> InputLayout:
    """Lay out frames whose four axes come in any order."""
    names = axes.split(",")
    time, *frame = (shape[names.index(each)] for each in "thwc")
    order = (0, *(1 + "thwc".index(each) for each in names))
    return InputLayout(axes, time, tuple(frame), _permuted(*order), names[0] == "t")


def _grey(axes: str, shape: Shape, _stated: _Stated) -> InputLayout:
    return InputLayout(axes, shape[0], (*shape[1:], 1), lambda window: window[..., 0], True)


def _one_frame(axes: str, shape: Shape, _stated: _Stated) -> InputLayout:
    return InputLayout(axes, 1, shape, lambda window: window[:, 0], False)


def _stacked(axes: str, shape: Shape, stated: _Stated) -> InputLayout:
    import tensorflow as tf

    (height, width, depth), frames = shape, stated.frames
    # 15 channels are 15 grey frames or 5 colour frames: both work, so the user has to choose.
    if frames is None or depth % frames or depth // frames not in CHANNELS:
        legal = " or ".join(
            f"--frames {depth // each} ({'grey' if each == 1 else 'colour'})" for each in CHANNELS if depth % each == 0
        )
        raise ModelError(
            expected=f"{legal} for frames stacked on {depth} channels",
            got=frames,
            found=str(frames or "no --frames"),
        )
    return InputLayout(
        axes,
        frames,
        (height, width, depth // frames),
        # (N, T, H, W, C) -> (N, H, W, T, C) -> (N, H, W, T*C): the channels of a frame stay
        # together.
        lambda window: tf.reshape(tf.transpose(window, (0, 2, 3, 1, 4)), (-1, height, width, depth)),
        False,
    )


def _flat(axes: str, shape: Shape, stated: _Stated) -> InputLayout:
    frames = stated.frames
    if frames is None or shape[0] % frames:
        raise ModelError(
            expected=f"--frames N that divides the {shape[0]} numbers of the input",
            got=frames,
            found=str(frames or "none"),
        )
    return InputLayout(axes, frames, (shape[0] // frames,), _reshaped(shape[0]), False)


def _flat_pixels(axes: str, shape: Shape, stated: _Stated) -> InputLayout:
    """Lay out frames whose pixels are one row, for each frame or for the whole window."""
    by_frame = len(shape) == 2
    frames, size = shape[0] if by_frame else stated.frames, stated.size
    if frames is None or size is None:
        raise ModelError(
            expected=f"{'' if by_frame else '--frames N and '}--frame-size HEIGHT,WIDTH for --axes {axes}",
            got=shape,
            found=f"{shape[-1]} numbers in a row",
        )
    channels, rest = divmod(shape[-1], size[0] * size[1] * (1 if by_frame else frames))
    if rest or channels not in CHANNELS:
        count = "" if by_frame else f"{frames} "
        raise ModelError(
            expected=f"{count}grey or colour frames of {size[0]}x{size[1]} px in a row",
            got=shape,
            found=f"{shape[-1]} numbers",
        )
    if not by_frame:
        return InputLayout(axes, frames, (*size, channels), _reshaped(shape[0]), False)
    import tensorflow as tf

    return InputLayout(
        axes, frames, (*size, channels), lambda window: tf.reshape(window, (-1, int(window.shape[1]), shape[1])), True
    )


def _clips_of_images(axes: str, shape: Shape, _stated: _Stated) -> InputLayout:
    return InputLayout(axes, shape[0] * shape[1], shape[2:], _reshaped(*shape), False)


def _clips_of_rows(axes: str, shape: Shape, _stated: _Stated) -> InputLayout:
    return InputLayout(axes, shape[0] * shape[1], (math.prod(shape[2:]),), _reshaped(*shape), False)


@dataclass(frozen=True)
class _Kind:
    """A kind of layout.

    Attributes:
        rank: Number of axes; None for any.
        time: The axis that may be open, for --frames to fill in; None for none.
        layout: From name, full shape and stated sizes to the layout.
        is_flat: Whether height and width share an axis, so that the shape does not hold them.
    """

    rank: int | None
    time: int | None
    layout: Callable[[str, Shape, _Stated], InputLayout]
    is_flat: bool = False


AXES: dict[str, _Kind] = {
    "t,h,w,c": _Kind(4, 0, _images),
    "t,c,h,w": _Kind(4, 0, _volume),
    "c,t,h,w": _Kind(4, 1, _volume),
    "h,w,t,c": _Kind(4, 2, _volume),
    "c,h,w,t": _Kind(4, 3, _volume),
    "t,h,w": _Kind(3, 0, _grey),
    "h,w,c": _Kind(3, None, _one_frame),
    "h,w,tc": _Kind(3, None, _stacked),
    "n,t,h,w,c": _Kind(5, None, _clips_of_images),
    "t,f": _Kind(None, 0, _rows),
    "n,t,f": _Kind(None, None, _clips_of_rows),
    "t,hwc": _Kind(2, 0, _flat_pixels, is_flat=True),
    "thwc": _Kind(1, None, _flat_pixels, is_flat=True),
    "tf": _Kind(1, None, _flat),
    "f": _Kind(1, None, _one_frame),
}
# Layouts that the shape alone identifies; the others are noted as assumptions.
PLAIN = ("t,h,w,c", "t,f")
