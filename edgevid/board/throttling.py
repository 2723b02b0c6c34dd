"""The firmware's bits for supply and heat: one set for now, one since the board started.

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
# The history of a condition is its bit in `NOW`, 16 places up.
HISTORY_SHIFT = 16


@dataclass(frozen=True, slots=True)
class Throttling:
    """One reading of the firmware's bits.

    Attributes:
        bits: Bits as the firmware defines them.
        told_by: Source of the reading: "firmware" (a file in sysfs), "vcgencmd", or "hwmon", which
            reports under-voltage only.
    """

    bits: int
    told_by: str

    @property
    def now(self) -> tuple[str, ...]:
        """Current conditions: names of `NOW`."""
        return tuple(name for name, bit in NOW.items() if self.bits & bit)

    @property
    def happened(self) -> tuple[str, ...]:
        """Conditions since the board started, as far as the source records them: names of `NOW`."""
        return tuple(name for name, bit in NOW.items() if self.bits >> HISTORY_SHIFT & bit)

    @property
    def is_slowed_by_heat(self) -> bool:
        """Whether the cores are throttled now."""
        # The soft limit does not count: a 3B+ spends every warm day there.
        return bool(self.bits & NOW["throttled"])


def parse(text: str, told_by: str) -> Throttling | None:
    """Parse a reading from sysfs or vcgencmd.

    Args:
        text: Hexadecimal, as "50005", "0x50005" or "throttled=0x50005".
        told_by: Source of the reading.

    Returns:
        The reading; None if the text is not a number.
    """
    try:
        return Throttling(int(text.strip().rpartition("=")[2], 16), told_by)
    except ValueError:
        return None


def describe(names: tuple[str, ...]) -> str:
    """Describe conditions in one phrase.

    Args:
        names: Names of `NOW`.
    """
    return ", ".join(MEANING[name] for name in names) or "nothing"
