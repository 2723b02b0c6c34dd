"""What Raspberry Pi Imager must be told of an image before it writes it: size, hash, boards, and that cloud-init reads its settings.

Without it, Imager 2 offers no settings for a file of one's own.
Source: github.com/raspberrypi/rpi-imager, doc/json-schema/os-list-schema.json and doc/os_customisation_formats.md
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Imager's tags for the boards, as in the `devices` of its own list. Source: https://downloads.raspberrypi.com/os_list_imagingutility_v4.json
TAGS = {
    "3b": "pi3-64bit",
    "3b-plus": "pi3-64bit",
    "zero-2-w": "pi3-64bit",
    "4b": "pi4-64bit",
    "400": "pi4-64bit",
    "cm4": "pi4-64bit",
    "5": "pi5-64bit",
}
# Debian's cloud-init: it knows nothing of Raspberry Pi OS's own section `rpi:`, which "cloudinit-rpi" would write.
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
        name: As Imager shows it.
        description: In one line.
        image: The file, as it is given away.
        boards: Names of the boards it starts on.
        size: Bytes on the card.
        sha256: Of those.
        packed: Bytes of the file.
        packed_sha256: Of the file.
        epoch_s: When it was made.

    Returns:
        What JSON takes; the file is named without a folder, so that both can be moved together.
    """
    entry = {
        "name": name,
        "description": description,
        "icon": "",
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
