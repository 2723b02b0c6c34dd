"""The table of events: `path,label,start_s,end_s[,group][,condition]`, one event a row.

A recording in which nothing happens has one row with its path, and empty cells after it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from convert.clips.layouts.list_file import ListFile
from convert.recordings.marks import Mark
from convert.recordings.streams import StreamFolder
from edgevid.errors import TruthError

REQUIRED = ("path", "label", "start_s", "end_s")
OPTIONAL = ("group", "condition")
COLUMNS = (*REQUIRED, *OPTIONAL)
EXPECTED = "a CSV file with the columns path, label, start_s and end_s"
# `float` takes more: nan, inf, 1_000.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[0-9]+,[0-9]+")
_CLOCK = re.compile(r"[0-9]+(:[0-9]+)+(\.[0-9]*)?")


def read_table(path: Path, folder: StreamFolder, *, may_be_empty: bool = False) -> list[Mark]:
    """Read the marks of a table of events.

    Args:
        path: A CSV file in UTF-8, with or without a byte order mark.
        folder: The folder that its paths are relative to.
        may_be_empty: Whether a heading without rows is accepted.

    Returns:
        One mark for each row, in the order of the file.

    Raises:
        TruthError: The file cannot be read, or a row is wrong. The message names its line.
    """
    table = ListFile(path, EXPECTED, TruthError)
    marks = [_mark(table, line, row, folder) for line, row in table.records(required=REQUIRED, columns=COLUMNS)]
    if not marks and not may_be_empty:
        raise table.nothing(f"Write one row for each event under {','.join(REQUIRED)}.")
    return marks


def table_text(rows: Iterable[dict[str, str]]) -> str:
    """Return a table of events as text.

    Args:
        rows: The cells of each row by their column; "" for one that is left out.

    Returns:
        CSV. An optional column is left out where no row has it.
    """
    rows = list(rows)
    columns = [*REQUIRED, *(name for name in OPTIONAL if any(row.get(name) for row in rows))]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def seconds_text(seconds: float) -> str:
    """Return the shortest decimal that reads as the same number."""
    return repr(seconds).removesuffix(".0")


def _mark(table: ListFile, line: int, row: dict[str, str], folder: StreamFolder) -> Mark:
    if not row["path"]:
        raise table.wrong(line, expected="a path in each row", found="none", hint="Name the recording.")
    event = [row["label"], row["start_s"], row["end_s"]]
    if any(event) and not all(event):
        missing = next(name for name in REQUIRED[1:] if not row[name])
        raise table.wrong(
            line,
            expected="label, start_s and end_s, or none of them",
            found=f"no {missing}",
            hint=f"Fill in {missing}, or leave all three empty if nothing happens in the recording.",
        )
    return Mark(
        video=folder.locate(row["path"], table.origin(line)),
        label=row["label"],
        start_s=_seconds(table, line, "start_s", row),
        end_s=_seconds(table, line, "end_s", row),
        group=row.get("group", ""),
        condition=row.get("condition", ""),
        origin=table.origin(line),
    )


def _seconds(table: ListFile, line: int, column: str, row: dict[str, str]) -> float:
    text = row[column]
    if not row["label"]:
        return 0.0
    if _NUMBER.fullmatch(text):
        return float(text)
    hint = "Write seconds, such as 83.5."
    if _COMMA.fullmatch(text):
        hint = f"Write {text.replace(',', '.')}, with a point."
    elif _CLOCK.fullmatch(text):
        hint = "Write seconds, such as 83.5 for 1:23.5."
    raise table.wrong(line, expected=f"{column} in seconds", found=repr(text), hint=hint)
