"""Resolves the model's input frame: channels, colour order, pixel range, resizing.

Options win over training metadata, and metadata over defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convert.clips.row_checks import check_keypoints
from convert.graph.layer_graph import LayerGraph
from convert.interface.pixel_range import takes_bytes
from convert.options import Options
from convert.training_info import TrainingInfo
from edgevid.errors import ClipsError, ContractError, ModelError, UsageError
from edgevid.frames import Color
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.frames.preprocess import InputSpec

BYTES = (0.0, 255.0)
_CHANNEL_COLORS: dict[int, tuple[Color, ...]] = {1: ("gray",), 3: ("rgb", "bgr")}


def resolve_input(
    graph: LayerGraph, frame_shape: tuple[int, ...], options: Options, info: TrainingInfo | None
) -> InputSpec:
    """Resolve the model's input frame.

    Args:
        graph: The model; one that scales pixels itself gets them as 0 to 255.
        frame_shape: (H, W, C) or (F,).
        options: Options of the conversion.
        info: Training metadata, if the model file has any.

    Raises:
        UsageError: The colour order does not fit the number of channels.
        ModelError: Frames have neither 1 nor 3 channels.
    """
    if len(frame_shape) == 1:
        return InputSpec(kind="features", height=1, width=1, channels=frame_shape[0], color="none")
    channels = frame_shape[2]
    if channels not in _CHANNEL_COLORS:
        raise ModelError(
            expected="frames of 1 or 3 channels, channels last", got=frame_shape, found=f"shape {frame_shape}"
        )
    legal = _CHANNEL_COLORS[channels]
    UsageError.unless(
        options.color is None or options.color in legal,
        expected=f"--color {' or '.join(legal)} for a model of {channels} channel(s)",
        got=options.color,
        found=str(options.color),
    )
    # Metadata of other frames describes another model.
    known = info.input if info is not None and info.input.shape == frame_shape else None
    spec = known or _default_input(graph, frame_shape, legal[0])
    stated = {
        "color": options.color,
        "range": options.range,
        "resize": options.resize,
        "interpolation": options.interpolation,
    }
    changes: dict[str, Any] = {name: value for name, value in stated.items() if value is not None}
    return replace(spec, **changes)


def _default_input(graph: LayerGraph, frame_shape: tuple[int, ...], color: Color) -> InputSpec:
    height, width, channels = frame_shape
    pixel_range = BYTES if takes_bytes(graph) else (0.0, 1.0)
    return InputSpec(height=height, width=width, channels=channels, color=color, range=pixel_range)


def resolve_keypoints(
    spec: InputSpec, options: Options, info: TrainingInfo | None, stated: KeypointRows | None
) -> KeypointRows | None:
    """Return the key points that make the model's rows; None for pictures and other rows.

    Args:
        spec: The input frame.
        options: Options of the conversion.
        info: Training metadata, if the model file has any.
        stated: The key points that the folders of the clips state.

    Raises:
        UsageError: The model takes pictures, or other rows than these key points make; or the options
            name other key points than the training.
        ClipsError: The clips hold other key points than the model takes.
    """
    trained = info.keypoints if info is not None and spec.kind == "features" else None
    rows = trained if options.keypoints is None else _named_keypoints(spec, options)
    UsageError.unless(
        trained is None or rows == trained,
        expected=f"key points as in training ({trained})",
        found=str(rows),
        hint="Leave --keypoints and --normalise out.",
    )
    check_keypoints(rows, stated)
    return rows


def _named_keypoints(spec: InputSpec, options: Options) -> KeypointRows | None:
    """Return the key points of the options."""
    if options.keypoints is None:
        return None
    UsageError.unless(
        spec.kind == "features",
        expected="--keypoints for a model of rows of numbers",
        got=spec.kind,
        found=f"a model of pictures of {spec.width}x{spec.height}",
    )
    try:
        rows = KeypointRows(kind=options.keypoints, normalise=options.normalise)
        rows.check(spec.channels)
    except ContractError as error:
        raise UsageError(str(error), expected=error.expected, got=error.got) from error
    return rows


def range_notes(graph: LayerGraph, spec: InputSpec, options: Options, info: TrainingInfo | None) -> list[str]:
    """Return the assumptions about the range of the pixels, one line each."""
    if spec.kind == "features" or info is not None or not takes_bytes(graph):
        return []
    if options.range is None:
        return [
            "pixels are passed as 0 to 255, because the model scales them itself; "
            "pass --range LOW,HIGH if training scaled them before"
        ]
    if options.range == BYTES:
        return []
    low, high = options.range
    return [
        f"the model scales pixels itself, and receives {low:g} to {high:g}: make sure that training scaled them twice"
    ]


def with_reading(
    error: ClipsError, clips: Path, spec: InputSpec, *, window: tuple[int, ...], notes: Sequence[str]
) -> ClipsError:
    """Return an error about clips with how the model's input was read, which may be what is wrong.

    Args:
        error: No clip of the right kind was found, or none could be read.
        clips: The folder or CSV file of clips.
        spec: The format of one frame.
        window: Shape of the window, as the input was read.
        notes: Assumptions about the model.
    """
    hint = _other_reading(clips, spec, window, notes) if spec.kind == "features" else ""
    return ClipsError(f"{error} {hint}", expected=error.expected, got=error.got, path=error.path) if hint else error


def _other_reading(clips: Path, spec: InputSpec, window: tuple[int, ...], notes: Sequence[str]) -> str:
    width = _row_width(clips)
    if width is not None and window[0] == 1 and width < spec.channels and spec.channels % width == 0:
        return (
            f"The {spec.channels} numbers of the input are {spec.channels // width} rows of {width}: "
            f"--axes tf --frames {spec.channels // width}"
        )
    if width is not None:
        return ""
    note = next((each for each in notes if each.startswith("the axes of input")), "")
    return (
        f"{note[:1].upper()}{note[1:]}."
        if note
        else (
            f"The input {window} is read as t,f, rows of features. "
            "Pass --axes t,h*w*c and --frame-size HEIGHT,WIDTH if its rows are pixels."
        )
    )


def _row_width(clips: Path) -> int | None:
    """Return how many numbers the rows of the first clip have; None without one that can be read."""
    file = next(iter(sorted(clips.rglob("*.npy"))), None) if clips.is_dir() else None
    if file is None:
        return None
    try:
        shape = np.load(file, mmap_mode="r", allow_pickle=False).shape
    except (OSError, ValueError, EOFError):
        return None
    return int(shape[-1]) if len(shape) in (1, 2) else None
