"""Plain-text tables with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

_UNKNOWN = "-"
# The smallest magnitude that three decimals still show; smaller numbers use exponents.
_SMALLEST_FIXED = 0.001


def table(rows: Sequence[Sequence[object]], *, indent: str = "") -> str:
    """Format rows as a table.

    Args:
        rows: Rows of equal length; the first is the heading. None is shown as "-".
        indent: Prefix of each line.

    Returns:
        One line per row, without a final newline. Columns of numbers are right-aligned.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    # The heading does not decide: it is text above numbers too.
    right = [all(map(_is_number, column[1:])) for column in columns]
    return "\n".join((indent + "  ".join(map(_pad, row, widths, right))).rstrip() for row in cells)


def _text(cell: object) -> str:
    if cell is None:
        return _UNKNOWN
    if isinstance(cell, float):
        return f"{cell:.3f}" if cell == 0 or abs(cell) >= _SMALLEST_FIXED else f"{cell:.1e}"
    return str(cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == _UNKNOWN
    return True


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
