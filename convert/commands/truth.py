"""Check what happens in long recordings, and write it as a table of events.

FILE is a table of events (a CSV file with path, label, start_s and end_s), a file
of another tool, or a folder of such files:

  .json    ActivityNet, THUMOS14 and others of that form
  .txt     a label track of Audacity, or a list of THUMOS14
  .eaf     ELAN
  .csv     events or aggregated events of BORIS; also .tsv, and .boris projects
  .xml     CVAT 1.1: tracks of a video task, or tags

Events that overlap, lie behind the end of their video or have no video are
rejected, and so is a video that FILE does not name: an empty recording has to be
stated. It prints the events of each class, and the hours without any.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from convert.commands.stream_options import add_choices, import_options

EXAMPLES = """examples:
  edgevid truth events.csv --streams recordings
  edgevid truth interviews.eaf --streams recordings --tier actions -o events.csv
  edgevid truth labels --streams recordings --point 0.5 --rest-is-empty -o events.csv
  edgevid truth annotation --streams thumos14 --omit Diving --rename CliffDiving=dive -o events.csv"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a table of events, or a file or folder of another tool"
    )
    parser.add_argument("--streams", type=Path, metavar="DIR", required=True, help="the folder of the recordings")
    parser.add_argument("-o", "--output", type=Path, metavar="EVENTS.csv", help="the table to write")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    add_choices(parser.add_argument_group("what a file of another tool leaves open"))


def run(args: argparse.Namespace) -> int:
    """Read the truth, check it, and write the table.

    Raises:
        UsageError: A file or folder is missing, or an option names nothing in the file.
        TruthError: The truth is wrong, or does not match the recordings.
        SourceError: A recording cannot be read.
    """
    from convert import Terminal
    from convert.recordings import import_truth, write_truth
    from convert.recordings.summary import measure, summary_json, summary_text
    from edgevid.atomic import check_folder

    if args.output is not None:
        check_folder(args.output, suffix=".csv")
    truth = import_truth(args.file, folder=args.streams, options=import_options(args))
    summary = summary_json(truth.recordings, measure(truth.recordings, Terminal()))
    if args.output is not None:
        write_truth(args.output, truth.recordings, folder=args.streams)
    sys.stderr.write("".join(f"Note: {note}.\n" for note in truth.notes))
    sys.stdout.write((json.dumps(summary, indent=1) if args.json else summary_text(summary)) + "\n")
    return 0
