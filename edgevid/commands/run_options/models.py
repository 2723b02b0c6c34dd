"""Which bundles run, and how: `BUNDLE...`, `--threads`, `--delegate`, `--motion-gate`, `--keypoints`, `--count`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.engine_options import ENGINE_OPTIONS, engine_options
from edgevid.commands.options import Option
from edgevid.errors import ContractError, UsageError

if TYPE_CHECKING:
    from edgevid.api.model import Model
    from edgevid.bench.passport import PassportWatch
    from edgevid.frames.keypoint_rows import KeypointRows

# A copy of `edgevid.frames.motion.SHARE`, whose module imports numpy; a test holds them equal.
SHARE = 0.002
# Copies of those of `edgevid.frames.keypoint_rows`, whose package imports numpy; a test holds them equal.
KEYPOINTS = ("pose", "hands", "holistic")
NORMALISE = ("none", "hip", "box", "wrist")
# A copy of `edgevid.bench.passport.SUFFIX`; a test holds them equal.
PASSPORT_SUFFIX = ".passport.json"

OPTIONS: tuple[Option, ...] = (
    Option(
        name="bundles",
        type=Path,
        nargs="+",
        metavar="BUNDLE",
        help="a .edgevid file, or the folder where a device stores its bundles (see edgevid activate). "
        "Several bundles run on the same frames",
    ),
    *ENGINE_OPTIONS,
    Option(
        name="--motion-gate",
        type=float,
        nargs="?",
        const=SHARE,
        metavar="SHARE",
        help="run the encoder only when more than this share of the frame has changed since its last run "
        f"(off by default; {SHARE:g} without a value)",
    ),
    Option(
        name="--keypoints",
        choices=KEYPOINTS,
        help="for a model of rows of numbers: find these key points in each picture, and make a row of them, as "
        "MediaPipe's do (default: those that the bundle names). Needs 'edgevid fetch keypoints'",
    ),
    Option(
        name="--normalise",
        choices=NORMALISE,
        default="none",
        help="with --keypoints: none for shares of the picture, as MediaPipe has them; hip for sizes of the torso "
        "from the hips; box for shares of the box around the points; wrist for each hand from its wrist "
        "(default: none)",
    ),
    Option(
        name="--count",
        metavar="LABEL[,LABEL...]",
        is_repeated=True,
        help="count repetitions, such as squats: of the phases of a movement in their order, up,down, or of one class "
        "whose score rises and falls each time. May be given several times",
    ),
)


def load(args: argparse.Namespace) -> list[Model]:
    """Read the bundles and load their parts.

    Args:
        args: Parsed options.

    Returns:
        A model for each bundle, in order.

    Raises:
        BundleError: A bundle is rejected.
        BackendError: The interpreter rejects a part.
        UsageError: A model cannot have a motion gate, or takes other rows than those of the key points.
    """
    from edgevid.api.model import load

    keypoints = keypoint_rows(args)
    options = {**engine_options(args), "motion_gate": args.motion_gate, "keypoints": keypoints}
    return [load(path, **options) for path in args.bundles]


def keypoint_rows(args: argparse.Namespace) -> KeypointRows | None:
    """Return the key points that `--keypoints` and `--normalise` ask for; None for none.

    Args:
        args: Parsed options.

    Raises:
        UsageError: The normalisation does not fit the key points, or there are none to normalise.
    """
    UsageError.unless(
        args.keypoints is not None or args.normalise == "none",
        expected="--keypoints with --normalise",
        found="none",
        hint="A bundle that names its key points names their normalisation, too.",
    )
    if args.keypoints is None:
        return None
    from edgevid.frames.keypoint_rows import KeypointRows

    try:
        return KeypointRows(kind=args.keypoints, normalise=args.normalise)
    except ContractError as error:
        raise UsageError(str(error), expected=error.expected, got=error.got) from error


def _say(line: str) -> None:
    sys.stderr.write(f"edgevid: {line}\n")


def passport_watch(args: argparse.Namespace, *, root: Path) -> PassportWatch | None:
    """Return what holds the run to the bundles' passports; None if none has one of a board like this.

    Args:
        args: Parsed options.
        root: Folder with `sys` and `proc`.

    Raises:
        ResultInvalid: A passport is no result of the benchmark.
    """
    # Most bundles have none: nothing more is imported for them.
    if not any(path.with_name(path.name.removesuffix(".edgevid") + PASSPORT_SUFFIX).is_file() for path in args.bundles):
        return None
    from edgevid.bench.passport import PassportWatch, read_passports

    passports = read_passports(args.bundles, root=root)
    return PassportWatch(passports, _say) if passports else None
