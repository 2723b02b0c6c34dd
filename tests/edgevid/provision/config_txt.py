"""What a board makes of a config.txt: sections that are for other boards left out, the last value of a name kept, overlays gathered.

Source: https://www.raspberrypi.com/documentation/computers/config_txt.html: sections in brackets filter by board until the next one, [all] is
for every board; a dtparam belongs to the overlay before it; comments begin with "#".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edgevid.errors import FlashError
from edgevid.firmware import Board, boards

_EVERY, _NEVER = "all", "none"
# Filters that are not about the board: edgevid takes them as not met, as on a board without that display, cable or serial number.
_OTHER_PREFIXES = ("EDID=", "gpio", "0x", "board-type=", "tryboot", "boot_", "partition=", "HDMI:")
# Boards whose sections a file may have and which are not among ours.
_OTHER_BOARDS = (
    "pi1",
    "pi2",
    "pi0w",
    "pi500",
    "pi500plus",
    "cm0",
    "cm1",
    "cm3",
    "cm3+",
    "cm4s",
    "cm5",
    "pi3+",
    "pi02",
    "pi0",
    "pi400",
    "cm4",
)


@dataclass(frozen=True, kw_only=True)
class BootSettings:
    """The settings that hold for one board.

    Attributes:
        values: Name to its last value.
        overlays: Each with its parameters, as "imx219,cam0", in order.
        unknown_sections: Names in brackets that this reader does not know.
    """

    values: dict[str, str] = field(default_factory=dict)
    overlays: list[str] = field(default_factory=list)
    unknown_sections: list[str] = field(default_factory=list)


def parse(text: str, board: Board) -> BootSettings:
    """Read config.txt as a board would.

    Args:
        text: Of the file.
        board: The board.

    Returns:
        Its settings.

    Raises:
        FlashError: A line is neither a setting, a section nor a comment.
    """
    found, is_ours = BootSettings(), True
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if line.startswith("["):
            is_ours = _is_ours(line.strip("[] "), board, found)
        elif line and is_ours:
            _take(line, found, number)
    return found


def _is_ours(section: str, board: Board, found: BootSettings) -> bool:
    if section not in _known_sections() and not section.startswith(_OTHER_PREFIXES):
        found.unknown_sections.append(section)
    return section == _EVERY or section in board.config_filters


def _known_sections() -> frozenset[str]:
    ours = {name for each in boards().values() for name in each.config_filters}
    return frozenset({_EVERY, _NEVER, *ours, *_OTHER_BOARDS})


def _take(line: str, found: BootSettings, number: int) -> None:
    name, separator, value = line.partition("=")
    name, value = name.strip(), value.strip()
    if name.partition(" ")[0] in ("initramfs", "include"):
        return
    if not separator or not name.replace("_", "").replace(":", "").isalnum():
        raise FlashError(expected=f"name=value, a [section] or a comment in line {number} of config.txt", got=line)
    if name == "dtoverlay":
        # An empty one ends the overlay before it.
        found.overlays.extend([value] if value else [])
    elif name == "dtparam" and found.overlays:
        found.overlays[-1] += f",{value}"
    else:
        found.values[name] = value
