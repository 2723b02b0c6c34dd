"""Exports and projects of BORIS: tabular events, aggregated events, and `.boris` files.

Tabular events have a row for each START, STOP and POINT, after a few rows about the observation in
older versions. Aggregated events have a row for each event. The label is the behavior; its modifiers,
category and subject are ignored.

Source: https://www.boris.unito.it/user_guide/export_events/;
https://github.com/olivierfriard/BORIS, folder tests/files
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from convert.clips.layouts.list_file import ListFile
from convert.recordings.importers.boris_events import Moment, pair
from convert.recordings.importers.options import ImportOptions
from convert.recordings.marks import Mark, Marks, seconds
from convert.recordings.streams import StreamFolder
from edgevid.errors import EdgevidError, TruthError

EXPECTED = "events of BORIS, with the columns Behavior, and Time with Status, or Start (s) and Stop (s)"
EXPECTED_PROJECT = "a project of BORIS"
# The order of preference. "Source" is `player #1:NAME`.
_MEDIA = ("Media file name", "Media file path", "Media file", "Source")
_STATUS = ("Status", "Behavior type")
_STATUSES = ("START", "STOP", "POINT")
_OFFSET = "Time offset (s)"


def is_export(header: list[str]) -> bool:
    """Return whether a row is the heading of an export of BORIS."""
    return "Behavior" in header and ("Time" in header or "Start (s)" in header)


def read_export(path: Path, streams: StreamFolder, options: ImportOptions) -> Marks:
    """Read the marks of exported events.

    Args:
        path: A CSV or TSV file.
        streams: The folder of the videos.
        options: States the length of points.

    Raises:
        TruthError: The file has no heading of BORIS, a row is wrong, or a START has no STOP.
    """
    table = ListFile(path, EXPECTED, TruthError)
    rows = list(_rows(table))
    if not rows:
        raise table.nothing("Export the events of at least one observation.")
    if "Start (s)" in rows[0][1]:
        return Marks([_aggregated(table, line, row, streams, options) for line, row in rows])
    moments = [_moment(table, line, row, streams) for line, row in rows]
    return Marks(list(pair(moments, options, path)))


def read_project(path: Path, streams: StreamFolder, options: ImportOptions) -> Marks:
    """Read the marks of a project.

    Args:
        path: A `.boris` file. Observations without a video are left out.
        streams: The folder of the videos.
        options: States the length of points.

    Raises:
        TruthError: The file is no project, or an observation has several videos or an offset.
    """
    try:
        project = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        found = f"{path}, which cannot be read: {error}"
        raise TruthError(expected=EXPECTED_PROJECT, found=found, path=path) from error
    match project:
        case {"observations": dict(observations), "behaviors_conf": dict(behaviors)} if observations:
            pass
        case _:
            raise TruthError(expected=EXPECTED_PROJECT, found=f"{path} without observations", path=path)
    points = {each.get("code") for each in behaviors.values() if str(each.get("type", "")).startswith("Point")}
    marks, live = list[Mark](), 0
    for name, observation in observations.items():
        origin = f"observation {name!r} of {path.name}"
        if observation.get("type") != "MEDIA":
            live += 1
            continue
        video = _video(observation, origin, streams, path)
        moments = [_coded(event, video, points, origin, path) for event in observation.get("events", [])]
        marks += list(pair(moments, options, path)) or [Mark(video=video, origin=origin)]
    return Marks(marks, [f"{live} observations of {path.name} have no video"] if live else [])


def _rows(table: ListFile) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows below the heading; older versions write facts about the observation above it."""
    header: list[str] = []
    for line, cells in table.rows(delimiter="\t" if _has_tabs(table) else ","):
        if header:
            yield line, dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=False))
        elif is_export(cells):
            header = cells
            _check_columns(table, line, header)
        elif cells[0] == _OFFSET:
            _check_offset(table, line, dict(zip((_OFFSET, "value"), cells, strict=False)).get("value", ""))
    if not header:
        raise table.nothing("Export them in BORIS with: Observations, Export events, as CSV or TSV.")


def _has_tabs(table: ListFile) -> bool:
    return any("\t" in text for _, text in table.lines())


def _check_columns(table: ListFile, line: int, header: list[str]) -> None:
    if not set(_MEDIA) & set(header):
        raise table.wrong(line, expected="a column with the media file", found="none", hint="Export it too.")
    if "Start (s)" in header and "Stop (s)" not in header:
        raise table.wrong(line, expected="the column Stop (s)", found="none")
    if "Start (s)" not in header and not set(_STATUS) & set(header):
        raise table.wrong(line, expected=f"a column {' or '.join(_STATUS)}", found="none")


def _aggregated(
    table: ListFile, line: int, row: Mapping[str, str], streams: StreamFolder, options: ImportOptions
) -> Mark:
    start_s = _seconds(table, line, row, "Start (s)")
    is_point = row.get("Behavior type") == "POINT" or row["Stop (s)"] in ("", "NA", row["Start (s)"])
    origin = table.origin(line)
    end_s = options.end_of_point(start_s, origin) if is_point else _seconds(table, line, row, "Stop (s)")
    video = _media(table, line, row, streams)
    return Mark(video=video, label=_behavior(table, line, row), start_s=start_s, end_s=end_s, origin=origin)


def _moment(table: ListFile, line: int, row: Mapping[str, str], streams: StreamFolder) -> Moment:
    status = next((row[name] for name in _STATUS if row.get(name) in _STATUSES), "")
    if not status:
        shown = next((row[name] for name in _STATUS if name in row), "")
        raise table.wrong(line, expected=f"a status, one of {', '.join(_STATUSES)}", found=repr(shown))
    return Moment(
        video=_media(table, line, row, streams),
        subject=row.get("Subject", ""),
        label=_behavior(table, line, row),
        time_s=_seconds(table, line, row, "Time"),
        status=status,
        origin=table.origin(line),
    )


def _behavior(table: ListFile, line: int, row: Mapping[str, str]) -> str:
    if not row["Behavior"]:
        raise table.wrong(line, expected="a behavior in each row", found="none")
    return row["Behavior"]


def _media(table: ListFile, line: int, row: Mapping[str, str], streams: StreamFolder) -> Path:
    _check_offset(table, line, row.get(_OFFSET, ""))
    text = next((row[name] for name in _MEDIA if row.get(name)), "")
    _, _, listed = text.rpartition("#1:")
    names = [name.strip() for name in listed.split(";") if name.strip()]
    if len(names) != 1:
        hint = "Code each video in an observation of its own."
        raise table.wrong(line, expected="one media file for each event", found=repr(text), hint=hint)
    return streams.require(names[0], table.origin(line))


def _check_offset(table: ListFile, line: int, text: str) -> None:
    try:
        is_zero = float(text or 0) == 0
    except ValueError:
        is_zero = False
    if not is_zero:
        hint = "Set the time offset of the observation to 0 in BORIS, and export again."
        raise table.wrong(line, expected="events without a time offset", found=repr(text), hint=hint)


def _seconds(table: ListFile, line: int, row: Mapping[str, str], column: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        hint = "Choose seconds as the time format in BORIS."
        raise table.wrong(line, expected=f"{column} in seconds", found=repr(row[column]), hint=hint) from None


def _video(observation: Mapping[str, Any], origin: str, streams: StreamFolder, path: Path) -> Path:
    players = observation.get("file")
    files = [file for files in players.values() for file in files] if isinstance(players, dict) else []
    if len(files) != 1:
        raise _project_error(
            f"one video for {origin}", f"{len(files)}", "Code each video in its own observation.", path
        )
    if observation.get("time offset"):
        found = f"{observation['time offset']} s in {origin}"
        raise _project_error("no time offset", found, "Set it to 0 in BORIS.", path)
    return streams.require(str(files[0]), origin)


def _coded(event: Any, video: Path, points: set[Any], origin: str, path: Path) -> Moment:
    match event:
        case [int() | float() as time_s, str(subject), str(label), *_] if label:
            status = "POINT" if label in points else ""
            where = f"the event at {time_s:g} s in {origin}"
            return Moment(
                video=video, subject=subject, label=label, time_s=seconds(time_s), status=status, origin=where
            )
    raise _project_error("time, subject and behavior in each event", f"{event!r} in {origin}", "", path)


def _project_error(expected: str, found: str, hint: str, path: Path) -> EdgevidError:
    return TruthError(expected=expected, found=found, hint=hint, path=path)
