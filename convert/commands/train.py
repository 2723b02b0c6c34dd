"""Train the reference CNN-LSTM on a folder of clips, and write a Keras model.

CLIPS contains one folder per class, <class>/<clip>; a clip is a video or a
folder of pictures. Or it is a CSV file with the columns path and label, and
optionally start_s and end_s (a segment of a recording), group, and split.
With --background, the seconds that no segment covers become clips of that class.
Or it is a list of UCF-101 (trainlist01.txt), HMDB-51 (the folder of lists),
Kinetics, Jester or Something-Something; --videos is the folder of the videos.

Some clips are held out: those that the list keeps out of training (split test
or val), or else a random part; with --group-by, whole groups. Training ends
when the model no longer improves on them, and their metrics are printed. The
model file contains labels, sampling and colour, so that 'edgevid convert' needs
no options for them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from convert.commands.options import add_reading, options_from
from edgevid.commands.options import positive_int, size_px
from edgevid.errors import ClipsError, UsageError
from edgevid.frames.preprocess import MODEL_COLORS, RESIZE_RULES

if TYPE_CHECKING:
    from convert.clips import ClipSet
    from convert.training.options import TrainOptions

EXAMPLES = """examples:
  edgevid train clips --check --group-by subject
  edgevid train clips -o gestures.keras --background none
  edgevid train clips -o actions.keras --group-by subject --pool columns --flip all --color gray --interval 0.08
  edgevid train trainlist01.txt -o actions.keras --videos UCF-101
  edgevid train days.csv -o gestures.keras --videos recordings --background none
  edgevid train clips -o gestures.keras --flip wave,swipe_left=swipe_right --tensorboard logs"""
GROUP_BY = (
    "'subject' (the file name up to its first '_'), 'none', or a regular expression with one group, which is searched "
    "in the file name"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("clips", type=Path, metavar="CLIPS", help="folder of clips, or a list of clips")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.keras", help="the model to write")
    parser.add_argument(
        "--check",
        action="store_true",
        help="read every clip, print a table of what training would find, and train nothing; the exit code is 0 if "
        "the clips can be trained on",
    )
    parser.add_argument("--json", action="store_true", help="with --check: print the results as one JSON object")
    _add_clips(parser.add_argument_group("the clips"))
    _add_network(parser.add_argument_group("input and network"))
    _add_variation(parser.add_argument_group("random variation of clips"))
    _add_training(parser.add_argument_group("training"))


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
        help="number of random windows of each clip in an epoch (default: 4)",
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
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of weights, split, windows and variation (default: 0)"
    )
    group.add_argument("--tensorboard", type=Path, metavar="DIR", help="folder for the logs of TensorBoard")


def run(args: argparse.Namespace) -> int:
    """Train and write the model, and print the metrics on the held-out clips.

    Raises:
        UsageError: An option is not legal.
        ClipsError: No classifier can be trained on the clips.
    """
    from convert import Terminal, TrainOptions
    from convert.frameworks.tensorflow_setup import import_tensorflow
    from convert.training.console import EpochsBar, metrics_text, notes_text, short_text, skipped_text

    # Rejects illegal options before TensorFlow, which takes seconds to import.
    options = options_from(args, TrainOptions)
    if args.check:
        return _check(args, options)
    UsageError.unless(args.output is not None, expected="-o FILE.keras", found="neither that nor --check")
    UsageError.unless(not args.json, expected="--json with --check", found="it without")
    import_tensorflow()
    from convert import train

    with EpochsBar() as bar:

        def announce(clips: ClipSet) -> None:
            sys.stderr.write(notes_text(clips.notes) + skipped_text(clips) + short_text(clips, options.window))
            bar.start()

        trained = train(args.clips, args.output, options=options, progress=Terminal(), on_clips=announce, on_epoch=bar)
    if trained.evaluation is not None:
        sys.stdout.write(f"{metrics_text(trained.evaluation)}\n")
    sys.stderr.write(f"Wrote {args.output}: {trained.model.count_params()} weights, {len(trained.history)} epochs.\n")
    return 0


def _check(args: argparse.Namespace, options: TrainOptions) -> int:
    """Print what training would find; raise the first problem as an error."""
    from convert.progress import Terminal
    from convert.training.survey import survey
    from convert.training.survey_text import survey_json, survey_text

    found = survey(args.clips, options, Terminal())
    text = json.dumps(survey_json(found, args.clips), indent=1) if args.json else survey_text(found)
    sys.stdout.write(f"{text}\n")
    if found.problems:
        raise ClipsError(found.problems[0])
    return 0


def _on_off(text: str) -> bool:
    if text not in ("on", "off"):
        raise argparse.ArgumentTypeError(f"Expected on or off, got {text!r}.")
    return text == "on"


def _frame_size(text: str) -> tuple[int, int]:
    """Return (width, height) in pixels from `64` or `80x64`."""
    return size_px(text) if "x" in text else (positive_int(text), positive_int(text))
