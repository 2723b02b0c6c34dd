"""The options of `edgevid train`, by group."""

from __future__ import annotations

import argparse
from pathlib import Path

from convert.commands.options import add_reading, pixel_range
from convert.commands.stream_options import add_training_framing
from convert.splits.folds import GROUPS, Folds
from convert.training.options import AUTO, HEADS
from edgevid.commands.options import positive_int, size_px
from edgevid.frames.preprocess import MODEL_COLORS, RESIZE_RULES

GROUP_BY = (
    "'subject' (the file name up to its first '_'), 'none', or a regular expression with one group, which is searched "
    "in the file name"
)


def add_all(parser: argparse.ArgumentParser) -> None:
    """Add all options that describe clips, network and training."""
    _add_clips(parser.add_argument_group("the clips"))
    add_training_framing(parser)
    _add_encoder(parser.add_argument_group("learning from few clips"))
    _add_network(parser.add_argument_group("input and network"))
    _add_variation(parser.add_argument_group("random variation of clips"))
    _add_training(parser.add_argument_group("training"))
    _add_teacher(parser.add_argument_group("a larger model that teaches the small encoder"))
    _add_mining(parser.add_argument_group("false alarms in long recordings, with a frozen encoder"))
    _add_report(parser.add_argument_group("the report"))


def _add_clips(group: argparse._ArgumentGroup) -> None:
    add_reading(group)
    group.add_argument(
        "--allow-duplicates",
        action="store_true",
        help="accept clips that are nearly the same in different groups or splits; the metrics are too good then",
    )
    group.add_argument(
        "--background",
        metavar="LABEL",
        help="a class that is never an event, such as 'none'; it also takes what no segment of a recording covers, "
        "in pieces of two windows",
    )


def _add_network(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--frames", type=positive_int, default=16, metavar="N", help="number of frames in a window (default: 16)"
    )
    group.add_argument(
        "--interval",
        type=float,
        default=0.1,
        metavar="SECONDS",
        help="time between two frames of a window (default: 0.1)",
    )
    group.add_argument(
        "--size",
        type=_frame_size,
        default=(64, 64),
        metavar="N|WxH",
        help="size of a frame in pixels, square or WIDTHxHEIGHT (default: 64)",
    )
    group.add_argument(
        "--color",
        # "none" is for features, which this network does not take.
        choices=[color for color in MODEL_COLORS if color != "none"],
        default="rgb",
        help="channels of a frame (default: rgb)",
    )
    group.add_argument(
        "--resize", choices=RESIZE_RULES, default="stretch", help="how to fit other aspect ratios (default: stretch)"
    )
    group.add_argument(
        "--motion",
        type=_on_off,
        default=True,
        metavar="{on,off}",
        help="use differences of frames instead of frames (default: on)",
    )
    group.add_argument(
        "--pool",
        choices=("none", "columns"),
        default="none",
        help="'columns' ignores the horizontal position of a movement, as for people who walk past (default: none)",
    )
    group.add_argument("--rnn", choices=("lstm", "gru"), default="lstm", help="the recurrent layer (default: lstm)")


def _add_encoder(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--encoder",
        metavar="NAME|FILE",
        help="'small', which is trained from scratch; 'efficientnet-lite0' or 'efficientnet-lite0@SIZE', pretrained "
        "and frozen, for frames of SIZE pixels (224); or a .keras file with a network from one frame to features "
        "(default: small; rows of features take none)",
    )
    group.add_argument(
        "--streams",
        default=AUTO,
        metavar="NAMES",
        help="what a frozen encoder, or the head of rows, sees: 'frames', 'differences' of frames, or "
        "'frames,differences', at twice the cost of an encoder; 'auto' chooses by inner folds, and is 'frames' for "
        "rows (default: auto)",
    )
    group.add_argument(
        "--head",
        default=AUTO,
        choices=(AUTO, *HEADS),
        help="what reads the features: linear on their mean, or on statistics over the window; recurrent; "
        "convolutional; attentive; 'auto' chooses between the first two by inner folds (default: auto)",
    )
    group.add_argument(
        "--loss",
        default="every-frame",
        choices=("every-frame", "last"),
        help="when lstm, gru and tcn learn to answer: at every frame, for early answers, or at the end of a window "
        "(default: every-frame)",
    )
    group.add_argument(
        "--mix-up",
        type=float,
        default=0.0,
        metavar="A",
        help="mix windows of features two by two, with shares of a Beta(A, A) distribution, for heads with epochs; "
        "0.2 is usual (default: 0)",
    )
    _add_fine_tuning(group)
    _add_folds(group)


def _add_fine_tuning(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--fine-tune",
        type=positive_int,
        default=0,
        metavar="N",
        help="after the head is fitted, train the last N blocks of the encoder with it, for up to 8 epochs, as many as "
        "a held-out share of the clips has the lowest loss after; a block of efficientnet-lite0 is an inverted "
        "residual (it has 16), of a .keras file a layer with weights, batch normalisation apart, which stays as it is. "
        "Every fold repeats all of it, and the gain over the frozen encoder is printed (default: none)",
    )


def _add_folds(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--range",
        type=pixel_range,
        metavar="LOW,HIGH",
        help="values of the pixels 0 and 255 in the training of an encoder's file (default: 0,1, or 0,255 if its "
        "first layers scale pixels themselves)",
    )
    group.add_argument(
        "--folds",
        type=_folds,
        metavar="N|groups",
        help="parts of the clips to hold out in turn, or 'groups' for one group after the other; 0 for none "
        "(default: up to 5 with a frozen encoder, else 0)",
    )
    group.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="folder for the features of clips, 2 GB at most (default: edgevid/features in the user's cache)",
    )
    group.add_argument(
        "--workers",
        type=positive_int,
        default=1,
        metavar="N",
        help="processes that encode clips at once; each takes 0.2 GB and the frames of one clip, and the features are "
        "the same (default: 1)",
    )


def _add_teacher(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--teacher",
        type=Path,
        metavar="MODEL.keras",
        help="a model of 'edgevid train' of the same classes: learn its answers to the clips besides their labels",
    )
    group.add_argument(
        "--unlabelled",
        type=Path,
        metavar="CLIPS",
        help="a folder or list of more clips, from which its answers alone are learned",
    )
    group.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="soften both answers, so that unlikely classes teach as well (default: 2)",
    )
    group.add_argument(
        "--teacher-share",
        type=float,
        metavar="F",
        help="weight of its answers; the labels have the rest (default: 0.7)",
    )


def _add_mining(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mine",
        type=Path,
        metavar="DIR",
        help="folder of long recordings: the worst false alarms in them become clips of --background, and the head is "
        "fitted anew",
    )
    group.add_argument(
        "--truth",
        type=Path,
        metavar="EVENTS.csv",
        help="what happens in them, a table with path, label, start_s and end_s, and optionally group (default: "
        "nothing besides the segments that CLIPS lists)",
    )
    group.add_argument("--mine-rounds", type=positive_int, metavar="N", help="how often that is done (default: 2)")


def _add_report(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="where to write a page with curves, folds, confusion and the worst clips (default: none)",
    )
    group.add_argument(
        "--learning-curve",
        type=_on_off,
        metavar="{on,off}",
        help="also learn from fewer clips of each class in every fold, to estimate what more would bring; quick with a "
        "linear head, else about as long as all folds again (default: on for --report with a linear head)",
    )


def _add_variation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--flip",
        default="none",
        metavar="CLASSES",
        help="classes that may be mirrored: 'none', 'all', or a list such as 'wave,left=right', where the mirror image "
        "of left shows right (default: none)",
    )
    group.add_argument("--no-augment", dest="augment", action="store_false", help="vary only the start of a window")
    group.add_argument(
        "--windows-per-clip",
        type=positive_int,
        default=4,
        metavar="N",
        help="number of random windows of each clip in an epoch; of a frozen encoder all windows that it learns from, "
        "the middle one among them (default: 4)",
    )


def _add_training(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--group-by", default="none", metavar="RULE", help=f"clips to hold out together: {GROUP_BY} (default: none)"
    )
    group.add_argument(
        "--val-fraction",
        type=float,
        default=0.2,
        metavar="F",
        help="fraction of the groups or clips to hold out; 0 holds nothing out (default: 0.2)",
    )
    group.add_argument(
        "--epochs", type=positive_int, default=60, metavar="N", help="largest number of epochs (default: 60)"
    )
    group.add_argument(
        "--patience",
        type=positive_int,
        default=30,
        metavar="N",
        help="stop after this many epochs without a lower loss on the held-out clips (default: 30)",
    )
    group.add_argument(
        "--batch", type=positive_int, default=16, metavar="N", help="number of windows in a step (default: 16)"
    )
    group.add_argument(
        "--learning-rate", type=float, default=2e-3, metavar="R", help="peak of Adam's learning rate (default: 0.002)"
    )
    _add_regularisation(group)


def _add_regularisation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--label-smoothing",
        type=float,
        default=0.05,
        metavar="F",
        help="probability that is moved from the true class to all classes (default: 0.05)",
    )
    group.add_argument(
        "--balance",
        choices=("clips", "classes"),
        default="clips",
        help="draw as many windows of every clip, or of every class where some have more clips (default: clips)",
    )
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of weights, split, windows and variation (default: 0)"
    )
    group.add_argument(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="folder for the state after each epoch: after a stop, the same command goes on from it and ends with the "
        "same model (default: none)",
    )
    group.add_argument("--tensorboard", type=Path, metavar="DIR", help="folder for the logs of TensorBoard")


def _folds(text: str) -> Folds:
    """Return a number of folds, or "groups"."""
    if text != GROUPS and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"Expected a number of folds, or {GROUPS}, got {text!r}.")
    return GROUPS if text == GROUPS else int(text)


def _on_off(text: str) -> bool:
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"Expected on or off, got {text!r}.")
    return text == "on"


def _frame_size(text: str) -> tuple[int, int]:
    """Return (width, height) in pixels from `64` or `80x64`."""
    return size_px(text) if "x" in text else (positive_int(text), positive_int(text))
