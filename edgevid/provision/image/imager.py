"""The manifest of an image for Raspberry Pi Imager: size, hash, boards and format of settings.

Without a manifest, Imager 2 offers no settings for a local file.
Source: github.com/raspberrypi/rpi-imager, doc/json-schema/os-list-schema.json and doc/os_customisation_formats.md
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Imager's tags of the boards, as in the `devices` of its own list.
# Source: https://downloads.raspberrypi.com/os_list_imagingutility_v4.json
TAGS = {
    "3b": "pi3-64bit",
    "3b-plus": "pi3-64bit",
    "zero-2-w": "pi3-64bit",
    "4b": "pi4-64bit",
    "400": "pi4-64bit",
    "cm4": "pi4-64bit",
    "5": "pi5-64bit",
}
# Not "cloudinit-rpi": that adds a section `rpi:`, which Debian's cloud-init does not know.
INIT_FORMAT = "cloudinit"


def manifest(
    name: str,
    description: str,
    *,
    image: Path,
    boards: tuple[str, ...],
    size: int,
    sha256: str,
    packed: int,
    packed_sha256: str,
    epoch_s: int,
) -> dict[str, Any]:
    """Describe an image.

    Args:
        name: Name in Imager's list.
        description: One line below the name.
        image: The file that users get.
        boards: Names of supported boards, keys of `TAGS`.
        size: Bytes of the unpacked image.
        sha256: Hash of the unpacked image, in hexadecimal.
        packed: Bytes of the file.
        packed_sha256: Hash of the file, in hexadecimal.
        epoch_s: Release date, in seconds since 1970.

    Returns:
        The manifest, ready for JSON.
    """
    entry = {
        "name": name,
        "description": description,
        "icon": "",
        # Without a folder, so that image and manifest can be moved together.
        "url": image.name,
        "extract_size": size,
        "extract_sha256": sha256,
        "image_download_size": packed,
        "image_download_sha256": packed_sha256,
        "release_date": datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d"),
        "init_format": INIT_FORMAT,
        "architecture": "armv8",
        "devices": sorted({TAGS[board] for board in boards}),
    }
    return {"os_list": [entry]}
