"""Which bundles run, and on what: `BUNDLE...`, `--threads`, `--delegate` and `--motion-gate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.engines import add_engine, open_engine

# As `edgevid.motion.SHARE`, which is not imported for a help text.
SHARE = 0.002

if TYPE_CHECKING:
    from edgevid.lane import Lane


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the bundles, `args.bundles`, and how they run.

    Args:
        parser: The verb's.
    """
    parser.add_argument(
        "bundles",
        type=Path,
        nargs="+",
        metavar="BUNDLE",
        help="the .edgevid file, or the DIR of a device's slots (see edgevid activate); several see the same frames, each once",
    )
    add_engine(parser)
    parser.add_argument(
        "--motion-gate",
        type=float,
        nargs="?",
        const=SHARE,
        metavar="SHARE",
        help=f"run the encoder only when more than this share of the frame has changed since it last ran (default where given: {SHARE:g})",
    )


def open(args: argparse.Namespace) -> tuple[Lane, ...]:
    """Read the bundles and load their parts.

    Args:
        args: Parsed options.

    Returns:
        A lane for each, in order.

    Raises:
        BundleError: A bundle is refused.
        BackendError: The interpreter refuses a part.
        UsageError: Two bundles have one name, or a motion gate is not for one of them.
    """
    from edgevid.lane import as_lanes

    return as_lanes([_lane(path, args) for path in args.bundles])


def _lane(path: Path, args: argparse.Namespace) -> Lane:
    from edgevid import bundle
    from edgevid.lane import Lane
    from edgevid.telemetry import Telemetry

    telemetry = Telemetry()

    def fell_back(reason: str) -> None:
        telemetry.fallback = reason

    return Lane(open_engine(bundle.read(_in_service(path)), args, fell_back=fell_back), telemetry=telemetry, motion_gate=args.motion_gate)


def _in_service(path: Path) -> Path:
    """The bundle that a device's folder has in service; a start of one on trial is counted before anything of it is read."""
    if not path.is_dir():
        return path
    from edgevid.provision.slots import Slots

    started = Slots(path).begin()
    if started.message:
        sys.stderr.write(f"edgevid: {started.path}: {started.message}\n")
    return started.path
