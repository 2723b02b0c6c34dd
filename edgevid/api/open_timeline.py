"""Opens the timeline of a run: one recorder for all of its files, which share what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevid.api.outputs import Timeline
from edgevid.errors import UsageError
from edgevid.lane import Lane
from edgevid.outputs.timeline.page import TimelineModel
from edgevid.outputs.timeline.recorder import TimelineRecorder


def open_timeline(wanted: Sequence[Timeline], lanes: Sequence[Lane], *, source: str, live: bool) -> TimelineRecorder:
    """Open the recorder.

    Args:
        wanted: The files, at least one.
        lanes: The models.
        source: The source, a path or another name.
        live: Whether frames come at their own pace.

    Raises:
        UsageError: The source is live, or a file cannot be written.
        MissingDependency: A page needs OpenCV for its pictures.
    """
    UsageError.unless(
        not live,
        expected="--timeline of a file, not of a live source",
        got=source,
        hint="Record it with --record, and run on the recording with --policy file.",
    )
    models = [
        TimelineModel(name=lane.name, labels=lane.decider.labels, background=tuple(lane.decider.rule.background))
        for lane in lanes
    ]
    # Models of key points see pictures, or rows that are in a file.
    has_pictures = any(lane.sees_pictures for lane in lanes) and not source.endswith(".npy")
    return TimelineRecorder(
        [Path(each.path) for each in wanted], source=source, models=models, has_pictures=has_pictures
    )
