"""Runs the demo's bundle over the long unseen video and over the test clips, and keeps what there is to show of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.clips import Clip, centre_window, decode_all, find_clips
from convert.demo.dataset import Dataset
from convert.demo.figures import TimelineStrip
from convert.progress import Progress
from convert.training.evaluate import Evaluation, Prediction, bundle_scorer, evaluate
from edgevid.bundle import Bundle
from edgevid.bundle.manifest import Window
from edgevid.capture.opencv import VideoFile
from edgevid.events.timeline import EventScore, match
from edgevid.inference.engine import Engine
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from edgevid.telemetry.telemetry import Telemetry

_STRIP_FRAMES = 8
_WRONG_SHOWN, _RIGHT_SHOWN = 4, 7


@dataclass(frozen=True)
class DemoRun:
    """What the model saw in the long video.

    Attributes:
        seen: Its decisions and events.
        score: Events beside the truth.
        telemetry: Latency and counts.
        interpreter: What ran it.
    """

    seen: Collector
    score: EventScore
    telemetry: Telemetry
    interpreter: str


def watch_stream(bundle: Bundle, dataset: Dataset) -> DemoRun:
    """Run the bundle over the long video, as `edgevid run` would.

    Args:
        bundle: The demo's.
        dataset: Holds the video and its truth.

    Returns:
        What came of it.
    """
    engine, seen = Engine(bundle), Collector()
    with VideoFile(dataset.stream) as source:
        telemetry = Pipeline(engine, source, [seen]).run()
    return DemoRun(seen, match(seen.events, dataset.truth), telemetry, engine.interpreter)


def clip_strips(bundle: Bundle, clips: Path, progress: Progress) -> tuple[Evaluation, list[TimelineStrip]]:
    """Ask the bundle about the test clips, and show some it was wrong about and one of each class that it was right about.

    Args:
        bundle: The demo's.
        clips: The test clips' folder.
        progress: Told how far it is.

    Returns:
        The metrics and the strips, wrong ones first.
    """
    manifest = bundle.manifest
    found = decode_all(
        find_clips(clips), manifest.input, progress=lambda refs: iter(progress.track(refs, "reading test clips"))
    )
    evaluation = evaluate(bundle_scorer(Engine(bundle)), found.clips, labels=manifest.labels, window=manifest.window)
    by_path = {clip.ref.path: clip for clip in found.clips}
    return evaluation, [_strip(by_path[each.path], each, manifest.window) for each in _telling(evaluation)]


def _telling(evaluation: Evaluation) -> list[Prediction]:
    """The surest wrong answers, and the first right one of each class."""
    wrong = sorted(
        (each for each in evaluation.predictions if each.answer != each.truth), key=lambda each: -max(each.scores)
    )
    right = {each.truth: each for each in reversed(evaluation.predictions) if each.answer == each.truth}
    return [*wrong[:_WRONG_SHOWN], *[right[label] for label in sorted(right)][:_RIGHT_SHOWN]]


def _strip(clip: Clip, answered: Prediction, window: Window) -> TimelineStrip:
    frames = centre_window(clip, window)
    places = np.linspace(0, len(frames) - 1, _STRIP_FRAMES).round().astype(int)
    verdict = f"{answered.truth}: answered {answered.answer} with {max(answered.scores):.2f}"
    return TimelineStrip(frames[places], f"{verdict}  ({clip.ref.path.name})", answered.answer == answered.truth)
