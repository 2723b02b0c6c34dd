"""Which bundles run, and on what: `BUNDLE...` and `--threads`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import add_threads

if TYPE_CHECKING:
    from edgevid.lane import Lane


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the bundles, `args.bundles`, and how they run.

    Args:
        parser: The verb's.
    """
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE", help="the .edgevid file; several see the same frames, each once")
    add_threads(parser)


def open(args: argparse.Namespace) -> tuple[Lane, ...]:
    """Read the bundles and load their parts.

    Args:
        args: Parsed options.

    Returns:
        A lane for each, in order.

    Raises:
        BundleError: A bundle is refused.
        BackendError: The interpreter refuses a part.
        UsageError: Two bundles have one name.
    """
    from edgevid import bundle
    from edgevid.engine import Engine
    from edgevid.lane import Lane, as_lanes

    return as_lanes([Lane(Engine(bundle.read(path), threads=args.threads)) for path in args.bundles])
