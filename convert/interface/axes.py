"""What each axis of a model's input is, and how a device's window becomes that input.

A device gives windows of frames, (T, H, W, C), or of feature rows, (T, F). Models want them with frames stacked on the channels, channels first,
without a channel axis, cut into clips of a clip, or flat. Which of these it is cannot always be told from a shape: what is assumed is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgevid.errors import ModelError, UsageError

Shape = tuple[int, ...]
CHANNELS = (1, 3)
# Sides from which on a plane of numbers is taken for a grey picture rather than for rows of features.
_PICTURE_PX = 16
_PLANE_LAYERS = frozenset(
    "Conv2D SeparableConv2D DepthwiseConv2D MaxPooling2D AveragePooling2D ZeroPadding2D GlobalAveragePooling2D Resizing CenterCrop RandomFlip".split()
)


@dataclass(frozen=True)
class InputLayout:
    """One reading of an input's axes.

    Attributes:
        axes: Name, one of `AXES`.
        frames: Length of the window.
        frame: Shape of what the device gives for each frame: (H, W, C) or (F,).
        convert: From a window (N, T, *frame) to the model's input, in TensorFlow operators or numpy's.
        by_frame: Whether time stays axis 1, so that any number of frames can be converted.
        shape: Of the model's input, all of it settled.
    """

    axes: str
    frames: int
    frame: Shape
    convert: Callable[[Any], Any]
    by_frame: bool
    shape: tuple[int | None, ...] = ()


class InputAdapter:
    """The layout of an input as the first layer of a graph.

    Args:
        layout: How the window becomes the input.
        name: The input's.
        columns: Which of the window's features are for this input; None for all.
    """

    trainable_weights = ()

    def __init__(self, layout: InputLayout, name: str, columns: slice | None = None) -> None:
        self.name = name
        self.lookback = 0 if layout.by_frame else None
        self._convert, self._columns = layout.convert, columns

    def __call__(self, window: Any) -> Any:
        """Give the input.

        Args:
            window: (N, T, *frame).

        Returns:
            What the model takes.
        """
        return self._convert(window if self._columns is None else window[..., self._columns])


class AllTrueMask:
    """The mask that goes with a full window: a device never pads one.

    Args:
        name: The input's.
    """

    trainable_weights = ()

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, window: Any) -> Any:
        """Give (N, T) booleans, all of them True."""
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
    """Settle what the axes of an input are.

    Args:
        shape: Of the input, without the batch; None where the model leaves it open.
        first: Class of the first layer that does something with it.
        axes: What the user says, one of `AXES`.
        frames: Length of the window where it cannot be seen, as the user says.
        size: (height, width) of a frame where the model leaves it open, as the user says.
        channels_first: Whether that layer takes its channels before its pixels.

    Returns:
        The layout.

    Raises:
        UsageError: `axes` is no name, or does not go with the shape.
        ModelError: The window's length or a frame's size is open, or the shape is of no kind that is known.
    """
    if axes is not None and axes not in AXES:
        raise UsageError(expected="--axes", choices=AXES, got=axes)
    chosen = (
        axes
        or (_with_channels_first(tuple(shape), first) if channels_first else "")
        or _guess(tuple(shape), first, frames)
    )
    rank, place = AXES[chosen].rank, AXES[chosen].time
    if rank is not None and len(shape) != rank:
        raise UsageError(
            expected=f"an input of {rank} axes for --axes {chosen}",
            got=len(shape),
            found=f"{len(shape)}: {tuple(shape)}",
        )
    full = _settle_size(_settle_window(tuple(shape), place, frames), chosen, size)
    if any(each is None for each in full):
        raise _open_sizes(full, chosen)
    layout = AXES[chosen].layout(chosen, tuple(int(each) for each in full if each is not None), frames)
    return replace(layout, shape=full)


def _settle_size(shape: tuple[int | None, ...], axes: str, size: tuple[int, int] | None) -> tuple[int | None, ...]:
    """Fill in a frame's height and width where the model leaves them open."""
    if size is None:
        return shape
    said = dict(zip("hw", size, strict=True))
    wanted = tuple(said.get(name, each) for name, each in zip(axes.split(","), shape, strict=False))
    wrong = next(((each, want) for each, want in zip(shape, wanted, strict=False) if each not in (None, want)), None)
    if wrong or "h" not in axes:
        fixed = f"the model fixes: {shape}" if wrong else f"a model of {axes} does not have"
        raise UsageError(expected=f"no --frame-size, which {fixed}", got=size, found=f"{size[0]},{size[1]}")
    return wanted


def _open_sizes(shape: tuple[int | None, ...], axes: str) -> ModelError:
    open_axes = [name for name, each in zip(axes.split(","), shape, strict=False) if each is None]
    if set(open_axes) <= {"h", "w"} and "h" in axes:
        hint = "Say which it was trained on: --frame-size HEIGHT,WIDTH."
        return ModelError(
            expected="a frame size", got=shape, found=f"a model that takes frames of any: {shape}", hint=hint
        )
    found = f"a model with an open number of channels or features: {shape}"
    return ModelError(expected="static sizes", got=shape, found=found, hint="Rebuild it with a fixed one.")


def _settle_window(shape: tuple[int | None, ...], place: int | None, frames: int | None) -> tuple[int | None, ...]:
    if place is None:
        return shape
    if shape[place] is None and frames is None:
        raise ModelError(
            expected="a model with a fixed window",
            got=shape,
            found="one of any length",
            hint="Say how many frames it was trained on: --frames N.",
        )
    if shape[place] is not None and frames is not None and shape[place] != frames:
        raise ModelError(expected=f"--frames {shape[place]}, which the model fixes", got=frames, found=f"{frames}")
    return tuple(frames if axis == place and size is None else size for axis, size in enumerate(shape))


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
        return "t,c,h,w" if shape[1] in CHANNELS and first in ("Permute", "TimeDistributed") else "t,f"
    if rank == 5:
        return "n,t,h,w,c" if shape[-1] in CHANNELS else "n,t,f"
    raise ModelError(
        expected="an input of (frames, height, width, channels) or (frames, features)", got=shape, found=f"{shape}"
    )


def _with_channels_first(shape: tuple[int | None, ...], first: str) -> str:
    """A layer that says where its channels are: three-dimensional ones before time, others after it."""
    if len(shape) != 4:
        return ""
    return "c,t,h,w" if first.endswith("3D") and shape[0] in CHANNELS else "t,c,h,w" if shape[1] in CHANNELS else ""


def _guess_plane(shape: tuple[int | None, ...], first: str, frames: int | None) -> str:
    """Three axes: one picture, pictures stacked on the channels, grey pictures in a row, or rows of joints."""
    sides = [size for size in shape[:2] if size is not None and size < _PICTURE_PX]
    if first in _PLANE_LAYERS and not sides:
        return "h,w,c" if shape[-1] in CHANNELS and frames in (None, 1) else "h,w,tc"
    wide = all(size is None or size >= _PICTURE_PX for size in shape[1:])
    return "t,h,w" if wide else "t,f"


def _same(window: Any) -> Any:
    return window


def _permuted(*order: int) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda window: tf.transpose(window, order)


def _reshaped(*sizes: int) -> Callable[[Any], Any]:
    import tensorflow as tf

    return lambda window: tf.reshape(window, (-1, *sizes))


def _pictures(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0], shape[1:], _same, True)


def _rows(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    import tensorflow as tf

    width = math.prod(shape[1:])
    if len(shape) == 2:
        return InputLayout(axes, shape[0], (width,), _same, True)
    return InputLayout(
        axes, shape[0], (width,), lambda window: tf.reshape(window, (-1, int(window.shape[1]), *shape[1:])), True
    )


def _channels_first(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0], (*shape[2:], shape[1]), _permuted(0, 1, 4, 2, 3), True)


def _channels_before_time(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[1], (*shape[2:], shape[0]), _permuted(0, 4, 1, 2, 3), False)


def _grey(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0], (*shape[1:], 1), lambda window: window[..., 0], True)


def _picture(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, 1, shape, lambda window: window[:, 0], False)


def _stacked(axes: str, shape: Shape, frames: int | None) -> InputLayout:
    import tensorflow as tf

    height, width, depth = shape
    if frames is None or depth % frames or depth // frames not in CHANNELS:
        legal = " or ".join(
            f"--frames {depth // each} ({'grey' if each == 1 else 'colour'})" for each in CHANNELS if depth % each == 0
        )
        raise ModelError(
            expected=f"{legal} for frames stacked on {depth} channels", got=frames, found=f"{frames or 'no --frames'}"
        )
    return InputLayout(
        axes,
        frames,
        (height, width, depth // frames),
        lambda window: tf.reshape(tf.transpose(window, (0, 2, 3, 1, 4)), (-1, height, width, depth)),
        False,
    )


def _flat(axes: str, shape: Shape, frames: int | None) -> InputLayout:
    if frames is None or shape[0] % frames:
        raise ModelError(
            expected=f"--frames N that divides the {shape[0]} numbers of the input",
            got=frames,
            found=f"{frames or 'none'}",
        )
    return InputLayout(axes, frames, (shape[0] // frames,), _reshaped(shape[0]), False)


def _row(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, 1, shape, lambda window: window[:, 0], False)


def _clips_of_pictures(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0] * shape[1], shape[2:], _reshaped(*shape), False)


def _clips_of_rows(axes: str, shape: Shape, _frames: int | None) -> InputLayout:
    return InputLayout(axes, shape[0] * shape[1], (math.prod(shape[2:]),), _reshaped(*shape), False)


@dataclass(frozen=True)
class _Kind:
    """How a name is read: number of axes (None for any), which axis may be left open for --frames, and the layout of a full shape."""

    rank: int | None
    time: int | None
    layout: Callable[[str, Shape, int | None], InputLayout]


AXES: dict[str, _Kind] = {
    "t,h,w,c": _Kind(4, 0, _pictures),
    "t,c,h,w": _Kind(4, 0, _channels_first),
    "c,t,h,w": _Kind(4, 1, _channels_before_time),
    "t,h,w": _Kind(3, 0, _grey),
    "h,w,c": _Kind(3, None, _picture),
    "h,w,tc": _Kind(3, None, _stacked),
    "n,t,h,w,c": _Kind(5, None, _clips_of_pictures),
    "t,f": _Kind(None, 0, _rows),
    "n,t,f": _Kind(None, None, _clips_of_rows),
    "tf": _Kind(1, None, _flat),
    "f": _Kind(1, None, _row),
}
# Layouts that a model's shape says without doubt.
PLAIN = ("t,h,w,c", "t,f")
