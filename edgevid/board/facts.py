"""Which board this is, and the facts of it that change how a run must be read: data, in `edgevid/data/boards.toml`, with its sources."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from edgevid.environment import read_text

_MODEL = "proc/device-tree/model"


@dataclass(frozen=True, kw_only=True)
class Board:
    """A kind of board.

    Attributes:
        model: The beginning of its device tree's model.
        soc: Its chip.
        cpu: Its cores' design.
        cores: How many.
        clock_mhz: Their highest clock without overclocking.
        ram_mib: Memory sizes it is sold with.
        throttle_c: From here on the firmware throttles the cores step by step.
        limit_c: From here on it throttles all it can.
        dot_product: Whether the cores have int8 dot-product instructions.
        soft_limit_c: From here on it lowers the clock a little; None where there is no such limit.
    """

    model: str
    soc: str
    cpu: str
    cores: int
    clock_mhz: int
    ram_mib: tuple[int, ...]
    throttle_c: int
    limit_c: int
    dot_product: bool
    soft_limit_c: int | None = None


@cache
def boards() -> tuple[Board, ...]:
    """Give the boards that edgevid knows.

    Returns:
        In the order of the file.
    """
    data = tomllib.loads((files("edgevid") / "data" / "boards.toml").read_text())
    return tuple(Board(**{**each, "ram_mib": tuple(each["ram_mib"])}) for each in data["board"])


def identify(root: Path = Path("/")) -> Board | None:
    """Find out on which board this runs.

    Args:
        root: Where `proc` lies.

    Returns:
        The board, or None for one that edgevid does not know.
    """
    model = read_text(root / _MODEL) or ""
    return max((board for board in boards() if model.startswith(board.model)), key=lambda board: len(board.model), default=None)
