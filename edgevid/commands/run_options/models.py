"""Which bundles run, and how: `BUNDLE...`, `--threads`, `--delegate` and `--motion-gate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.engine_options import ENGINE_OPTIONS, engine_options
from edgevid.commands.options import Option

if TYPE_CHECKING:
    from edgevid.api.model import Model
    from edgevid.bench.passport import PassportWatch

# A copy of `edgevid.frames.motion.SHARE`, whose module imports numpy; a test holds them equal.
SHARE = 0.002
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
        UsageError: A model cannot have a motion gate.
    """
    from edgevid.api.model import load

    return [load(path, **engine_options(args), motion_gate=args.motion_gate) for path in args.bundles]


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
