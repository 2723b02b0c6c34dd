"""Mark events in recordings on a page in your browser, and write a table of events.

VIDEO is a recording, or a folder of recordings at any depth. The command prints
the address of a page on this machine. Play the recording there, and press the
digit of a label when its event begins and again when it ends. The page lists all
keys. The table is written after each change, and a later call goes on with it.

A recording in which nothing happens has to be marked as such: the page has a box
for it. Ctrl-C ends the command.

On another machine, forward its port: ssh -L 8090:localhost:8090 NAME, and run
'edgevid label ... --port 8090' there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  edgevid label recordings --label wave --label jump
  edgevid label monday.mp4 --labels labels.txt -o events.csv
  edgevid label recordings -o events.csv --port 8090"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a recording, or a folder of recordings")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="EVENTS.csv",
        help="the table to begin or to go on with (default: events.csv in the folder of the recordings)",
    )
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME", help="a class to offer on the page; repeatable"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="classes to offer on the page, one a line, such as those of a model"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port on localhost (default: a free one)")


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        UsageError: A file is missing, the port is in use, or an option is wrong.
        TruthError: There is no video, or the existing table is wrong.
        MissingDependency: websockets is not installed.
    """
    from convert.recordings.labelling.page import LabelPage, open_sheet, read_labels

    labels = [*args.label, *(read_labels(args.labels) if args.labels is not None else ())]
    videos, sheet = open_sheet(args.video, args.output, labels=labels)
    page = LabelPage(videos, sheet, port=args.port)
    sys.stderr.write(
        f"edgevid: mark events at {page.address}\nedgevid: Ctrl-C ends; {sheet.path} is always up to date\n"
    )
    page.serve()
    events = sum(len(recording.events) for recording in sheet.recordings)
    sys.stdout.write(f"{events} events in {len(sheet.recordings)} recordings, in {sheet.path}\n")
    return 0
