"""Identify the board. Its facts are data in `firmware_configs/boards`, each with its source."""

from __future__ import annotations

from pathlib import Path

from edgevid.boards_and_cameras import Board, boards
from edgevid.telemetry.environment import read_text

_MODEL = "proc/device-tree/model"


def identify(root: Path = Path("/")) -> Board | None:
    """Return the facts of the board that this runs on.

    Args:
        root: Folder with `proc`.

    Returns:
        The board; None if edgevid does not know it.
    """
    model = read_text(root / _MODEL) or ""
    # "Raspberry Pi 3 Model B" is a prefix of "Raspberry Pi 3 Model B Plus": take the longest match.
    return max(
        (board for board in boards().values() if model.startswith(board.model)),
        key=lambda board: len(board.model),
        default=None,
    )
