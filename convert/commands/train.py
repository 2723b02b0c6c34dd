"""Train the reference CNN-LSTM on a folder of clips and write it as a Keras model.

CLIPS_DIR holds one folder a class with video files in it, <class>/<clip>.<avi|mp4|mkv|webm>; or it is a CSV file with the columns path and
label, and optionally group. Some clips are held out, whole groups of them with --group-by; training ends when they are no longer answered
better, and their metrics are printed on stdout. What training knew (labels, sampling, colour) travels inside the model file, so that
'edgevid convert' needs no more options.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from convert.commands.convert import options_from
from edgevid.commands.options import positive_int, size_px
from edgevid.frames.preprocess import MODEL_COLORS, RESIZE_RULES

if TYPE_CHECKING:
    from convert.clips import ClipSet

EXAMPLES = """examples:
  edgevid train clips -o gestures.keras --background none
  edgevid train clips -o actions.keras --group-by subject --pool columns --flip all --color gray --interval 0.08
  edgevid train clips -o gestures.keras --flip wave,swipe_left=swipe_right --tensorboard logs"""
GROUP_BY = "'subject' (the file's name up to its first '_'), 'none', or a regular expression with one group, searched in the file's name"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    parser.add_argument("clips", type=Path, metavar="CLIPS_DIR", help="the folder or CSV file of clips")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.keras", help="the model to write")
    _configure_frames(parser.add_argument_group("what the model sees"))
    _configure_variation(parser.add_argument_group("how clips vary, once a clip, in training"))
    _configure_training(parser.add_argument_group("training"))


def _configure_frames(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--frames", type=positive_int, default=16, metavar="N", help="frames in a window (default: 16)")
    group.add_argument(
        "--interval", type=float, default=0.1, metavar="SECONDS", help="time between two of them (default: 0.1)"
    )
    group.add_argument(
        "--size",
        type=_frame_size,
        default=(64, 64),
        metavar="N|WxH",
        help="pixels of a frame, square or WIDTHxHEIGHT (default: 64)",
    )
    group.add_argument(
        "--color",
        choices=[color for color in MODEL_COLORS if color != "none"],
        default="rgb",
        help="channels of a frame (default: rgb)",
    )
    group.add_argument(
        "--resize", choices=RESIZE_RULES, default="stretch", help="how other aspect ratios fit (default: stretch)"
    )
    group.add_argument(
        "--motion",
        type=_on_off,
        default=True,
        metavar="{on,off}",
        help="whether it sees differences of frames, not frames (default: on)",
    )
    group.add_argument(
        "--pool",
        choices=("none", "columns"),
        default="none",
        help="'columns' looks at what moves at which height, wherever across the picture, as for people who walk by (default: none)",
    )
    group.add_argument("--rnn", choices=("lstm", "gru"), default="lstm", help="its recurrent layer (default: lstm)")
    group.add_argument("--background", metavar="LABEL", help="a class that is never an event, such as 'none'")


def _configure_variation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--flip",
        default="none",
        metavar="CLASSES",
        help="classes that may be mirrored: 'none' (default), 'all', or a list as 'wave,left=right', where each of left and right shows the other mirrored",
    )
    group.add_argument(
        "--no-augment", dest="augment", action="store_false", help="vary nothing but where a window begins"
    )
    group.add_argument(
        "--windows-per-clip",
        type=positive_int,
        default=4,
        metavar="N",
        help="random windows of each clip in an epoch (default: 4)",
    )


def _configure_training(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--group-by", default="none", metavar="RULE", help=f"what is held out together: {GROUP_BY} (default: none)"
    )
    group.add_argument(
        "--val-fraction",
        type=float,
        default=0.2,
        metavar="F",
        help="of the groups or clips, held out; 0 for none (default: 0.2)",
    )
    group.add_argument(
        "--epochs", type=positive_int, default=60, metavar="N", help="passes over the clips, at most (default: 60)"
    )
    group.add_argument(
        "--patience",
        type=positive_int,
        default=30,
        metavar="N",
        help="epochs without a better held-out loss before it ends (default: 30)",
    )
    group.add_argument("--batch", type=positive_int, default=16, metavar="N", help="windows in a step (default: 16)")
    group.add_argument(
        "--learning-rate", type=float, default=2e-3, metavar="R", help="Adam's, at its peak (default: 0.002)"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything random (default: 0)")
    group.add_argument("--tensorboard", type=Path, metavar="DIR", help="write logs for TensorBoard")


def run(args: argparse.Namespace) -> int:
    """Train, write the model, print the metrics on the held-out clips.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        UsageError: An option is wrong.
        ClipsError: No classifier can be trained on the clips.
    """
    from convert import Terminal, TrainOptions
    from convert.frameworks.tensorflow_setup import import_tensorflow
    from convert.training.console import EpochsBar, metrics_text, skipped_text

    options = options_from(args, TrainOptions)
    import_tensorflow()
    from convert import train

    with EpochsBar() as bar:

        def announce(clips: ClipSet) -> None:
            sys.stderr.write(skipped_text(clips))
            bar.start()

        trained = train(args.clips, args.output, options=options, progress=Terminal(), on_clips=announce, on_epoch=bar)
    if trained.evaluation is not None:
        sys.stdout.write(f"{metrics_text(trained.evaluation)}\n")
    sys.stderr.write(f"Wrote {args.output}: {trained.model.count_params()} weights, {len(trained.history)} epochs.\n")
    return 0


def _on_off(text: str) -> bool:
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"Expected on or off, got {text!r}.")
    return text == "on"


def _frame_size(text: str) -> tuple[int, int]:
    """(width, height) in pixels from `64` or `80x64`."""
    return size_px(text) if "x" in text else (positive_int(text), positive_int(text))
