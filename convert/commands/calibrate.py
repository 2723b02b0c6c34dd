"""Choose thresholds and times of a bundle on long recordings with their truth.

The rule is chosen on one part of the recordings, and its worth is stated on the
other: hits, misses, false alarms an hour with their interval, and how much more
footage would make a promise hold. Groups, such as persons or cameras, are never in
both parts. How late the model answers is measured as well, so that events lie where
they happened.

The bundle that is written differs from BUNDLE in its rule alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from convert.commands.stream_options import add_choices, add_framing, add_measure, add_truth, framing, import_options
from edgevid.commands.options import add_threads

EXAMPLES = """examples:
  edgevid calibrate gestures.edgevid --streams recordings --truth events.csv -o tuned.edgevid
  edgevid calibrate gestures.edgevid --streams recordings --truth events.csv -o tuned.edgevid \\
    --max-false-per-hour 0.5"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="an .edgevid file")
    parser.add_argument("-o", "--out", type=Path, metavar="OUT", required=True, help="the bundle to write")
    group = parser.add_argument_group("the recordings")
    add_truth(group)
    add_measure(
        group,
        limit_help="choose only among rules with at most so many false alarms an hour, the one that finds most "
        "(default: none; false alarms and misses weigh the same)",
    )
    group.add_argument(
        "--min-background-h",
        type=float,
        default=1.0,
        metavar="HOURS",
        help="time in which nothing happens that the recordings must have (default: 1)",
    )
    parser.add_argument(
        "--unknown",
        action="store_true",
        help="name decisions 'unknown' below the score that one of twenty right answers is below",
    )
    add_choices(parser.add_argument_group("what a truth of another tool leaves open"))
    add_framing(parser)
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Choose the rule, write the bundle and print what the rule is worth.

    Raises:
        UsageError: A file or folder is missing, or an option is wrong.
        TruthError: The truth is wrong, does not fit, or shows too little.
        BundleError: The bundle is rejected.
    """
    from convert import Terminal
    from convert.rule_search import CalibrationOptions, calibrate
    from convert.rule_search.text import calibration_json, calibration_text
    from convert.training.console import notes_text

    given = {"tolerance_s": args.tolerance, "max_false_per_hour": args.max_false_per_hour}
    options = CalibrationOptions(
        min_background_h=args.min_background_h,
        unknown=args.unknown,
        truth=import_options(args),
        threads=args.threads,
        framing=framing(args),
        **{name: value for name, value in given.items() if value is not None},
    )
    result = calibrate(args.bundle, args.streams, args.truth, args.out, options=options, progress=Terminal())
    sys.stderr.write(notes_text(result.notes))
    text = json.dumps(calibration_json(result), indent=1) if args.json else calibration_text(result)
    sys.stdout.write(f"{text}\n")
    if not args.json:
        sys.stdout.write(f"\nWrote {args.out}: {args.bundle.name} with this rule.\n")
    return 0
