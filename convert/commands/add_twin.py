"""Put a part that was compiled for the Edge TPU into a bundle that was converted without it.

Google's compiler runs on x86-64 Linux alone, and need not be where you convert: `edgevid convert --delegate coral` leaves the file that it takes beside
the bundle. Compile that file anywhere (edgetpu_compiler -s FILE) and bring the result here. What it answers is seen by a device with an Edge TPU
only: run `edgevid selftest BUNDLE --delegate coral` there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgevid.errors import ModelError, UsageError

EXAMPLES = """examples:
  edgevid add-twin gestures.edgevid gestures.encoder_edgetpu.tflite
  edgevid add-twin gestures.edgevid gestures.encoder_edgetpu.tflite -o both.edgevid"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="an .edgevid file whose first part is in int8")
    parser.add_argument(
        "compiled", type=Path, metavar="COMPILED", help="what edgetpu_compiler made of that part, a .tflite file"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="OUT",
        help="the bundle to write (default: BUNDLE itself, replaced when the new one is whole)",
    )


def run(args: argparse.Namespace) -> int:
    """Check the compiled part and write the bundle.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        UsageError: A file is not there.
        BundleError: The bundle cannot be used.
        ModelError: The compiled file is no twin of the bundle's first part.
    """
    from convert.placement.coral import join_twin
    from edgevid import bundle
    from edgevid.atomic import check_folder

    out = args.out or args.bundle
    check_folder(out, suffix=".edgevid")
    if not args.compiled.is_file():
        raise UsageError(
            expected="a .tflite file from edgetpu_compiler", found=f"none at {args.compiled}", path=args.compiled
        )
    held = bundle.read(args.bundle)
    coral = join_twin(held, args.compiled.read_bytes())
    if coral.warning:
        raise ModelError(
            expected=f"the Edge TPU's twin of {held.manifest.parts[0].file}",
            found=f"{args.compiled}: {coral.warning}",
            path=args.compiled,
        )
    bundle.write(coral.bundle, out)
    sys.stdout.write(f"{out}: {coral.report['part']} has its twin for the Edge TPU, {coral.report['bytes']} bytes.\n")
    sys.stdout.write(f"On a device with one, run: edgevid selftest {out.name} --delegate coral\n")
    return 0
