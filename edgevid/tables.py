"""Plain-text tables for people: columns lined up, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence

_UNKNOWN = "-"
_LEAST = 0.001  # what three decimals still show


def table(rows: Sequence[Sequence[object]], *, indent: str = "") -> str:
    """Line cells up in columns.

    Args:
        rows: Of equal length; the first is the heading.
        indent: Put before each line.

    Returns:
        One line a row, without an end of line; a column of numbers is aligned right.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(map(_is_number, column[1:])) for column in columns]
    return "\n".join((indent + "  ".join(map(_pad, row, widths, right))).rstrip() for row in cells)


def _text(cell: object) -> str:
    if cell is None:
        return _UNKNOWN
    if isinstance(cell, float):
        return f"{cell:.3f}" if cell == 0 or abs(cell) >= _LEAST else f"{cell:.1e}"
    return str(cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == _UNKNOWN
    return True


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
