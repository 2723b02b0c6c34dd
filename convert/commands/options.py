"""Options that several commands of the workstation share."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edgevid.frames.keypoint_rows import KEYPOINTS, NORMALISE
from edgevid.frames.preprocess import INTERPOLATIONS, RESIZE_RULES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")


def add_input(group: argparse._ArgumentGroup) -> None:
    """Add the options for facts about the training that a model file may lack.

    Args:
        group: A group of the parser of 'edgevid convert' or 'edgevid evaluate'.
    """
    _add_frames(group)
    _add_tensors(group)


def _add_frames(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="a file with one label per line, in the order of the outputs "
        "(default: names of the class folders, sorted)",
    )
    group.add_argument(
        "--color",
        choices=("rgb", "bgr", "gray"),
        help="order of the channels; models trained on frames from OpenCV need bgr (default: rgb)",
    )
    group.add_argument(
        "--range",
        type=pixel_range,
        metavar="LOW,HIGH",
        help="values of the pixels 0 and 255 in training: 0,1 or 0,255 or -1,1, written --range=-1,1 (default: 0,1)",
    )
    group.add_argument("--resize", choices=RESIZE_RULES, help="how to fit other aspect ratios (default: stretch)")
    group.add_argument("--interpolation", choices=INTERPOLATIONS, help="interpolation of OpenCV (default: linear)")
    group.add_argument(
        "--interval",
        metavar="SECONDS|uniform",
        help="time between two frames, or 'uniform' for T frames evenly spaced over each clip (default: uniform)",
    )


def _add_tensors(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--frames", type=int, metavar="N", help="number of frames in a window, if the model leaves it open"
    )
    group.add_argument(
        "--frame-size",
        type=_size,
        metavar="HEIGHT,WIDTH",
        help="size of a frame in pixels, if the model leaves it open",
    )
    group.add_argument(
        "--axes",
        metavar="AXES",
        help="axes of the model's input, such as t,h,w,c or h,w,t,c or h,w,tc or t,f; flat pixels are t*h*w*c, with "
        "--frames and --frame-size (default: derived from the model, with a note where there is a choice)",
    )
    group.add_argument(
        "--scores",
        metavar="NAME",
        help="the output with the scores, for a model with several outputs (default: the first one with probabilities)",
    )
    group.add_argument(
        "--scores-only",
        action="store_true",
        help="omit the other outputs, which are otherwise delivered as values along with the scores",
    )
    group.add_argument(
        "--look-ahead",
        type=int,
        default=0,
        metavar="N",
        help="of a model with an answer for each frame of the window, deliver that of the frame N before the newest, "
        "which has seen N frames more (default: 0, the newest frame's)",
    )


def add_keypoints(group: argparse._ArgumentGroup) -> None:
    """Add the options for rows of key points.

    Args:
        group: A group of the parser of a command.
    """
    group.add_argument(
        "--keypoints",
        choices=KEYPOINTS,
        help="the rows are key points of pictures, as MediaPipe finds them: 'edgevid run' will find them, too",
    )
    group.add_argument(
        "--normalise",
        choices=NORMALISE,
        default="none",
        help="with --keypoints, what the rows are: none for shares of the picture, as MediaPipe has them; hip for "
        "sizes of the torso from the hips; box for shares of the box around the points; wrist for each hand from its "
        "wrist (default: none)",
    )


def add_reading(group: argparse._ArgumentGroup) -> None:
    """Add the options for how the clips are read.

    Args:
        group: A group of the parser of a command that reads clips.
    """
    group.add_argument(
        "--videos",
        type=Path,
        metavar="DIR",
        help="folder of the videos that a list names (default: the folder of the list)",
    )
    group.add_argument(
        "--fps",
        type=float,
        metavar="N",
        help="pictures per second in folders of pictures (default: the rate of the data set, or 25)",
    )


def add_loading(parser: argparse.ArgumentParser) -> None:
    """Add the options for loading a model file.

    Args:
        parser: The parser of 'edgevid convert' or 'edgevid evaluate'.
    """
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE.h5",
        help="the weights (.h5 or .weights.h5) of a MODEL that is a description, as model.to_json() writes it",
    )
    parser.add_argument(
        "--allow-code", action="store_true", help="load Lambda layers, which execute Python code from the model file"
    )
    parser.add_argument(
        "--custom-objects",
        type=Path,
        metavar="MODULE.py",
        help="a Python file that defines the model's own layers and functions; it is executed",
    )


def options_from(args: argparse.Namespace, kind: type[OptionsT]) -> OptionsT:
    """Build the options of a call from the parsed options of the same names.

    Args:
        args: Parsed options. Lists, of options that may be repeated, become tuples.
        kind: The dataclass of the options.
    """
    names = [field.name for field in dataclasses.fields(kind) if hasattr(args, field.name)]
    values = {name: getattr(args, name) for name in names}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"Expected HEIGHT,WIDTH such as 112,112, got {text!r}.") from None
    return height, width


def pixel_range(text: str) -> tuple[float, float]:
    """Return the values of pixels 0 and 255 from `LOW,HIGH`."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"Expected LOW,HIGH such as 0,1, got {text!r}.") from None
    return low, high
