"""A text file that lists clips, and errors that name its lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgevid.errors import ClipsError


@dataclass(frozen=True)
class ListFile:
    """A text file that lists clips.

    Attributes:
        path: The file.
        expected: Its kind, for errors, such as "a CSV file with the columns path and label".
    """

    path: Path
    expected: str

    def rows(self, *, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
        """Read the cells of each line that is not empty.

        Args:
            delimiter: Between two cells.

        Yields:
            Line number, from 1, and cells without spaces around them.

        Raises:
            ClipsError: The file cannot be read as text, or as CSV.
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
            raise ClipsError(expected=self.expected, found=found, path=self.path) from error

    def lines(self) -> Iterator[tuple[int, str]]:
        """Read each line that is not empty.

        Yields:
            Line number, from 1, and text without spaces around it.

        Raises:
            ClipsError: The file cannot be read as text.
        """
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            found = f"{self.path}, which cannot be read: {error}"
            raise ClipsError(expected=self.expected, found=found, path=self.path) from error
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield number, line.strip()

    def origin(self, line: int) -> str:
        """Return the words for a line, such as "line 4 of clips.csv"."""
        return f"line {line} of {self.path.name}"

    def wrong(self, line: int, *, expected: str, found: str, hint: str = "") -> ClipsError:
        """Return the error for a line."""
        return ClipsError(expected=expected, found=f"{found} in {self.origin(line)}", hint=hint, path=self.path)

    def wrong_entry(self, place: int, *, expected: str, found: str) -> ClipsError:
        """Return the error for an entry of a JSON array."""
        return ClipsError(expected=expected, found=f"{found} in entry {place} of {self.path.name}", path=self.path)

    def nothing(self, hint: str = "") -> ClipsError:
        """Return the error for a file without clips, or of another kind."""
        return ClipsError(expected=self.expected, found=str(self.path), hint=hint, path=self.path)
