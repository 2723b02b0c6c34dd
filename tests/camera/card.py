"""A card in a USB reader of the emulated machine, and what it shall be flashed with: a real block device, whose facts the kernel itself tells.

The card is laid out as an official one (tests/edgevid/provision/official); the wheels are two small ones, for nothing is installed from it.
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
    """Write the card, of the size of one; sparse."""
    official.make_image(path, "trixie")
    os.truncate(path, CARD_GIB << 30)
    return path


def luggage(folder: Path) -> Path:
    """What the machine gets beside edgevid itself: a deployment, wheels with their pins, and what an installed edgevid says of itself."""
    info = folder / f"edgevid-{importlib.metadata.version('edgevid')}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(importlib.metadata.distribution("edgevid").read_text("METADATA"))
    wheelhouse(folder / "house", ("flatbuffers", "pip"))
    deployments.write(folder, bundle=BUNDLE_THERE)
    return folder
