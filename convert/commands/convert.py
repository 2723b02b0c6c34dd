"""Convert a trained Keras video classifier into a bundle for the device, and prove it on real clips.

The model is split into a part that runs once a frame and a part that runs over time, quantised, and held against the trained model on every
clip given. The cheapest precision that keeps the budget is taken; where none does, no bundle is written and the exit code is 3. The bundle
carries the proof: 'edgevid inspect' shows it, 'edgevid selftest' repeats it on any machine. A page beside it, OUT.report.html, tells it with
pictures, and OUT.report.json as data; both are written for failures too, and say which layers are to blame.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgevid.bundle.manifest import PLANS
from edgevid.errors import EdgevidError
from edgevid.events.rule import ClassThresholds
from edgevid.frames.preprocess import INTERPOLATIONS, RESIZE_RULES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Built = TypeVar("Built", bound="DataclassInstance")
EXAMPLES = """examples:
  edgevid convert gestures.keras --clips clips/test -o gestures.edgevid
      a model from 'edgevid train': labels, colour and sampling are in the file
  edgevid convert lrcn.h5 --clips clips -o lrcn.edgevid --color bgr --interval uniform --labels labels.txt
      an LRCN from the usual tutorials: OpenCV's BGR frames over 255, T of them at equal steps over each clip
  edgevid convert pose_lstm.h5 --clips sequences -o pose.edgevid --interval 0.033
      a model over feature sequences: the clips are .npy arrays of (frames, features)
  edgevid convert gestures.keras --clips clips/test -o gestures.edgevid --precision 'int8+16x8 head' --report proof.html
  edgevid convert gestures.keras --clips clips/test -o gestures.edgevid --delegate coral"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="a .keras or .h5 file or a SavedModel folder, of Keras 2 or 3; or a .tflite file, taken as it is",
    )
    parser.add_argument(
        "--clips",
        type=Path,
        required=True,
        metavar="DIR",
        help="real clips, <class>/<clip>, for calibration and proof; labels may be missing",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.edgevid", help="the bundle to write")
    configure_input(parser.add_argument_group("what training did (not needed for models from 'edgevid train')"))
    _configure_device(parser.add_argument_group("how the device runs it"))
    parser.add_argument(
        "--allow-code", action="store_true", help="load Lambda layers, which run Python code from the model file"
    )
    parser.add_argument(
        "--custom-objects",
        type=Path,
        metavar="MODULE.py",
        help="a Python file that defines the model's own layers and functions; it is run",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="where to write the page of the proof, and its data as FILE.report.json (default: OUT.report.html)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the report on stdout as one JSON object; where there is no bundle, why, and how far it came",
    )


def configure_input(group: argparse._ArgumentGroup) -> None:
    """Declare what a model file may leave unsaid of its training; 'edgevid evaluate' asks the same.

    Args:
        group: Part of a verb's parser.
    """
    group.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="one label a line, in the order of the outputs (default: the folders' names, sorted)",
    )
    group.add_argument(
        "--color",
        choices=("rgb", "bgr", "gray"),
        help="order of the channels; models trained on OpenCV's frames want bgr (default: rgb)",
    )
    group.add_argument(
        "--range",
        type=_range,
        metavar="LOW,HIGH",
        help="what pixels 0 and 255 were: 0,1 or 0,255 or (as --range=-1,1) -1,1 (default: 0,1)",
    )
    group.add_argument("--resize", choices=RESIZE_RULES, help="how other aspect ratios fit (default: stretch)")
    group.add_argument("--interpolation", choices=INTERPOLATIONS, help="OpenCV's (default: linear)")
    group.add_argument(
        "--interval",
        metavar="SECONDS|uniform",
        help="time between frames, or 'uniform': T frames at equal steps over each clip (default)",
    )
    group.add_argument("--frames", type=int, metavar="N", help="frames in a window, where the model leaves it open")
    group.add_argument(
        "--frame-size", type=_size, metavar="HEIGHT,WIDTH", help="pixels of a frame, where the model takes any"
    )
    group.add_argument(
        "--axes",
        metavar="AXES",
        help="what the axes of the model's input are, such as t,h,w,c or h,w,tc or t,f (default: read from the model)",
    )
    group.add_argument(
        "--scores",
        metavar="NAME",
        help="which output gives the scores, of a model with several (default: the first with probabilities)",
    )
    group.add_argument(
        "--scores-only",
        action="store_true",
        help="leave the other outputs out, which come beside the scores as values otherwise",
    )


def _configure_device(group: argparse._ArgumentGroup) -> None:
    from convert.quantization.space_to_depth import ANY, targets

    group.add_argument(
        "--plan",
        choices=("auto", *PLANS),
        default="auto",
        help="window: exact; stateful: causal RNNs, cheaper, remembers beyond the window (default: auto)",
    )
    _configure_precision(group)
    group.add_argument(
        "--target",
        choices=targets(),
        default=ANY,
        help="lay thin convolutions out for this board's int8 kernels: the same answers to the bit, up to twice as fast there (default: any)",
    )
    group.add_argument(
        "--background", action="append", metavar="LABEL", help="a class that is never an event; may be given again"
    )
    group.add_argument(
        "--threshold",
        action="append",
        dest="thresholds",
        type=_threshold,
        metavar="LABEL=ENTER,EXIT",
        help="smoothed scores at which this class's events begin and end; may be given again",
    )
    group.add_argument(
        "--unknown-below",
        type=float,
        metavar="SCORE",
        help="a decision whose highest score is below this is 'unknown' (default: 0)",
    )
    group.add_argument("--name", help="what the bundle is called (default: the model's file name)")


def _configure_precision(group: argparse._ArgumentGroup) -> None:
    from convert.options import DELEGATES
    from convert.precision.recipes import ALIASES, AUTO, NAMES

    group.add_argument(
        "--precision",
        choices=(AUTO, *NAMES, *ALIASES),
        default=AUTO,
        metavar="RECIPE",
        help=f"{', '.join(NAMES)}: encoder, then head; auto takes the cheapest within the budget (default: auto)",
    )
    group.add_argument(
        "--delegate",
        choices=DELEGATES,
        help="xnnpack: tell which operators the CPU's fast kernels take; coral: also compile the encoder for the Edge TPU (edgetpu_compiler on PATH)",
    )
    group.add_argument(
        "--max-drop",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="top-1 accuracy that may be lost on labelled clips; one clip is forgiven unless 0 (default: 1)",
    )
    group.add_argument(
        "--max-value-error",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="mean error of numbers that the model gives beside its scores, as a share of their span on the clips (default: 0.05)",
    )
    group.add_argument(
        "--min-agreement",
        type=float,
        default=0.98,
        metavar="SHARE",
        help="of clips that must get the trained model's answer (default: 0.98)",
    )


def _threshold(text: str) -> ClassThresholds:
    label, _, scores = text.rpartition("=")
    try:
        enter, exit_ = map(float, scores.split(","))
        return ClassThresholds(label=label, enter=enter, exit=exit_)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"Expected LABEL=ENTER,EXIT with 0 <= EXIT <= ENTER <= 1, as wave=0.8,0.5, got {text!r}."
        ) from error


def _size(text: str) -> tuple[int, int]:
    height, comma, width = text.partition(",")
    try:
        return int(height), int(width if comma else "")
    except ValueError:
        raise argparse.ArgumentTypeError(f"Expected HEIGHT,WIDTH as 112,112, got {text!r}.") from None


def _range(text: str) -> tuple[float, float]:
    low, comma, high = text.partition(",")
    try:
        return float(low), float(high if comma else "")
    except ValueError:
        raise argparse.ArgumentTypeError(f"Expected LOW,HIGH as 0,1, got {text!r}.") from None


def run(args: argparse.Namespace) -> int:
    """Convert and print the proof.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        UsageError: An option is wrong.
        EdgevidError: The conversion failed; see `convert.convert_model`.
    """
    from convert import Options, convert_model
    from convert.progress import Terminal
    from convert.reporting.report import as_json

    try:
        options, command = options_from(args, Options), shlex.join(["edgevid", *sys.argv[1:]])
        done = convert_model(args.model, args.clips, args.output, options=options, progress=Terminal(), command=command)
    except (EdgevidError, OSError) as error:
        if args.json:
            sys.stdout.write(f"{as_json(_failed(error, args))}\n")
        else:
            # What was assumed may be what was wrong.
            sys.stderr.writelines(f"note: {note}\n" for note in getattr(error, "report", {}).get("notes", ()))
        raise
    sys.stdout.write(f"{as_json(done.report) if args.json else summary(done.report, delegate=args.delegate)}\n")
    sys.stderr.write(f"Wrote {done.path} and {done.page}\n")
    return 0


def _failed(error: EdgevidError | OSError, args: argparse.Namespace) -> dict[str, Any]:
    """What `--json` prints where there is no bundle: the report as far as it came, what stderr says, and what the process will return."""
    from convert.reporting.outcome import NoBundle

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


def options_from(args: argparse.Namespace, kind: type[Built]) -> Built:
    """Read the options of a call from those of the command line, which have the same names.

    Args:
        args: Parsed; options that may be given again are lists.
        kind: The dataclass of the options.

    Returns:
        An instance.
    """
    given = {item.name: getattr(args, item.name) for item in dataclasses.fields(kind) if hasattr(args, item.name)}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def summary(report: dict[str, Any], *, delegate: str | None = None) -> str:
    """Write a report for a person.

    Args:
        report: As `convert.reporting.report.record` gives it.
        delegate: Whose placement was asked for.

    Returns:
        Lines of text.
    """
    parts = ", ".join(
        f"{role} {precision} ({report['part_bytes'][role] / 1024:.0f} KiB)"
        for role, precision in report["precision"].items()
    )
    lines = [
        f"plan {report['plan']}: {parts}",
        f"{'stage':<22}{'clips':>6}{'agreement':>11}{'max error':>11}{'accuracy':>10}",
    ]
    lines += [_stage(stage) for stage in report["stages"]]
    lines += [
        f"value {each['name']!r}: off by {each['share_of_span']:.2%} of its span on average"
        for each in report["values"]
    ]
    lines += _placement(report, delegate)
    lines += [f"note: {note}" for note in report["notes"]]
    lines += [f"careful: {warning}" for warning in report["warnings"]]
    return "\n".join([*lines, f"{report['bundle_bytes'] / 1024:.0f} KiB in {report['seconds']:.1f} s"])


def _placement(report: dict[str, Any], delegate: str | None) -> list[str]:
    from convert.placement import coral, xnnpack

    lines = xnnpack.describe([xnnpack.Placement(**each) for each in report["placement"]]) if delegate else []
    return lines + ([coral.describe(report["edgetpu"])] if report["edgetpu"] else [])


def _stage(stage: dict[str, Any]) -> str:
    accuracy = "-" if stage["accuracy"] is None else f"{stage['accuracy']:.1%}"
    return f"{stage['name']:<22}{stage['clips']:>6}{stage['agreement']:>11.1%}{stage['max_abs_error']:>11.2g}{accuracy:>10}"
