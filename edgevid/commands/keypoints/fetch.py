"""Fetch the networks that find key points: poses and hands in pictures.

They are files of the package mediapipe 0.10.18 (Apache-2.0), and are not part of
edgevid. pip downloads its wheel from your package index, and each file is checked
against its SHA-256. MediaPipe itself is not installed. Without a network, name a
wheel of that release for any machine.

The files go to $EDGEVID_KEYPOINTS, else to edgevid/keypoints in your cache folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

EXAMPLES = """examples:
  edgevid fetch keypoints
  edgevid fetch keypoints --wheel mediapipe-0.10.18-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="take them from this wheel of mediapipe 0.10.18")


def run(args: argparse.Namespace) -> int:
    """Fetch the files that are missing or altered.

    Raises:
        UsageError: The wheel does not exist.
        AssetError: The wheel cannot be downloaded, or is another one.
    """
    from edgevid.keypoints.assets import folder, missing, unpack

    where = folder()
    if args.wheel is not None:
        unpack(args.wheel, where)
    elif missing(where):
        from edgevid.keypoints.download import fetch

        fetch(where)
    sys.stdout.write(f"{where}\n")
    return 0
