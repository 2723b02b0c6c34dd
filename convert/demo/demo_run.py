"""Runs of the demo's bundle on the long unseen video and on the test clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.clips import Clip, centre_window, read_folder
from convert.demo.dataset import Dataset
from convert.demo.figures import TimelineStrip
from convert.progress import Progress
from convert.training.metrics import Evaluation, Prediction, bundle_scorer, evaluate
from edgevid.bundle import Bundle
from edgevid.bundle.manifest import Window
from edgevid.capture.video_files import VideoFile
from edgevid.events.timeline import EventScore, match
from edgevid.inference.engine import Engine
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from edgevid.telemetry.telemetry import Telemetry

_STRIP_FRAMES = 8
_WRONG_SHOWN, _RIGHT_SHOWN = 4, 7


@dataclass(frozen=True)
class DemoRun:
    """The result of a run on the long video.

    Attributes:
        seen: Decisions and events.
        score: The events compared with the truth.
        telemetry: Latency and counts.
        interpreter: Name of the interpreter that ran the model.
    """

    seen: Collector
    score: EventScore
    telemetry: Telemetry
    interpreter: str

    @property
    def duration_s(self) -> float:
        """Time of the last decision, in seconds."""
        return self.seen.decisions[-1].t_s


def watch_stream(bundle: Bundle, dataset: Dataset) -> DemoRun:
    """Run the bundle on the long video of a data set, as `edgevid run` would."""
    engine, seen = Engine(bundle), Collector()
    with VideoFile(dataset.stream) as source:
        telemetry = Pipeline(engine, source, [seen]).run()
    return DemoRun(seen, match(seen.events, dataset.truth), telemetry, engine.interpreter)


def clip_strips(bundle: Bundle, clips: Path, progress: Progress) -> tuple[Evaluation, list[TimelineStrip]]:
    """Evaluate the bundle on the test clips, and select some of them to show.

    Args:
        bundle: The demo's bundle.
        clips: Folder of the test clips.
        progress: Shows the progress of reading the clips.

    Returns:
        The metrics, and strips of wrong answers and then of a correct one of each class.
    """
    manifest = bundle.manifest
    test = read_folder(clips, manifest.input, progress=progress, task="reading test clips")
    evaluation = evaluate(bundle_scorer(Engine(bundle)), test.clips, labels=manifest.labels, window=manifest.window)
    by_path = {clip.ref.path: clip for clip in test.clips}
    return evaluation, [_strip(by_path[each.path], each, manifest.window) for each in _select(evaluation)]


def _select(evaluation: Evaluation) -> list[Prediction]:
    """Return the wrong answers with the highest scores, and the first correct one of each class."""
    wrong = [each for each in evaluation.predictions if each.answer != each.truth]
    wrong.sort(key=lambda each: -max(each.scores))
    # Reversed, because the last one of a class wins.
    right = {each.truth: each for each in reversed(evaluation.predictions) if each.answer == each.truth}
    return [*wrong[:_WRONG_SHOWN], *[right[label] for label in sorted(right)][:_RIGHT_SHOWN]]


def _strip(clip: Clip, prediction: Prediction, window: Window) -> TimelineStrip:
    frames = centre_window(clip, window)
    indices = np.linspace(0, len(frames) - 1, _STRIP_FRAMES).round().astype(int)
    verdict = f"{prediction.truth}: answered {prediction.answer} with {max(prediction.scores):.2f}"
    is_right = prediction.answer == prediction.truth
    return TimelineStrip(frames[indices], f"{verdict}  ({clip.ref.path.name})", is_right)
