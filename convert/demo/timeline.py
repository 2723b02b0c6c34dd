"""The long video of the demo on a time line, by the part that the pages of `evaluate` and `run` use."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convert.demo.dataset import Dataset
from convert.demo.demo_run import DemoRun
from convert.event_metrics import Answered, ScoreTrace, Segment
from convert.event_metrics.alarms import match_recording
from convert.stream_evaluation.page_pictures import pictures_of, worst
from convert.stream_evaluation.page_strips import strip_of, watched
from edgevid.bundle import Bundle
from edgevid.events.timeline import TOLERANCE_S
from edgevid.outputs.timeline.colors import label_colors
from edgevid.outputs.timeline.shots import Shots, assets_html, shots_html
from edgevid.outputs.timeline.strip import legend_html, strip_html


def timeline_html(bundle: Bundle, result: DemoRun, dataset: Dataset, *, video: Path) -> str:
    """Return the strip of the long video, and pictures of its worst events.

    Args:
        bundle: The demo's bundle.
        result: Its run on the long video.
        dataset: The clips and the truth.
        video: The annotated video, in the folder of the report.
    """
    manifest, answered = bundle.manifest, _answered(result, dataset)
    colors = label_colors(manifest.labels, manifest.decision.background)
    recording = watched(answered, match_recording(answered, tolerance_s=TOLERANCE_S), number=0)
    strip = strip_of(
        recording,
        labels=manifest.labels,
        colors=colors,
        background=manifest.decision.background,
        video=video.name,
    )
    shown = worst([recording])
    cards = [
        Shots(mark=each.mark, video=video.name, name=answered.name, pictures=pictures)
        for each, pictures in zip(shown, pictures_of(shown, dataset.stream.parent), strict=True)
    ]
    legend = legend_html(colors, ("found", "missed", "hit", "false"))
    return f"{legend}{strip_html(strip)}{shots_html(cards)}{assets_html()}"


def _answered(result: DemoRun, dataset: Dataset) -> Answered:
    decisions = result.seen.decisions
    trace = ScoreTrace(
        times_s=np.array([decision.t_s for decision in decisions]),
        scores=np.stack([decision.probabilities for decision in decisions]),
        segments=(Segment(0, 0.0),),
        duration_s=result.duration_s,
    )
    return Answered(name=dataset.stream.name, truth=tuple(dataset.truth), trace=trace, events=tuple(result.seen.events))
