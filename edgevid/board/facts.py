"""Which board this is: its facts are data, in `firmware_configs/boards`, with their sources."""

from __future__ import annotations

from pathlib import Path

from edgevid.firmware import Board, boards
from edgevid.telemetry.environment import read_text

_MODEL = "proc/device-tree/model"


def identify(root: Path = Path("/")) -> Board | None:
    """Find out on which board this runs.

    Args:
        root: Where `proc` lies.

    Returns:
        The board, or None for one that edgevid does not know.
    """
    model = read_text(root / _MODEL) or ""
    # "Raspberry Pi 3 Model B" begins "Raspberry Pi 3 Model B Plus" as well: the longest that fits is it.
    return max(
        (board for board in boards().values() if model.startswith(board.model)),
        key=lambda board: len(board.model),
        default=None,
    )
