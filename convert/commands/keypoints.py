"""Find the key points of people in clips, and write them as rows of numbers for training.

CLIPS is a folder of clips, <class>/<clip>, or a list of clips, as for 'edgevid train'.
Each clip becomes <class>/<clip>.npy in ROWS, an array of (frames, numbers), with zeros
where nobody is seen. 'edgevid train', 'edgevid convert --clips ROWS' and 'edgevid evaluate'
read them. ROWS/rows.json states which points they are and the time between two rows.

The points are those of MediaPipe's pose, hands and holistic solutions, in the layouts
that public models take:

  pose       132: 33 points x, y, z, visibility; 99 without visibility; 66: x, y
  hands      126: left and right hand, 21 points x, y, z; 84: x, y; 63, 42: one hand
  holistic   258: pose (132), left hand, right hand; 225 without visibility; 1662, 1629
             with the 468 points of the face after the pose

It needs 'edgevid fetch keypoints' once. MediaPipe itself is not needed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from convert.commands.options import add_reading
from edgevid.commands.options import positive_int, positive_seconds
from edgevid.errors import ContractError, UsageError
from edgevid.frames.keypoint_rows import KEYPOINTS, LAYOUTS, NORMALISE

if TYPE_CHECKING:
    from convert.clips.keypoint_rows import RowFolder
    from convert.clips.row_format import RowFormat

EXAMPLES = """examples:
  edgevid keypoints clips -o rows
  edgevid keypoints clips -o rows --points hands --length 63 --normalise wrist --interval 0.1
  edgevid keypoints clips -o rows --points holistic"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("clips", type=Path, metavar="CLIPS", help="folder of clips, or a list of clips")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="ROWS", help="a new folder for the rows")
    parser.add_argument("--points", choices=KEYPOINTS, default="pose", help="which points to find (default: pose)")
    parser.add_argument(
        "--length",
        type=positive_int,
        metavar="NUMBERS",
        help="numbers in a row, one of those above (default: 132 for pose, 126 for hands, 258 for holistic)",
    )
    parser.add_argument(
        "--normalise",
        choices=NORMALISE,
        default="none",
        help="none for shares of the picture, as MediaPipe has them; hip for sizes of the torso from the hips; box for "
        "shares of the box around the points; wrist for each hand from its wrist (default: none)",
    )
    parser.add_argument(
        "--interval",
        type=positive_seconds,
        metavar="SECONDS",
        help="time between two rows, which the model will be run with (default: every frame)",
    )
    parser.add_argument("--threads", type=positive_int, default=1, metavar="N", help="interpreter threads (default: 1)")
    add_reading(parser.add_argument_group("the clips"))


def run(args: argparse.Namespace) -> int:
    """Write the rows, and print what was seen.

    Raises:
        UsageError: An option is not legal, or the folder exists.
        ClipsError: There are no clips, or none can be read.
        AssetError: A network is missing or altered.
    """
    from convert.clips import Reading, list_clips
    from convert.clips.keypoint_rows import write_rows
    from convert.clips.row_format import write_format, written_format
    from convert.progress import Terminal
    from edgevid.frames.keypoint_rows import KeypointRows
    from edgevid.keypoints.stage import KeypointStage

    UsageError.unless(
        not args.output.exists(), expected="a new folder for the rows", found=f"{args.output}, which exists"
    )
    length, progress = args.length or next(iter(LAYOUTS[args.points])), Terminal()
    try:
        wanted = KeypointRows(kind=args.points, normalise=args.normalise)
        stage = KeypointStage(wanted, length, threads=args.threads)
    except ContractError as error:
        raise UsageError(str(error), expected=error.expected, got=error.got) from error
    stage.open()
    listing = list_clips(args.clips, reading=Reading(videos=args.videos, fps=args.fps))
    written = write_rows(
        listing.refs,
        args.clips,
        args.output,
        stage=stage,
        length=length,
        interval_s=args.interval,
        progress=lambda refs: iter(progress.track(refs, "finding key points")),
    )
    for path, reason in (*written.skipped, *listing.passed_over):
        progress.step(f"left out {path}: {reason}")
    measured_s = {each.path.relative_to(args.output).as_posix(): each.interval_s for each in written.files}
    rows = written_format(wanted, measured_s, args.interval)
    write_format(args.output, rows)
    sys.stdout.write(f"{_summary(written, length, rows)}\n{stage.as_table()}\n")
    return 0


def _summary(written: RowFolder, length: int, stated: RowFormat) -> str:
    steps = sorted({*(stated.intervals_s or {}).values()} or {stated.interval_s or 0.0} - {0.0})
    rows, seen = sum(each.rows for each in written.files), sum(each.seen for each in written.files)
    apart = f", {' or '.join(f'{round(step, 4):g}' for step in steps[:5])} s apart" if steps else ""
    return f"{len(written.files)} clips, {rows} rows of {length}{apart}; somebody is seen in {seen / rows:.1%} of them"
