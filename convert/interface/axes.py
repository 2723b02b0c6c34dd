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

from edgevid.errors import ModelError, UsageError

Shape = tuple[int, ...]
CHANNELS = (1, 3)
# A plane with sides from this size on is a grey image; smaller ones are joints, such as (17, 2).
_IMAGE_PX = 16
# Layers whose three axes can only be height, width and channels.
_PLANE_LAYERS = frozenset(
    "Conv2D SeparableConv2D DepthwiseConv2D MaxPooling2D AveragePooling2D ZeroPadding2D GlobalAveragePooling2D "
    "Resizing CenterCrop RandomFlip".split()
)


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
    """

    axes: str
    frames: int
    frame: Shape
    convert: Callable[[Any], Any]
    by_frame: bool
    shape: tuple[int | None, ...] = ()


class InputAdapter:
    """The conversion from a window to one input, as the first layer of a graph.

    Args:
        layout: Layout of the input.
        name: Name of the input.
        columns: Columns of the feature row that belong to this input; None for all.
    """

    trainable_weights = ()

    def __init__(self, layout: InputLayout, name: str, columns: slice | None = None) -> None:
        self.name = name
        # 0 lets the splitter run the adapter on single frames; None keeps it on whole windows.
        self.lookback = 0 if layout.by_frame else None
        self._convert, self._columns = layout.convert, columns

    def __call__(self, window: Any) -> Any:
        """Convert a window (N, T, *frame) to the model's input."""
        return self._convert(window if self._columns is None else window[..., self._columns])


class AllTrueMask:
    """The mask of a full window, since a device never pads one.

    Args:
        name: Name of the input.
    """

    trainable_weights = ()

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, window: Any) -> Any:
        """Return (N, T) booleans, all of them True."""
        import tensorflow as tf

        return tf.ones(tf.shape(window)[:2], tf.bool)


def read_layout(
    shape: Sequence[int | None],
    first: str,
    *,
    axes: str | None = None,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
    channels_first: bool = False,
) -> InputLayout:
    """Identify the layout of an input.

    Args:
        shape: Shape of the input without the batch; None for an open size.
        first: Class of the first layer that reveals the input's kind, such as "Conv2D".
        axes: The layout, one of `AXES`; None to infer it.
        frames: Length of the window, if the shape does not hold it.
        size: (height, width) in pixels, if the model leaves it open.
        channels_first: Whether the layer `first` takes channels before pixels.

    Raises:
        UsageError: `axes` is not a layout, or `axes` or `size` does not fit the shape.
        ModelError: The window's length or a frame's size is open, or no layout has such a shape.
    """
    UsageError.unless(axes is None or axes in AXES, expected="--axes", choices=AXES, got=axes)
    name = axes or _infer(tuple(shape), first, frames, channels_first=channels_first)
    kind = AXES[name]
    if kind.rank is not None and len(shape) != kind.rank:
        raise UsageError(
            expected=f"an input of {kind.rank} axes for --axes {name}",
            got=len(shape),
            found=f"{len(shape)}: {tuple(shape)}",
        )
    full = _fill_size(_fill_window(tuple(shape), kind.time, frames), name, size)
    if any(each is None for each in full):
        raise _open_sizes_error(full, name)
    layout = kind.layout(name, tuple(int(each) for each in full if each is not None), frames)
    return replace(layout, shape=full)


def axes_note(shape: Sequence[int | None], layout: InputLayout) -> str:
    """Return the note that a layout was inferred.

    Args:
        shape: Shape of the input without the batch.
        layout: The layout that was inferred.
    """
    return f"the axes of input {tuple(shape)} are read as {layout.axes}; pass --axes if they are others"


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


def _infer(shape: tuple[int | None, ...], first: str, frames: int | None, *, channels_first: bool) -> str:
    # A layer that states its data format is better evidence than the sizes of the axes.
    stated = _channels_first_axes(shape, first) if channels_first else ""
    return stated or _guess(shape, first, frames)


def _guess(shape: tuple[int | None, ...], first: str, frames: int | None) -> str:
    rank = len(shape)
    if rank == 1:
        return "tf" if frames is not None and frames > 1 else "f"
    if rank == 2:
        return "t,f"
    if rank == 3:
        return _guess_plane(shape, first, frames)
    if rank == 4:
        if shape[-1] in CHANNELS:
            return "t,h,w,c"
        # Without such a layer, an axis of 3 may as well be the coordinates of joints.
        return "t,c,h,w" if shape[1] in CHANNELS and first in ("Permute", "TimeDistributed") else "t,f"
    if rank == 5:
        return "n,t,h,w,c" if shape[-1] in CHANNELS else "n,t,f"
    raise ModelError(expected="an input of (frames, height, width, channels) or (frames, features)", got=shape)


def _channels_first_axes(shape: tuple[int | None, ...], first: str) -> str:
    """Return the layout that a channels-first layer implies, or "" for none."""
    # Channels precede time in the input of 3-D layers, and follow it elsewhere.
    if len(shape) != 4:
        return ""
    if first.endswith("3D") and shape[0] in CHANNELS:
        return "c,t,h,w"
    return "t,c,h,w" if shape[1] in CHANNELS else ""


def _guess_plane(shape: tuple[int | None, ...], first: str, frames: int | None) -> str:
    """Choose between an image, images stacked on channels, grey images in time, and rows of joints."""
    has_short_side = any(size is not None and size < _IMAGE_PX for size in shape[:2])
    if first in _PLANE_LAYERS and not has_short_side:
        return "h,w,c" if shape[-1] in CHANNELS and frames in (None, 1) else "h,w,tc"
    are_images = all(size is None or size >= _IMAGE_PX for size in shape[1:])
    return "t,h,w" if are_images else "t,f"


def _unchanged(window: Any) -> Any:
    return window


def _permuted(*order: int) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda window: tf.transpose(window, order)


def _reshaped(*sizes: int) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda window: tf.reshape(window, (-1, *sizes))


def _images(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0], shape[1:], _unchanged, True)


def _rows(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    import tensorflow as tf

    width = math.prod(shape[1:])
    if len(shape) == 2:
        return InputLayout(axes, shape[0], (width,), _unchanged, True)
    return InputLayout(
        axes, shape[0], (width,), lambda window: tf.reshape(window, (-1, int(window.shape[1]), *shape[1:])), True
    )


def _channels_first(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0], (*shape[2:], shape[1]), _permuted(0, 1, 4, 2, 3), True)


def _channels_before_time(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[1], (*shape[2:], shape[0]), _permuted(0, 4, 1, 2, 3), False)


def _grey(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0], (*shape[1:], 1), lambda window: window[..., 0], True)


def _one_frame(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, 1, shape, lambda window: window[:, 0], False)


def _stacked(axes: str, shape: Shape, frames: int | None) -> InputLayout:
    import tensorflow as tf

    height, width, depth = shape
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


def _flat(axes: str, shape: Shape, frames: int | None) -> InputLayout:
    if frames is None or shape[0] % frames:
        raise ModelError(
            expected=f"--frames N that divides the {shape[0]} numbers of the input",
            got=frames,
            found=str(frames or "none"),
        )
    return InputLayout(axes, frames, (shape[0] // frames,), _reshaped(shape[0]), False)


def _clips_of_images(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0] * shape[1], shape[2:], _reshaped(*shape), False)


def _clips_of_rows(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0] * shape[1], (math.prod(shape[2:]),), _reshaped(*shape), False)


@dataclass(frozen=True)
class _Kind:
    """A kind of layout.

    Attributes:
        rank: Number of axes; None for any.
        time: The axis that may be open, for --frames to fill in; None for none.
        layout: From name, full shape and --frames to the layout.
    """

    rank: int | None
    time: int | None
    layout: Callable[[str, Shape, int | None], InputLayout]


AXES: dict[str, _Kind] = {
    "t,h,w,c": _Kind(4, 0, _images),
    "t,c,h,w": _Kind(4, 0, _channels_first),
    "c,t,h,w": _Kind(4, 1, _channels_before_time),
    "t,h,w": _Kind(3, 0, _grey),
    "h,w,c": _Kind(3, None, _one_frame),
    "h,w,tc": _Kind(3, None, _stacked),
    "n,t,h,w,c": _Kind(5, None, _clips_of_images),
    "t,f": _Kind(None, 0, _rows),
    "n,t,f": _Kind(None, None, _clips_of_rows),
    "tf": _Kind(1, None, _flat),
    "f": _Kind(1, None, _one_frame),
}
# Layouts that the shape alone identifies; the others are noted as assumptions.
PLAIN = ("t,h,w,c", "t,f")
