"""What the demo's report shows beside the conversion's numbers: the long video's timeline, the test clips, the latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convert.demo.dataset import Dataset
from convert.demo.figures import TimelineStrip, strips_png, timeline_png
from convert.demo.watch import DemoRun
from convert.reporting.page import Section, percent
from convert.training.evaluate import Evaluation
from edgevid.bundle import Bundle
from edgevid.events.timeline import rows, summary
from edgevid.telemetry.telemetry import STAGES


def sections(
    made: Bundle,
    watched: DemoRun,
    dataset: Dataset,
    *,
    evaluation: Evaluation,
    strips: Sequence[TimelineStrip],
    video: Path,
) -> list[Section]:
    """Make the report's own sections.

    Args:
        made: The bundle.
        watched: What it saw in the long video.
        dataset: The clips.
        evaluation: Its metrics on the test clips.
        strips: Some of them.
        video: The annotated video, beside the report.

    Returns:
        The sections, in order.
    """
    timeline = Section(
        title="An unseen video: events beside the truth",
        text=f"{summary(watched.score)}. Lines are the probabilities of each class after every decision; the bands above them are what was "
        "reported and what was really done. An event begins when enough of the gesture has been seen, so it lies later than the truth.",
        picture=_timeline(made, watched, dataset),
        link=(video.name, "Watch the annotated video"),
    )
    listed = Section(title="Every event", table=rows(watched.score))
    shown = Section(
        title="What it was asked",
        text=f"{len(evaluation.predictions)} clips of people and rooms that training never saw. The bundle's accuracy is {percent(evaluation.accuracy)}, "
        f"its mean F1 {evaluation.f1:.3f}. Eight of the sixteen frames of a window. Motion decides: single frames of different classes look alike. "
        "Wrong answers come first.",
        picture=strips_png(strips),
    )
    latency = Section(
        title="Latency of a frame on this machine",
        text=f"{watched.interpreter}, one thread, in milliseconds.",
        table=_latency(watched),
    )
    return [timeline, shown, listed, latency]


def _timeline(made: Bundle, watched: DemoRun, dataset: Dataset) -> bytes:
    decisions = watched.seen.decisions
    times, scores = np.array([each.t_s for each in decisions]), np.stack([each.probabilities for each in decisions])
    background = made.manifest.decision.background
    return timeline_png(
        times, scores, made.manifest.labels, events=watched.seen.events, truth=dataset.truth, background=background
    )


def _latency(watched: DemoRun) -> list[tuple[object, ...]]:
    table: list[tuple[object, ...]] = [("stage", "frames", "median", "95 %", "99 %", "largest", "what")]
    for name, found in watched.telemetry.stages().items():
        table.append(
            (
                name,
                found.count,
                *(f"{ms:.3f}" for ms in (found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms)),
                STAGES[name],
            )
        )
    return table
