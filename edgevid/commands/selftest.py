"""Check that this machine reproduces the golden answers of a bundle.

The conversion stored golden frames in the bundle, and the answers to them. Every
frame is run through the model on this machine. Each answer must be

  - equal bit for bit, or within 3 steps of the output's grid with the same top
    class. The same holds for the model's other outputs
  - equal to the answer for its window when that is computed again from scratch

The exit code is 0 if all are, and 3 if not. The frames are decoded ones, so a line
on standard error reports another release of OpenCV than that of the conversion.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from edgevid.commands.engine_options import add_engine, open_engine
from edgevid.commands.options import add_bundle

if TYPE_CHECKING:
    from edgevid.inference.selftest import Selftest

EXAMPLES = """examples:
  edgevid selftest action.edgevid
  edgevid selftest action.edgevid --delegate coral
  edgevid selftest action.edgevid --threads 4 && systemctl restart my-camera"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_engine(parser)
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")


def run(args: argparse.Namespace) -> int:
    """Test the bundle on this machine.

    Raises:
        SelftestFailed: An answer differs from the golden one.
    """
    from edgevid import bundle
    from edgevid.inference.selftest import selftest
    from edgevid.schema import to_json
    from edgevid.telemetry.environment import opencv_difference

    checked = bundle.read(args.bundle)
    result = selftest(open_engine(checked, args))
    # The golden frames are decoded ones, so the comparison cannot notice it.
    difference = opencv_difference(checked.manifest.versions)
    if difference:
        sys.stderr.write(f"edgevid: {difference}\n")
    if checked.manifest.values and not result.values:
        sys.stderr.write(
            "edgevid: The golden answers of this bundle contain scores only, so its other outputs are not tested. "
            "Convert the model again.\n"
        )
    sys.stdout.write((json.dumps(to_json(result)) if args.json else _sentence(result)) + "\n")
    return 0


def _sentence(result: Selftest) -> str:
    others = f", and {result.values} other numbers" if result.values else ""
    apart = f"the same classes, at most {result.max_steps:.2f} output steps apart"
    equality = "all bit-identical" if result.identical else apart
    no_windows = "a stateful stream has no window to compare with"
    windows = f"{result.windows} windows equal the stream bit for bit" if result.windows else no_windows
    return (
        f"passed: {result.answers} golden answers{others}, {equality}; {windows} "
        f"({result.engine}; golden by {result.golden_engine})"
    )
