"""Infers what the axes of an input mean, from its sizes and the model's first layers.

Sizes alone rarely identify a layout. Each reading that is not the only one has its reason, which
the report shows. A reading that the layers contradict is rejected: the user has to state the axes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from convert.interface.first_layers import FirstLayers, Move, Sizes
from edgevid.errors import ModelError

CHANNELS = (1, 3)
# A plane with sides from this size on is a grey image; smaller ones are joints, such as (17, 2).
_IMAGE_PX = 16
# A third axis below this is more often one of coordinates than a window.
_LEAST_FRAMES = 4
# Long frames with a side below this are coordinates of joints, such as (21, 2).
_LEAST_PX = 8
# Cameras deliver up to 16:9, and few models crop frames narrower than this.
_MAX_ASPECT = 3.0
# Layers whose three axes can only be height, width and channels.
_PLANE_LAYERS = frozenset(
    "Conv2D SeparableConv2D DepthwiseConv2D MaxPooling2D AveragePooling2D ZeroPadding2D GlobalAveragePooling2D "
    "Resizing CenterCrop RandomFlip".split()
)
# Layers that run over the first axis, so that it can only be time.
_TIME_LAYERS = frozenset(
    "TimeDistributed Bidirectional ConvLSTM1D ConvLSTM2D ConvLSTM3D LSTM GRU SimpleRNN RNN".split()
)


@dataclass(frozen=True)
class Reading:
    """An inferred meaning of the axes.

    Attributes:
        axes: Name of the layout.
        reason: Why, if there was another reading; continues "are read as t,h,w,c, because".
        frames: Length of the window, if only the layers reveal it.
        size: (height, width) in pixels, if only the layers reveal it.
    """

    axes: str
    reason: str = ""
    frames: int | None = None
    size: tuple[int, int] | None = None


def infer(shape: Sizes, first: FirstLayers, frames: int | None, *, known: frozenset[str]) -> Reading:
    """Infer the layout of an input.

    Args:
        shape: Shape of the input without the batch.
        first: What the model's first layers reveal.
        frames: The window's length, if the user stated it.
        known: Names of the layouts that can be fed.

    Raises:
        ModelError: No layout has such a shape, or the evidence is contradictory.
    """
    if not first.moves:
        return _read(shape, first, frames)
    moved = first.moves[-1].shape
    try:
        reading = _read(moved, replace(first, moves=()), frames)
    except ModelError as error:
        raise _refusal(shape, f"layers that turn it to {moved}", _of_rank(len(shape), known)) from error
    # Rows that become one picture for a convolution are rows all the same.
    if "t" not in reading.axes:
        return replace(_read(shape, FirstLayers(""), frames), reason=f"its layers turn it to {moved}, {reading.axes}")
    names = reading.axes.split(",")
    if len(names) != len(moved):
        # "t,f" names any number of axes.
        names = ["t", *"f" * (len(moved) - 1)] if reading.axes == "t,f" else []
    axes = _before(names, shape, first.moves)
    fitting = [each for each in axes if each in known]
    if fitting:
        sizes = dict(zip(names, moved, strict=True))
        return _moved(fitting[0], reading, shape, moved, sizes)
    if axes and not axes[0].startswith("t"):
        raise _refusal(shape, f"layers that turn it to {moved}, read as {reading.axes}", _of_rank(len(shape), known))
    return _read(shape, FirstLayers("", kernels=first.kernels), frames)


def _moved(axes: str, reading: Reading, shape: Sizes, moved: Sizes, sizes: dict[str, int | None]) -> Reading:
    if axes == "t,f":
        return Reading(axes, _rows_reason(shape))
    has_size = "h" in sizes and sizes["h"] is not None and sizes["w"] is not None
    return Reading(
        axes,
        f"its layers turn it to {moved}, {reading.axes}",
        sizes.get("t"),
        (int(sizes["h"] or 0), int(sizes["w"] or 0)) if has_size else None,
    )


def _before(names: list[str], shape: Sizes, moves: tuple[Move, ...]) -> list[str]:
    """Return the possible names of an input's axes, from those after its moves; empty if lost."""
    shapes = [shape, *(move.shape for move in moves)]
    for place in reversed(range(len(moves))):
        order, before = moves[place].order, shapes[place]
        if order is None:
            names = _regrouped(names, before, shapes[place + 1])
        elif len(order) == len(names):
            names = [names[order.index(axis)] for axis in range(len(order))]
    if not names:
        return []
    joined = ",".join("f" if set(each) == {"f"} else each.replace("ff", "f") for each in names)
    is_rows = set(joined) <= {"t", "f", ","}
    if is_rows and joined.startswith("t,"):
        return ["t,f"]
    # Grey frames may lack the axis of one channel.
    return [joined, joined.replace("c", "")]


def _regrouped(names: list[str], before: Sizes, after: Sizes) -> list[str]:
    """Return the names of axes before a reshape; empty if it tears one apart."""
    left, groups = list(zip(names, after, strict=True)) if names else [], []
    for size in before:
        group, product = "", 1
        while left and product != size:
            each, length = left.pop(0)
            group, product = group + each, product * int(length or 0)
        if product != size:
            return []
        groups.append(group or "c")
    if any(length != 1 for _, length in left) or not groups:
        return []
    groups[-1] += "".join(each for each, _ in left)
    return groups


def _read(shape: Sizes, first: FirstLayers, frames: int | None) -> Reading:
    rank = len(shape)
    if rank == 1:
        return Reading("tf" if frames is not None and frames > 1 else "f")
    if rank == 2:
        return Reading("t,f")
    if rank == 3:
        return _read_plane(shape, first, frames)
    if rank == 4:
        return _read_volume(shape, first)
    if rank == 5:
        return _read_clips(shape)
    raise ModelError(expected="an input of (frames, height, width, channels) or (frames, features)", got=shape)


def _read_clips(shape: Sizes) -> Reading:
    if shape[-1] in CHANNELS:
        return Reading("n,t,h,w,c")
    if shape[2] in CHANNELS and _are_sides(shape[3:]):
        raise _refusal(shape, "clips of pictures with channels first", ("n,t,f",))
    return Reading("n,t,f")


def _read_plane(shape: Sizes, first: FirstLayers, frames: int | None) -> Reading:
    """Choose between an image, images stacked on channels, grey images in time, and rows of joints."""
    height, width, depth = shape
    if first.channels_first and first.kind in _PLANE_LAYERS:
        raise _refusal(shape, f"{first.kind} with channels first", ("t,h,w",))
    if first.kind in _PLANE_LAYERS and _are_sides(shape[:2]):
        return Reading("h,w,c" if depth in CHANNELS and frames in (None, 1) else "h,w,tc")
    if _are_sides(shape[1:]):
        return Reading("t,h,w")
    # Time runs over the first axis, or nothing shows it and the sizes are those of a square picture.
    if first.kind not in _TIME_LAYERS and height == width and _are_sides((height,)) and height is not None:
        raise _refusal(shape, f"the sides of a picture of {height}x{height} px", ("h,w,tc", "h,w,c", "t,f"))
    # Behind a layer that runs over time, short rows have no other reading.
    return Reading("t,f", "" if first.kind in _TIME_LAYERS else _rows_reason(shape))


def _read_volume(shape: Sizes, first: FirstLayers) -> Reading:
    if first.channels_first:
        return _read_channels_first(shape, first)
    if shape[-1] in CHANNELS:
        return _read_channels_last(shape, first)
    return _read_other_volume(shape, first)


def _read_channels_last(shape: Sizes, first: FirstLayers) -> Reading:
    if first.kind in _TIME_LAYERS:
        is_last, reason = False, f"{first.kind} runs over time" if _by_size(shape[:3]) == (True, True) else ""
    else:
        is_last, reason = _time_is_last(shape, shape[:3], first, ("t,h,w,c", "h,w,t,c"))
    if not is_last and _are_joints(shape[1:3]):
        raise _refusal(shape, f"frames of {shape[1]}x{shape[2]}, which may be joints", ("t,h,w,c", "t,f"))
    return Reading("h,w,t,c" if is_last else "t,h,w,c", reason)


def _read_channels_first(shape: Sizes, first: FirstLayers) -> Reading:
    """Read the input of a layer that states channels first."""
    # Channels precede time in the input of 3-D layers, and follow it elsewhere.
    place = 0 if first.kind.endswith("3D") else 1
    if shape[place] not in CHANNELS:
        raise _refusal(shape, f"{first.kind} over {shape[place]} channels", ("t,f",))
    if place:
        return Reading("t,c,h,w")
    is_last, reason = _time_is_last(shape, shape[1:], first, ("c,t,h,w", "c,h,w,t"))
    return Reading("c,h,w,t" if is_last else "c,t,h,w", reason)


def _read_other_volume(shape: Sizes, first: FirstLayers) -> Reading:
    """Read four axes whose last one is no colour: channels first, or rows of numbers."""
    has_pictures = _are_sides(shape[2:]) and not first.kind.endswith(("2D", "3D"))
    is_first = has_pictures and shape[0] in CHANNELS
    is_second = has_pictures and shape[1] in CHANNELS
    if is_second and (not is_first or first.kind in _TIME_LAYERS):
        return Reading("t,c,h,w")
    if is_first and not is_second and first.kind not in _TIME_LAYERS:
        return Reading("c,t,h,w")
    if is_first:
        raise _refusal(shape, "channels before or after time", ("t,c,h,w", "c,t,h,w"))
    if first.kind.endswith("3D"):
        is_last, _ = _time_is_last(shape, shape[:3], first, ("t,f",))
        if is_last:
            raise _refusal(shape, f"time on the third axis and {shape[3]} channels", ("t,f",))
    return Reading("t,f", _rows_reason(shape))


def _time_is_last(shape: Sizes, volume: Sizes, first: FirstLayers, choices: tuple[str, ...]) -> tuple[bool, str]:
    """Return whether time is the last axis of a volume instead of the first, and why.

    Raises:
        ModelError: Sizes and kernels contradict each other, or only equal sides speak for the last.
    """
    kernels = {a == b for a, b, c in first.kernels if (a == b) != (b == c)}
    by_kernel = kernels.pop() if len(kernels) == 1 else None
    by_size, is_clear = _by_size(volume)
    shown = next((each for each in first.kernels if (each[0] == each[1]) == by_kernel), ())
    if None not in (by_kernel, by_size) and by_kernel != by_size and (is_clear or by_kernel is False):
        raise _refusal(shape, f"sizes of the one and a kernel {shown} of the other", choices)
    if by_kernel is not None:
        return by_kernel, "" if by_size is by_kernel is False else f"a kernel is {shown}"
    if by_size and (not is_clear or (volume[2] or _LEAST_FRAMES) < _LEAST_FRAMES):
        raise _refusal(shape, "sizes that fit both", choices)
    if by_size is None:
        return False, "nothing speaks against the usual order"
    return by_size, "only the other sizes make a picture" if by_size else ""


def _by_size(volume: Sizes) -> tuple[bool | None, bool]:
    """Return whether the sizes have time last (None: they do not tell), and if that is clear."""
    if None in volume:
        is_last = volume[0] is not None and volume[1] is not None
        return is_last, is_last
    first, middle, last = (int(size or 0) for size in volume)
    is_picture = [max(pair) <= _MAX_ASPECT * min(pair) for pair in ((first, middle), (middle, last))]
    if is_picture[0] != is_picture[1]:
        return is_picture[0], True
    if (first == middle) != (middle == last):
        return first == middle, False
    return None, False


def _are_sides(sizes: Sizes) -> bool:
    return all(size is None or size >= _IMAGE_PX for size in sizes)


def _are_joints(sizes: Sizes) -> bool:
    if None in sizes:
        return False
    least, most = sorted(int(size or 0) for size in sizes)
    return least < _LEAST_PX and most > _MAX_ASPECT * least


def _of_rank(rank: int, known: Iterable[str]) -> list[str]:
    return sorted(each for each in known if len(each.split(",")) == rank or (each == "t,f" and rank > 1))


def _rows_reason(shape: Sizes) -> str:
    return f"nothing shows pictures in {'its' if shape[0] is None else f'the {shape[0]}'} rows of it"


def _refusal(shape: Sizes, found: str, choices: Iterable[str]) -> ModelError:
    return ModelError(
        expected=f"{' or '.join(f'--axes {each}' for each in choices)} for an input {shape} of more than one reading",
        got=shape,
        found=found,
        hint="Pass the axes of the training. If none fits, save a model of (frames, height, width, channels).",
    )
