"""Add a part that was compiled for the Edge TPU to a bundle.

Google's compiler runs on x86-64 Linux only. If it is not installed where you
convert, 'edgevid convert --delegate coral' writes its input next to the bundle.
Compile that file on another machine with 'edgetpu_compiler -s FILE', and add the
result with this command.

Only a device with an Edge TPU can check the answers of the compiled part: run
'edgevid selftest BUNDLE --delegate coral' there.
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
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="an .edgevid file with an int8 encoder")
    parser.add_argument("compiled", type=Path, metavar="COMPILED", help="the .tflite file that edgetpu_compiler wrote")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="OUT",
        help="the bundle to write (default: BUNDLE, replaced atomically)",
    )


def run(args: argparse.Namespace) -> int:
    """Check the compiled part and write the bundle.

    Raises:
        UsageError: A file is missing.
        BundleError: The bundle is rejected.
        ModelError: The compiled file does not belong to the first part of the bundle.
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
    original = bundle.read(args.bundle)
    coral = join_twin(original, args.compiled.read_bytes())
    if coral.warning:
        raise ModelError(
            expected=f"{original.manifest.parts[0].file}, compiled for the Edge TPU",
            found=f"{args.compiled}: {coral.warning}",
            path=args.compiled,
        )
    bundle.write(coral.bundle, out)
    sys.stdout.write(f"Wrote {out}: {coral.report['part']} for the Edge TPU, {coral.report['bytes']} bytes.\n")
    sys.stdout.write(f"On a device with an Edge TPU, run: edgevid selftest {out.name} --delegate coral\n")
    return 0
