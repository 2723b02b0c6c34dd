"""Sections of the demo's report: the timeline of the long video, the test clips and the latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convert.demo.dataset import Dataset
from convert.demo.demo_run import DemoRun
from convert.demo.figures import TimelineStrip, strips_png
from convert.demo.timeline import timeline_html
from convert.reporting.page import Section
from convert.reporting.rendering import percent
from convert.training.metrics import Evaluation
from edgevid.bundle import Bundle
from edgevid.events.timeline import rows, summary
from edgevid.telemetry.telemetry import STAGES


def sections(
    bundle: Bundle,
    result: DemoRun,
    dataset: Dataset,
    *,
    evaluation: Evaluation,
    strips: Sequence[TimelineStrip],
    video: Path,
) -> list[Section]:
    """Return the sections that the demo adds to the report of its conversion, in order.

    Args:
        bundle: The demo's bundle.
        result: Its run on the long video.
        dataset: The clips.
        evaluation: Metrics on the test clips.
        strips: Some of the test clips.
        video: The annotated video, in the folder of the report.
    """
    timeline = Section(
        title="An unseen video: events and truth",
        text=f"{summary(result.score, duration_s=result.duration_s)}. "
        "The lines are the probabilities of each class; the bands above them are the "
        "true gestures and the reported events. An event is known after a part of its gesture; its start and end are "
        "estimates of the gesture's own.",
        html=timeline_html(bundle, result, dataset, video=video),
        link=(video.name, "Watch the annotated video"),
    )
    events = Section(title="Every event", table=rows(result.score))
    clips = Section(
        title="Test clips",
        text=f"{len(evaluation.predictions)} clips of people and rooms that are not in the training clips. The "
        f"bundle's accuracy is {percent(evaluation.accuracy)}, its mean F1 {evaluation.f1:.3f}. Each strip shows "
        "eight of the sixteen frames of a window, wrong answers first. Only the motion differs: single frames of "
        "different classes look alike.",
        picture=strips_png(strips),
    )
    latency = Section(
        title="Latency of a frame on this machine",
        text=f"{result.interpreter}, one thread, in milliseconds.",
        table=_latency(result),
    )
    return [timeline, clips, events, latency]


def _latency(result: DemoRun) -> list[tuple[object, ...]]:
    table: list[tuple[object, ...]] = [("stage", "frames", "median", "95 %", "99 %", "largest", "description")]
    for name, latency in result.telemetry.stages().items():
        times_ms = (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms)
        table.append((name, latency.count, *(f"{ms:.3f}" for ms in times_ms), STAGES[name]))
    return table
