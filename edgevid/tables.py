"""Plain-text tables for people: columns lined up, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[object]], *, indent: str = "") -> str:
    """Line cells up in columns.

    Args:
        rows: Of equal length; the first is the heading.
        indent: Put before each line.

    Returns:
        One line a row, without an end of line; the first column is aligned left, a column of numbers right.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [place > 0 and all(map(_is_number, column[1:])) for place, column in enumerate(columns)]
    return "\n".join((indent + "  ".join(map(_pad, row, widths, right))).rstrip() for row in cells)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).replace("-", "", 1).isdigit()


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
