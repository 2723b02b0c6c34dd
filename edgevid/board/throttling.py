"""What the firmware says of supply and heat: bits for now, and the same bits for "has happened since the start of the board".

Source: https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
"""

from __future__ import annotations

from dataclasses import dataclass

NOW: dict[str, int] = {"under_voltage": 1 << 0, "capped": 1 << 1, "throttled": 1 << 2, "soft_limit": 1 << 3}
MEANING: dict[str, str] = {
    "under_voltage": "the supply is too weak",
    "capped": "the Arm clock is capped",
    "throttled": "the cores are throttled",
    "soft_limit": "the soft temperature limit is reached",
}
_HISTORY_SHIFT = 16


@dataclass(frozen=True, slots=True)
class Throttling:
    """One reading.

    Attributes:
        bits: As the firmware gives them.
        told_by: Where they were read: "firmware" (its own file in sysfs), "vcgencmd", or "hwmon", which knows of under-voltage alone.
    """

    bits: int
    told_by: str

    @property
    def now(self) -> tuple[str, ...]:
        """What holds now, of the names in `NOW`."""
        return tuple(name for name, bit in NOW.items() if self.bits & bit)

    @property
    def happened(self) -> tuple[str, ...]:
        """What has happened since the board was started, as far as whoever told it remembers."""
        return tuple(name for name, bit in NOW.items() if self.bits >> _HISTORY_SHIFT & bit)

    @property
    def is_slowed_by_heat(self) -> bool:
        """Whether the cores are throttled now. The soft limit of a 3B+ is where it spends a warm day, so it does not count."""
        return bool(self.bits & NOW["throttled"])


def parse(text: str, told_by: str) -> Throttling | None:
    """Read what sysfs or vcgencmd gives.

    Args:
        text: Hexadecimal, as "50005", "0x50005" or "throttled=0x50005".
        told_by: Where it was read.

    Returns:
        The reading; None where it is no number.
    """
    try:
        return Throttling(int(text.strip().rpartition("=")[2], 16), told_by)
    except ValueError:
        return None


def describe(names: tuple[str, ...]) -> str:
    """Say in words what the bits mean.

    Args:
        names: Of `NOW`.

    Returns:
        One phrase.
    """
    return ", ".join(MEANING[name] for name in names) or "nothing"
