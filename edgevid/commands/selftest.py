"""Check that this machine gives a bundle's golden answers.

Every golden frame is played through the model on this machine. Each answer must be the same bit for bit, or within 3 steps of the
output's grid with the same class in front, and so must what the model gives beside its scores; and each answer of the stream must
equal its window worked out again from scratch.
Exit code 0 if so, 3 if not.
"""

from __future__ import annotations

import argparse
import json
import sys

from edgevid.commands.engine_options import add_engine, open_engine
from edgevid.commands.options import add_bundle

EXAMPLES = """examples:
  edgevid selftest action.edgevid
  edgevid selftest action.edgevid --delegate coral
  edgevid selftest action.edgevid --threads 4 && systemctl restart my-camera"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_engine(parser)
    parser.add_argument("--json", action="store_true", help="print what was compared as JSON")


def run(args: argparse.Namespace) -> int:
    """Test the bundle on this machine.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        SelftestFailed: An answer is not the golden one.
    """
    from edgevid import bundle
    from edgevid.inference.selftest import Selftest, selftest
    from edgevid.schema import to_json

    def sentence(found: Selftest) -> str:
        same = (
            "all bit-identical"
            if found.identical
            else f"the same classes, at most {found.max_steps:.2f} output steps apart"
        )
        beside = f", and {found.values} numbers beside them" if found.values else ""
        windows = (
            f"; {found.windows} windows equal the stream bit for bit"
            if found.windows
            else "; a stateful stream has no window to equal"
        )
        return f"passed: {found.answers} golden answers{beside}, {same}{windows} ({found.engine}; golden by {found.golden_engine})"

    held = bundle.read(args.bundle)
    found = selftest(open_engine(held, args))
    if held.manifest.values and not found.values:
        sys.stderr.write(
            "edgevid: the golden vectors hold scores only: nothing is proven of what this model gives beside them. Convert it again.\n"
        )
    sys.stdout.write((json.dumps(to_json(found)) if args.json else sentence(found)) + "\n")
    return 0
