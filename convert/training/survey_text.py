"""A survey of clips as text and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convert.splits.near_duplicates import DuplicatePair
from convert.training.survey import ClassRow, Survey
from edgevid.schema import to_json
from edgevid.tables import table

# More than these are shown as a range.
_MOST_LISTED = 3


def survey_text(survey: Survey) -> str:
    """Format a survey as a table with lists below it.

    Returns:
        Lines of plain text, without a final newline.
    """
    heading = ("class", "clips", "held out", "groups", "seconds", "sizes", "frames/s")
    total = (
        "all",
        sum(row.clips for row in survey.classes),
        sum(row.held_out for row in survey.classes),
        None,
        f"{sum(row.seconds for row in survey.classes):.1f}",
        "",
        "",
    )
    lines = [table([heading, *map(_cells, survey.classes), total])]
    lines += _section("Skipped", [f"{path}: {reason}" for path, reason in survey.skipped])
    lines += _section("Nearly the same", [str(pair) for pair in survey.near_duplicates])
    lines += _section("Notes", survey.notes)
    lines += _section("Warnings", survey.warnings)
    lines += _section("Problems", survey.problems)
    verdict = "These clips cannot be trained on." if survey.problems else "These clips can be trained on."
    return "\n".join([*lines, "", verdict])


def survey_json(survey: Survey, clips: Path) -> dict[str, Any]:
    """Return the object that `--json` prints.

    Args:
        survey: The survey.
        clips: The folder or list.
    """
    return {
        "clips": str(clips),
        "trainable": not survey.problems,
        "classes": [to_json(row) for row in survey.classes],
        "skipped": [{"path": str(path), "reason": reason} for path, reason in survey.skipped],
        "near_duplicates": [_pair(pair) for pair in survey.near_duplicates],
        "problems": list(survey.problems),
        "warnings": list(survey.warnings),
        "notes": list(survey.notes),
    }


def _cells(row: ClassRow) -> tuple[object, ...]:
    seconds = f"{row.seconds:.1f}"
    rates = [f"{rate:g}" for rate in row.rates]
    return (row.label or None, row.clips, row.held_out, row.groups, seconds, _listed(row.sizes), _listed(rates))


def _listed(values: tuple[str, ...] | list[str]) -> str:
    if len(values) <= _MOST_LISTED:
        return ", ".join(values)
    return f"{values[0]} to {values[-1]}, {len(values)} kinds"


def _section(heading: str, lines: tuple[str, ...] | list[str]) -> list[str]:
    return ["", f"{heading} ({len(lines)}):", *(f"  {line}" for line in lines)] if lines else []


def _pair(pair: DuplicatePair) -> dict[str, Any]:
    likeness = round(pair.likeness, 3)
    return {"first": pair.first.name, "second": pair.second.name, "likeness": likeness, "leak": pair.is_leak}
