"""Which bundles run, and on what: `BUNDLE...`, `--threads`, `--delegate` and `--motion-gate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.engine_options import add_engine, engine_options

if TYPE_CHECKING:
    from edgevid.api.model import Model

# As `edgevid.frames.motion.SHARE`, which is not imported for a help text.
SHARE = 0.002


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


def load(args: argparse.Namespace) -> list[Model]:
    """Read the bundles and load their parts.

    Args:
        args: Parsed options.

    Returns:
        A model for each, in order.

    Raises:
        BundleError: A bundle is rejected.
        BackendError: The interpreter rejects a part.
        UsageError: A motion gate is not for one of them.
    """
    from edgevid.api.model import load

    return [load(path, **engine_options(args), motion_gate=args.motion_gate) for path in args.bundles]
