"""Options of commands that take long recordings and their truth, and what a model sees of pictures."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevid.commands.options import HelpGroup, add_options
from edgevid.commands.run_options.sources import FRAMING

if TYPE_CHECKING:
    from convert.event_metrics import MeasureOptions
    from convert.recordings import ImportOptions
    from edgevid.bundle.framing import FramingChoice

_FRAMING = HelpGroup(
    title="what the model sees of the pictures",
    description="As 'edgevid run' has it: a recording of --record is turned already.",
)
_TRAINING = HelpGroup(
    title="what the model sees of the pictures",
    description="The model file carries it, so 'edgevid convert', 'evaluate' and 'run' need no options for it.",
)


def add_choices(group: argparse._ArgumentGroup) -> None:
    """Add the choices that a file of another tool leaves open.

    Args:
        group: A group of the parser.
    """
    group.add_argument(
        "--tier",
        action="append",
        default=[],
        metavar="NAME",
        help="ELAN: a tier whose annotations are events; repeatable",
    )
    group.add_argument(
        "--attribute",
        default="",
        metavar="NAME",
        help="CVAT: the attribute with the labels (default: the labels themselves)",
    )
    group.add_argument(
        "--point", type=float, metavar="SECONDS", help="length of the event that a mark without a length stands for"
    )
    group.add_argument(
        "--omit", action="append", default=[], metavar="LABEL", help="leave the events of a label out; repeatable"
    )
    group.add_argument(
        "--rename", action="append", default=[], type=_pair, metavar="OLD=NEW", help="use another label; repeatable"
    )
    group.add_argument(
        "--rest-is-empty", action="store_true", help="nothing happens in the videos that the truth does not name"
    )


def add_framing(parser: argparse.ArgumentParser) -> None:
    """Add what the model sees of the pictures, as `edgevid run` has it.

    Args:
        parser: The parser of a command.
    """
    add_options(parser, [dataclasses.replace(option, group=_FRAMING) for option in FRAMING])


def framing(args: argparse.Namespace) -> FramingChoice:
    """Return what the user chose of what the model sees of the pictures.

    Args:
        args: The parsed arguments.
    """
    from convert.commands.options import options_from
    from convert.options import FramingOptions

    return options_from(args, FramingOptions).framing


def import_options(args: argparse.Namespace) -> ImportOptions:
    """Return the choices of `add_choices`.

    Args:
        args: The parsed arguments.
    """
    from convert.recordings import ImportOptions

    return ImportOptions(
        tiers=tuple(args.tier),
        attribute=args.attribute,
        point_s=args.point,
        omit=tuple(args.omit),
        rename=dict(args.rename),
        rest_is_empty=args.rest_is_empty,
    )


class _InPlaceOf(argparse.Action):
    """Stores a value, in place of a positional argument."""

    def __init__(self, *args: Any, other: argparse.Action, **options: Any) -> None:
        super().__init__(*args, **options)
        self._other = other

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        setattr(namespace, self.dest, values)
        # Not `nargs="?"`: that would reject the argument behind any option.
        self._other.required = False


def add_truth(
    group: argparse._ArgumentGroup, *, in_place_of: argparse.Action | None = None, required: bool = True
) -> None:
    """Add the folder of the recordings and their truth.

    Args:
        group: A group of the parser.
        in_place_of: A positional argument that recordings replace; None for none.
        required: Whether they are required, if they replace nothing.
    """
    how: dict[str, Any] = {"action": _InPlaceOf, "other": in_place_of} if in_place_of else {"required": required}
    group.add_argument("--streams", type=Path, metavar="DIR", help="folder of long recordings", **how)
    group.add_argument(
        "--truth",
        type=Path,
        metavar="EVENTS.csv",
        **how,
        help="what happens in them: a table with path, label, start_s and end_s, or a file of another tool, "
        "see 'edgevid truth --help'",
    )


def add_measure(group: argparse._ArgumentGroup, *, limit_help: str) -> None:
    """Add what counts as a hit.

    Args:
        group: A group of the parser.
        limit_help: What the limit on false alarms does in this command.
    """
    group.add_argument(
        "--tolerance",
        type=float,
        metavar="SECONDS",
        help="time by which an event may miss a true one and still be its hit (default: 0.5)",
    )
    group.add_argument(
        "--max-false-per-hour",
        type=float,
        metavar="X",
        help=limit_help,
    )


def measure_options(args: argparse.Namespace) -> MeasureOptions:
    """Return what counts as a hit.

    Args:
        args: The parsed arguments.

    Raises:
        UsageError: A value has no sense.
    """
    from convert.event_metrics import MeasureOptions

    given = {"tolerance_s": args.tolerance, "max_false_per_hour": args.max_false_per_hour}
    return MeasureOptions(**{name: value for name, value in given.items() if value is not None})


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f"Expected OLD=NEW such as Diving=dive, got {text!r}.")
    return old, new


def add_training_framing(parser: argparse.ArgumentParser) -> None:
    """Add `--rotate`, `--flip-pictures`, `--region`, `--mask` and `--follow` of `edgevid train`."""
    # --flip names the classes that may be mirrored.
    names = {"--flip": "--flip-pictures"}
    defaults = {"--rotate": 0, "--flip": "none", "--follow": "none"}
    options = [
        dataclasses.replace(
            option,
            name=names.get(option.name, option.name),
            default=defaults.get(option.name),
            help=option.help.replace("as in training, else ", ""),
            group=_TRAINING,
        )
        for option in FRAMING
    ]
    add_options(parser, options)
