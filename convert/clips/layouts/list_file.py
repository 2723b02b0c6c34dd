"""A text file that lists clips, and errors that name its lines."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevid.errors import ClipsError, EdgevidError

_LONG_ROW = "Quote cells that contain commas, and write numbers with a point."


@dataclass(frozen=True)
class ListFile:
    """A text file that lists clips.

    Attributes:
        path: The file.
        expected: Its kind, for errors, such as "a CSV file with the columns path and label".
        error: Class of the errors.
    """

    path: Path
    expected: str
    error: type[EdgevidError] = ClipsError

    def rows(self, *, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
        """Read the cells of each line that is not empty.

        Args:
            delimiter: Between two cells.

        Yields:
            Line number, from 1, and cells without spaces around them.

        Raises:
            EdgevidError: The file cannot be read as text, or as CSV.
        """
        try:
            # Excel begins a CSV file with a byte order mark, which would become part of the first
            # column's name.
            with self.path.open(newline="", encoding="utf-8-sig") as handle:
                reader = csv.reader(handle, delimiter=delimiter)
                for cells in reader:
                    if any(cell.strip() for cell in cells):
                        yield reader.line_num, [cell.strip() for cell in cells]
        except (UnicodeDecodeError, csv.Error, OSError) as error:
            found = f"{self.path}, which cannot be read: {error}"
            raise self.error(expected=self.expected, found=found, path=self.path) from error

    def records(self, *, required: Sequence[str], columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """Read the rows of a CSV file with a heading.

        Args:
            required: Columns that the heading must have.
            columns: All columns that it may have.

        Yields:
            Line number, and the cells by their column; "" for cells that a short row leaves out.

        Raises:
            EdgevidError: The file cannot be read, its heading is wrong, or a row is too long.
        """
        rows = self.rows()
        line, header = next(rows, (1, list[str]()))
        self._check_header(line, header, required, columns)
        for number, cells in rows:
            if len(cells) > len(header):
                raise self.wrong(number, expected=f"{len(header)} columns", found=f"{len(cells)}", hint=_LONG_ROW)
            yield number, dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=True))

    def _check_header(self, line: int, header: list[str], required: Sequence[str], columns: Sequence[str]) -> None:
        if not set(required) <= set(header):
            is_split = any(set(";\t") & set(name) for name in header)
            raise self.nothing("Separate the columns by commas. Write numbers with a point." if is_split else "")
        unknown = [name for name in header if name not in columns]
        if unknown:
            close = difflib.get_close_matches(unknown[0], columns, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else "Remove the column."
            raise self.wrong(line, expected=f"the columns {', '.join(columns)}", found=repr(unknown[0]), hint=hint)
        twice = [name for name in header if header.count(name) > 1]
        if twice:
            raise self.wrong(line, expected="each column once", found=f"two columns {twice[0]!r}")

    def lines(self) -> Iterator[tuple[int, str]]:
        """Read each line that is not empty.

        Yields:
            Line number, from 1, and text without spaces around it.

        Raises:
            EdgevidError: The file cannot be read as text.
        """
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            found = f"{self.path}, which cannot be read: {error}"
            raise self.error(expected=self.expected, found=found, path=self.path) from error
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield number, line.strip()

    def origin(self, line: int) -> str:
        """Return the words for a line, such as "line 4 of clips.csv"."""
        return f"line {line} of {self.path.name}"

    def wrong(self, line: int, *, expected: str, found: str, hint: str = "") -> EdgevidError:
        """Return the error for a line."""
        return self.error(expected=expected, found=f"{found} in {self.origin(line)}", hint=hint, path=self.path)

    def wrong_entry(self, place: int, *, expected: str, found: str) -> EdgevidError:
        """Return the error for an entry of a JSON array."""
        return self.error(expected=expected, found=f"{found} in entry {place} of {self.path.name}", path=self.path)

    def nothing(self, hint: str = "") -> EdgevidError:
        """Return the error for a file without clips, or of another kind."""
        return self.error(expected=self.expected, found=str(self.path), hint=hint, path=self.path)
