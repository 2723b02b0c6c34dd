"""A reader of config.txt that applies the rules of a board's firmware.

Sections in brackets filter by board until the next section, and [all] is for every board. The last
value of a name wins, and a dtparam belongs to the overlay before it. Comments begin with "#".
Source: https://www.raspberrypi.com/documentation/computers/config_txt.html
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edgevid.boards_and_cameras import Board, boards
from edgevid.errors import FlashError

_EVERY, _NEVER = "all", "none"
# Filters by display, cable or serial number. This reader treats them as not met.
_OTHER_PREFIXES = ("EDID=", "gpio", "0x", "board-type=", "tryboot", "boot_", "partition=", "HDMI:")
# Filters of boards that `firmware_configs` does not have, legal in a config.txt of Raspberry Pi OS.
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
    """The settings of one board.

    Attributes:
        values: Name to its last value.
        overlays: Overlays in order, with parameters, as "imx219,cam0".
        unknown_sections: Section names that this reader does not know.
    """

    values: dict[str, str] = field(default_factory=dict)
    overlays: list[str] = field(default_factory=list)
    unknown_sections: list[str] = field(default_factory=list)


def parse(text: str, board: Board) -> BootSettings:
    """Return the settings that a config.txt gives a board.

    Raises:
        FlashError: A line is neither a setting, a section nor a comment.
    """
    settings, is_ours = BootSettings(), True
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if line.startswith("["):
            is_ours = _is_ours(line.strip("[] "), board, settings)
        elif line and is_ours:
            _apply(line, settings, number)
    return settings


def _is_ours(section: str, board: Board, settings: BootSettings) -> bool:
    if section not in _known_sections() and not section.startswith(_OTHER_PREFIXES):
        settings.unknown_sections.append(section)
    return section == _EVERY or section in board.config_filters


def _known_sections() -> frozenset[str]:
    ours = {name for each in boards().values() for name in each.config_filters}
    return frozenset({_EVERY, _NEVER, *ours, *_OTHER_BOARDS})


def _apply(line: str, settings: BootSettings, number: int) -> None:
    name, separator, value = line.partition("=")
    name, value = name.strip(), value.strip()
    # These two have no equals sign.
    if name.partition(" ")[0] in ("initramfs", "include"):
        return
    if not separator or not name.replace("_", "").replace(":", "").isalnum():
        raise FlashError(expected=f"name=value, a [section] or a comment in line {number} of config.txt", got=line)
    if name == "dtoverlay":
        # An empty value ends the scope of the overlay before it and loads nothing.
        settings.overlays.extend([value] if value else [])
    elif name == "dtparam" and settings.overlays:
        settings.overlays[-1] += f",{value}"
    else:
        settings.values[name] = value
