"""The main path of `edgevid evaluate --streams`: truth, scores, events, metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convert.evaluation import EvaluateOptions
from convert.event_metrics import Answered, EventMetrics, MeasureOptions, ScoreTrace, measure, replay
from convert.progress import Progress, Silent
from convert.recordings import Recording, check_durations, check_labels, import_truth
from convert.recordings.importers.options import DEFAULT, ImportOptions
from convert.stream_evaluation.watched_model import WatchedModel, open_watched
from edgevid.bundle.framing import NO_CHOICE, FramingChoice
from edgevid.supervision.pace import paces


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """The options of `edgevid evaluate --streams`.

    Attributes:
        model: How the model was trained, where the file does not say so, and what it sees of the pictures.
        measure: What counts as a hit.
        truth: Choices that files of other tools leave open.
        paces: Whether to measure the slower pace levels too.
    """

    model: EvaluateOptions = field(default_factory=EvaluateOptions)
    measure: MeasureOptions = field(default_factory=MeasureOptions)
    truth: ImportOptions = DEFAULT
    paces: bool = False


@dataclass(frozen=True, kw_only=True)
class StreamEvaluation:
    """What a model says about recordings, beside their truth.

    Attributes:
        model: The model.
        recordings: Each with truth, scores and events.
        metrics: All metrics.
        paces: Metrics at each slower pace level that saves work.
        notes: Assumptions, one line each.
    """

    model: WatchedModel
    recordings: tuple[Answered, ...]
    metrics: EventMetrics
    paces: dict[int, EventMetrics] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def evaluate_streams(
    model: str | Path,
    streams: str | Path,
    truth: str | Path,
    *,
    options: StreamOptions | None = None,
    progress: Progress | None = None,
    on_start: Callable[[WatchedModel], None] = lambda _model: None,
) -> StreamEvaluation:
    """Measure the events that a model or a bundle finds in long recordings.

    Frames take the way that they take on the device: its sampler, its engine and its decider, at
    the speed of the file.

    Args:
        model: A `.keras` or `.h5` file, or an `.edgevid` bundle.
        streams: Folder of the recordings.
        truth: What happens in them: a table of events, or a file of another tool.
        options: Options of the measurement; None for the defaults.
        progress: Shows a bar over the recordings; None for no output.
        on_start: Called once before the first recording.

    Returns:
        The metrics, and what was said about each recording.

    Raises:
        UsageError: A file or folder does not exist, or an option is wrong.
        TruthError: The truth is wrong, or does not fit the recordings or the model.
        ModelError: The model cannot be loaded, or has no stream.
        BundleError: The bundle cannot be used.
        SourceError: A recording cannot be read.
    """
    options, progress = options or StreamOptions(), progress or Silent()
    # The truth first: it is read in a moment, and may be wrong.
    read = import_truth(Path(truth), folder=Path(streams), options=options.truth)
    watched = open_watched(Path(model), options.model)
    check_labels(read.recordings, watched.labels, background=watched.rule.background)
    on_start(watched)
    answered = watch_all(
        watched, read.recordings, folder=Path(streams), progress=progress, framing=options.model.framing
    )
    metrics = _measure(watched, answered, options.measure)
    slower = _slower(watched, read.recordings, Path(streams), options, progress) if options.paces else {}
    return StreamEvaluation(
        model=watched,
        recordings=answered,
        metrics=metrics,
        paces=slower,
        notes=(*read.notes, *watched.notes),
    )


def watch_all(
    model: WatchedModel,
    recordings: Sequence[Recording],
    *,
    folder: Path,
    progress: Progress,
    level: int = 0,
    framing: FramingChoice = NO_CHOICE,
) -> tuple[Answered, ...]:
    """Run a model over recordings, and make events of its scores by its rule.

    Args:
        model: The model.
        recordings: The recordings with their truth.
        folder: Their folder, for their names.
        progress: Shows a bar.
        level: Pace level.
        framing: What the model sees of the pictures, where it is not what its training saw.

    Raises:
        UsageError: The model sees no pictures that could be turned or cut.
        SourceError: A recording cannot be read, or the region does not fit its pictures.
        TruthError: A recording is shorter than a window, or than its truth.
    """
    watch, seen = model.watch(level), framing.over(model.framing)
    text = "watching recordings" if level == 0 else f"watching recordings at pace level {level}"
    answered = []
    for recording in progress.track(recordings, text):
        trace = watch(recording.path, seen)
        check_durations(recording, duration_s=trace.duration_s)
        answered.append(_answer(model, recording, trace, folder, level))
    return tuple(answered)


def _answer(model: WatchedModel, recording: Recording, trace: ScoreTrace, folder: Path, level: int) -> Answered:
    events = replay(trace, lambda: model.decider(model.rule, level=level))
    return Answered(
        name=recording.path.relative_to(folder).as_posix(),
        # A label of the background says that nothing happens.
        truth=tuple(event for event in recording.events if event.label not in model.rule.background),
        trace=trace,
        events=events,
        group=recording.group,
        condition=recording.condition,
    )


def _measure(
    model: WatchedModel, answered: Sequence[Answered], options: MeasureOptions, level: int = 0
) -> EventMetrics:
    return measure(
        answered,
        model.labels,
        model.rule,
        lambda rule: model.decider(rule, level=level),
        options=options,
    )


def _slower(
    model: WatchedModel, recordings: Sequence[Recording], folder: Path, options: StreamOptions, progress: Progress
) -> dict[int, EventMetrics]:
    result = {}
    for level in [level for level in paces(keeps_state=model.keeps_state) if level]:
        answered = watch_all(
            model, recordings, folder=folder, progress=progress, level=level, framing=options.model.framing
        )
        result[level] = _measure(model, answered, options.measure, level)
    return result
