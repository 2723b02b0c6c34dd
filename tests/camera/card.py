"""A card in a USB reader of the emulated machine, and the files to flash it with.

To the kernel it is a real block device with real facts in sysfs. It has the official layout of
tests/edgevid/provision/official. Two small wheels suffice, because nothing is installed from it.
"""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

from tests.edgevid.provision import deployments, official
from tests.edgevid.provision.repack import wheelhouse

CARD_GIB = 4
BUNDLE_THERE = "/app/edgevid/data/gestures.edgevid"


def make(path: Path) -> Path:
    """Write the card as a sparse file of a real card's size."""
    official.make_image(path, "trixie")
    os.truncate(path, CARD_GIB << 30)
    return path


def luggage(folder: Path) -> Path:
    """Write the machine's other files: a deployment, wheels with their pins, and edgevid's metadata."""
    info = folder / f"edgevid-{importlib.metadata.version('edgevid')}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(importlib.metadata.distribution("edgevid").read_text("METADATA"))
    wheelhouse(folder / "house", ("flatbuffers", "pip"))
    deployments.write(folder, bundle=BUNDLE_THERE)
    return folder
