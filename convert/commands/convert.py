"""Convert a trained Keras video classifier into a bundle, and prove it on real clips.

The model is split into an encoder, which runs once per frame, and a head, which
runs over time. Both are quantised and compared with the trained model on every
clip. The cheapest precision within the budget is used. If none is, no bundle is
written, and the exit code is 3.

The bundle contains the proof: 'edgevid inspect' shows it, and 'edgevid selftest'
repeats it on any machine. The conversion also writes a report with pictures,
OUT.report.html, and its data, OUT.report.json. A failed conversion writes them
too; they name the layers that cause the errors.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from convert.commands.options import add_input, add_keypoints, add_loading, add_reading, options_from
from convert.commands.stream_options import add_framing, add_truth
from edgevid.bundle.manifest import PLANS
from edgevid.commands.options import positive_int
from edgevid.errors import EdgevidError
from edgevid.events.rule import ClassThresholds

EXAMPLES = """examples:
  edgevid convert gestures.keras --clips clips/test -o gestures.edgevid
      a model of 'edgevid train': labels, colour and sampling are in the file
  edgevid convert lrcn.h5 --clips clips -o lrcn.edgevid --color bgr --interval uniform --labels labels.txt
      an LRCN of the usual tutorials: BGR frames divided by 255, T of them evenly spaced over each clip
  edgevid convert pose_lstm.h5 --clips sequences -o pose.edgevid --interval 0.033
      a model over feature sequences: the clips are .npy arrays of (frames, features)
  edgevid convert gestures.keras --clips clips/test -o gestures.edgevid --precision 'int8+16x8 head' --report proof.html
  edgevid convert gestures.keras --clips clips/test -o gestures.edgevid --delegate coral
  edgevid convert movinet_a0_stream.tflite --clips clips -o movinet.edgevid --labels labels.txt --interval 0.2
      a stream of other people: its states, which are inputs and outputs, are carried from frame to frame
  edgevid convert model.onnx --clips clips -o model.edgevid --labels labels.txt --range 0,1 --interval 0.1
      a model of PyTorch: the proof compares with ONNX Runtime on the file
  edgevid convert gestures.keras --clips clips -o gestures.edgevid --prune 0.5
      a smaller encoder: with half of the multiply-accumulates at most, fine-tuned on a part of the clips
  edgevid convert gestures.keras --clips clips/test -o gestures.edgevid --streams recordings --truth events.csv \
      --max-missed-events 1 --max-extra-false-per-hour 0.5"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="a .keras or .h5 file or a SavedModel folder of Keras 2 or 3; a .onnx file; a .tflite file, which is "
        "packed unchanged; or a .json description for --weights",
    )
    parser.add_argument(
        "--clips",
        type=Path,
        required=True,
        metavar="CLIPS",
        help="real clips for calibration and proof: a folder, as <class>/<clip> or without classes, or a list of clips",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.edgevid", help="the bundle to write")
    add_reading(parser.add_argument_group("the clips"))
    add_framing(parser)
    training = parser.add_argument_group("the training (not needed for models of 'edgevid train')")
    add_input(training)
    add_keypoints(training)
    _add_bundle_options(parser.add_argument_group("the bundle"))
    _add_stream(parser.add_argument_group("a stream (.tflite with states as inputs and outputs)"))
    _add_pruning(parser.add_argument_group("a smaller encoder"))
    _add_events(parser.add_argument_group("events in long recordings"))
    add_loading(parser)
    parser.add_argument(
        "--regression",
        action="store_true",
        help="the model computes numbers and no classes: deliver them as values with each decision",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="where to write the report; its data goes to FILE.report.json (default: OUT.report.html)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the report as one JSON object; after a failure, with the error and the results so far",
    )


def _add_bundle_options(group: argparse._ArgumentGroup) -> None:
    from convert.quantization.space_to_depth import ANY, targets

    group.add_argument(
        "--plan",
        choices=("auto", *PLANS),
        default="auto",
        help="window: exact; stateful: cheaper, for causal RNNs, and remembers more than the window; stack: not split "
        "(default: auto)",
    )
    _add_precision(group)
    group.add_argument(
        "--target",
        choices=targets(),
        default=ANY,
        help="arrange convolutions with few channels for the int8 kernels of this board: up to twice as fast there, "
        "with bit-identical answers (default: any)",
    )
    group.add_argument(
        "--background", action="append", metavar="LABEL", help="a class that is never an event; may be repeated"
    )
    group.add_argument(
        "--threshold",
        action="append",
        dest="thresholds",
        type=_threshold,
        metavar="LABEL=ENTER,EXIT",
        help="smoothed scores at which events of this class start and end; may be repeated",
    )
    group.add_argument(
        "--unknown-below",
        type=float,
        metavar="SCORE",
        help="label decisions whose highest score is lower 'unknown' (default: 0)",
    )
    group.add_argument("--name", help="name of the model in the bundle (default: name of the model file)")


def _add_stream(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--state",
        action="append",
        dest="states",
        type=_state,
        metavar="INPUT=OUTPUT",
        help="a state: the output that is the next frame's input; may be repeated (default: paired by name and shape)",
    )
    group.add_argument(
        "--initial-states",
        type=Path,
        metavar="FILE.npz",
        help="what states start with: real numbers under the names of their inputs (default: zeros)",
    )


def _add_precision(group: argparse._ArgumentGroup) -> None:
    from convert.options import DELEGATES
    from convert.precision.recipes import ALIASES, AUTO, NAMES

    group.add_argument(
        "--precision",
        choices=(AUTO, *NAMES, *ALIASES),
        default=AUTO,
        metavar="RECIPE",
        help=f"precision of the encoder and of the head: {', '.join(NAMES)}; auto uses the cheapest one within the "
        "budget (default: auto)",
    )
    group.add_argument(
        "--delegate",
        choices=DELEGATES,
        help="xnnpack: report which operators the fast kernels of the CPU run; coral: also compile the encoder for the "
        "Edge TPU, with edgetpu_compiler from PATH",
    )
    group.add_argument(
        "--measure-on",
        metavar="host|HOST",
        help="time every precision within the budget on this machine, or on a device over ssh such as pi@porch, and "
        "take the fastest (default: take the first within the budget)",
    )
    group.add_argument(
        "--max-drop",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="largest loss of top-1 accuracy on labelled clips; one clip is always allowed, except with 0 (default: 1)",
    )
    group.add_argument(
        "--max-value-error",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="largest mean error of the model's other outputs, as a share of their range on the clips (default: 0.05)",
    )
    group.add_argument(
        "--min-agreement",
        type=float,
        default=0.98,
        metavar="SHARE",
        help="smallest share of clips with the same answer as from the trained model (default: 0.98)",
    )


def _add_pruning(group: argparse._ArgumentGroup) -> None:
    from convert.options import PRUNE_EPOCHS

    group.add_argument(
        "--prune",
        type=float,
        metavar="SHARE",
        help="remove channels until at most this share of the encoder's multiply-accumulates is left, and fine-tune "
        "the rest to the trained model's answers; a third of the clips, or what a list holds out, proves the result "
        "(default: remove none)",
    )
    group.add_argument(
        "--prune-epochs",
        type=positive_int,
        metavar="N",
        help=f"passes over the other clips to fine-tune it (default: {PRUNE_EPOCHS})",
    )


def _state(text: str) -> tuple[str, str]:
    before, _, after = text.partition("=")
    if not before or not after:
        raise argparse.ArgumentTypeError(f"Expected INPUT=OUTPUT, such as state_in=state_out, got {text!r}.")
    return before, after


def _add_events(group: argparse._ArgumentGroup) -> None:
    add_truth(group, required=False)
    group.add_argument(
        "--max-missed-events",
        type=int,
        metavar="N",
        help="most events that the trained model finds in them and the bundle misses (default: any number)",
    )
    group.add_argument(
        "--max-extra-false-per-hour",
        type=float,
        metavar="X",
        help="most false alarms an hour in them beyond those of the trained model (default: any number)",
    )


def _threshold(text: str) -> ClassThresholds:
    label, _, scores = text.rpartition("=")
    try:
        enter, exit_ = map(float, scores.split(","))
        return ClassThresholds(label=label, enter=enter, exit=exit_)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"Expected LABEL=ENTER,EXIT with 0 <= EXIT <= ENTER <= 1, such as wave=0.8,0.5, got {text!r}."
        ) from error


def run(args: argparse.Namespace) -> int:
    """Convert the model and print the proof.

    Raises:
        UsageError: An option is not legal.
        EdgevidError: The conversion failed; see `convert.convert_model`.
    """
    from convert import Options, convert_model
    from convert.commands.conversion_summary import summary
    from convert.progress import Terminal
    from convert.reporting.report import as_json

    try:
        options, command = options_from(args, Options), shlex.join(["edgevid", *sys.argv[1:]])
        conversion = convert_model(
            args.model, args.clips, args.output, options=options, progress=Terminal(), command=command
        )
    except (EdgevidError, OSError) as error:
        if args.json:
            sys.stdout.write(f"{as_json(_failed(error, args))}\n")
        else:
            # A wrong assumption may be the cause.
            sys.stderr.writelines(f"note: {note}\n" for note in getattr(error, "report", {}).get("notes", ()))
        raise
    report = conversion.report
    sys.stdout.write(f"{as_json(report) if args.json else summary(report, delegate=args.delegate)}\n")
    sys.stderr.write(f"Wrote {conversion.path} and {conversion.page}\n")
    return 0


def _failed(error: EdgevidError | OSError, args: argparse.Namespace) -> dict[str, Any]:
    """Return the object that `--json` prints after a failure."""
    from convert.reporting.outcome import NoBundle

    # The fields of a report, for a failure before any result.
    early = {
        "failure": str(error),
        "stopped_by": str(error),
        "model": {"file": args.model.name},
        "stages": [],
        "trials": [],
        "layers": [],
        "blame": "",
    }
    return {
        **(error.report if isinstance(error, NoBundle) else early),
        "error": str(error),
        "exit_code": error.exit_code if isinstance(error, EdgevidError) else EdgevidError.exit_code,
    }
