"""What the truth of a folder amounts to: recordings, events of each class, and the time without any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convert.clips import ClipRef
from convert.clips.sources import length_s
from convert.progress import Progress
from convert.recordings.truth import Recording, check_durations
from edgevid.tables import table

_S_PER_H = 3600.0


def measure(recordings: Sequence[Recording], progress: Progress) -> dict[Path, float]:
    """Measure the recordings, and check their events against the length.

    Args:
        recordings: The truth.
        progress: Shows a bar.

    Returns:
        The length of each video in seconds.

    Raises:
        SourceError: A video cannot be read.
        TruthError: An event lies behind the end of its video.
    """
    lengths_s: dict[Path, float] = {}
    for recording in progress.track(recordings, "measuring recordings"):
        lengths_s[recording.path] = length_s(ClipRef(recording.path))
        check_durations(recording, duration_s=lengths_s[recording.path])
    return lengths_s


def summary_json(recordings: Sequence[Recording], lengths_s: Mapping[Path, float]) -> dict[str, Any]:
    """Return the summary as `json.dumps` accepts it.

    Args:
        recordings: The truth.
        lengths_s: Length of each video.
    """
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for recording in recordings:
        for event in recording.events:
            seconds[event.label].append(event.end_s - event.start_s)
    total_s = sum(lengths_s.values())
    classes = [
        {"label": label, "events": len(each), "seconds": sum(each), "shortest_s": min(each), "longest_s": max(each)}
        for label, each in sorted(seconds.items())
    ]
    return {
        "recordings": len(recordings),
        "without_events": sum(not recording.events for recording in recordings),
        "groups": len({recording.group for recording in recordings if recording.group}),
        "conditions": sorted({recording.condition for recording in recordings if recording.condition}),
        "hours": total_s / _S_PER_H,
        "background_hours": max(total_s - sum(map(sum, seconds.values())), 0.0) / _S_PER_H,
        "classes": classes,
    }


def summary_text(summary: Mapping[str, Any]) -> str:
    """Format a summary as a table with two lines below it.

    Args:
        summary: As `summary_json` returns it.

    Returns:
        Plain text, without a final newline.
    """
    names = ("events", "seconds", "shortest_s", "longest_s")
    rows = [
        (each["label"], each["events"], *(f"{each[name]:.2f}" for name in names[1:])) for each in summary["classes"]
    ]
    total = (
        f"{summary['recordings']} recordings, {summary['without_events']} of them without an event, "
        f"{summary['hours']:.3f} h; {summary['background_hours']:.3f} h of background"
    )
    kinds = [f"{summary['groups']} groups"] if summary["groups"] else []
    kinds += [f"conditions {', '.join(summary['conditions'])}"] if summary["conditions"] else []
    events = [table([("class", "events", "seconds", "shortest s", "longest s"), *rows]), ""] if rows else []
    return "\n".join([*events, total, *([", ".join(kinds)] if kinds else [])])
