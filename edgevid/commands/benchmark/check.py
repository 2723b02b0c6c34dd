"""Check result files of edgevid bench; no device is needed.

The command verifies the format and the hash of the raw samples, computes the
statistics from them again, and applies the rules of validity again. The exit code is
3 if a rule fails and --strict is given, and 1 if a file is damaged or edited.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgevid.errors import VerificationFailed

EXAMPLES = """examples:
  edgevid bench check pi4.json
  edgevid bench check results/*.json --strict"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT", help="a result file")
    parser.add_argument("--strict", action="store_true", help="exit with 3 if a rule of validity fails")


def run(args: argparse.Namespace) -> int:
    """Check the results and print the verdict on each.

    Raises:
        VerificationFailed: A rule fails with `--strict`.
    """
    from edgevid.bench.check import check
    from edgevid.bench.verdict import verdict

    results = [check(path) for path in args.results]
    for path, result in zip(args.results, results, strict=True):
        sys.stdout.write(f"{path}: {verdict(result)}\n")
    sys.stdout.flush()
    invalid = [str(path) for path, result in zip(args.results, results, strict=True) if not result.validity.valid]
    if args.strict and invalid:
        raise VerificationFailed(expected="valid results", found=f"invalid ones: {', '.join(invalid)}")
    return 0
