"""The steps of `convert.evaluate` and `edgevid evaluate`, from a model or a bundle to its metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from convert.clips import ClipSet, decode_all, find_clips
from convert.options import Options
from convert.progress import Progress, Silent
from convert.training import evaluate as scoring
from convert.training.evaluate import Evaluation, Scorer, Views
from edgevid.bundle.manifest import Window
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from edgevid.frames import Color
    from edgevid.frames.preprocess import InputSpec, Interpolation, ResizeRule

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Options of an evaluation.

    All but `views` and `threads` describe the training of the model. Bundles and models of
    `edgevid train` carry these facts, so they need none of these options.

    Attributes:
        views: The windows that answer for a clip: "centre" for the one in its middle, "all" for the
            mean over every window.
        threads: Number of interpreter threads for a bundle, at least 1.
        labels: See `convert.Options`, as for all the options below.
        color: Order of the channels.
        range: Values of the pixels 0 and 255 in training.
        resize: How frames of other aspect ratios are fitted.
        interpolation: Interpolation of OpenCV.
        interval: Seconds between frames, or "uniform".
        frames: Number of frames in a window, for a model that leaves it open.
        frame_size: (height, width) in pixels, for a model that leaves them open.
        axes: Axes of the model's input.
        scores: Name or number of the output with the scores.
        scores_only: Whether to ignore the other outputs.

    Raises:
        UsageError: `threads` is below 1.
    """

    views: Views = "centre"
    threads: int = 1
    labels: Path | None = None
    color: Color | None = None
    range: tuple[float, float] | None = None
    resize: ResizeRule | None = None
    interpolation: Interpolation | None = None
    interval: float | str | None = None
    frames: int | None = None
    frame_size: tuple[int, int] | None = None
    axes: str | None = None
    scores: str | None = None
    scores_only: bool = False

    def __post_init__(self) -> None:
        UsageError.unless(self.threads >= 1, expected="threads of at least 1", got=self.threads)

    def of_training(self) -> Options:
        """Return the options that describe the training, as options of a conversion."""
        common = {field.name for field in fields(self)} & {field.name for field in fields(Options)}
        return Options(**{name: getattr(self, name) for name in common})


@dataclass(frozen=True)
class EvaluationSubject:
    """An open model or bundle with the clips to measure it on.

    Attributes:
        scorer: The model, as a function from frames to scores.
        clips: The clips, prepared for the model.
        labels: Classes of the model, in the order of its scores.
        window: Window of the model.
        notes: Assumptions about the model.
    """

    scorer: Scorer
    clips: ClipSet
    labels: tuple[str, ...]
    window: Window
    notes: tuple[str, ...] = ()


def evaluate(
    model: str | Path,
    clips: str | Path,
    *,
    options: EvaluateOptions | None = None,
    progress: Progress | None = None,
    on_start: Callable[[EvaluationSubject], None] = lambda _subject: None,
) -> Evaluation:
    """Measure a trained model or a bundle on labelled clips.

    Both see the same frames, so that their metrics can be compared.

    Args:
        model: A `.keras` or `.h5` file, or an `.edgevid` bundle.
        clips: Folder `<class>/<clip>` or CSV file, with classes that the model knows.
        options: Options of the evaluation.
        progress: Shows the progress of reading and evaluating clips.
        on_start: Called once before the evaluation, with the model and the clips.

    Returns:
        Accuracy, precision, recall, F1, confusion matrix, and the scores of each clip.

    Raises:
        UsageError: The model or the folder is missing, or an option is not legal.
        ModelError: The model cannot be loaded.
        BundleError: The bundle is rejected.
        ClipsError: No clip can be read, or a clip shows no class of the model.
    """
    options, progress = options or EvaluateOptions(), progress or Silent()
    open_subject = _open_model if Path(model).suffix in MODEL_SUFFIXES else _open_bundle
    subject = open_subject(Path(model), Path(clips), options, progress)
    on_start(subject)
    evaluation = scoring.evaluate(
        subject.scorer,
        subject.clips.clips,
        labels=subject.labels,
        window=subject.window,
        views=options.views,
        progress=lambda clips: progress.track(clips, "evaluating clips"),
    )
    return replace(evaluation, skipped=subject.clips.skipped)


def _open_bundle(path: Path, clips: Path, options: EvaluateOptions, progress: Progress) -> EvaluationSubject:
    from edgevid import bundle
    from edgevid.inference.engine import Engine

    checked = bundle.read(path)
    manifest = checked.manifest
    decoded = _decode(clips, manifest.input, progress, interval_s=manifest.window.interval_s)
    scorer = scoring.bundle_scorer(Engine(checked, threads=options.threads))
    return EvaluationSubject(scorer, decoded, manifest.labels, manifest.window)


def _open_model(path: Path, clips: Path, options: EvaluateOptions, progress: Progress) -> EvaluationSubject:
    from convert.interface.arrange import arrange
    from convert.interface.contract import contract, input_spec
    from convert.loading.load import load
    from convert.splitting.split import split
    from convert.training_info import read_info

    training = options.of_training()
    trained, info = load(path), read_info(path)
    arranged = arrange(
        trained.model,
        axes=training.axes,
        frames=training.frames,
        frame_size=training.frame_size,
        output=training.scores,
        # Accuracy needs no other output.
        scores_only=True,
    )
    graph = arranged.graph
    parts = split(graph)
    spec = input_spec(graph, parts.frame_shape, training, info)
    decoded = _decode(clips, spec, progress)
    notes = (*trained.notes, *arranged.notes)
    model_contract = contract(graph, parts.frames, spec=spec, clips=decoded, options=training, info=info, notes=notes)
    scorer = scoring.keras_scorer(arranged.ask, spec, model_contract.window, kind=model_contract.scores)
    return EvaluationSubject(scorer, decoded, model_contract.labels, model_contract.window, model_contract.notes)


def _decode(clips: Path, spec: InputSpec, progress: Progress, *, interval_s: float = 0.1) -> ClipSet:
    """Find and decode the clips; `interval_s` applies to sequences of features, which have no times."""
    refs = find_clips(clips, kind=spec.kind)
    return decode_all(
        refs, spec, interval_s=interval_s, progress=lambda items: iter(progress.track(items, "reading clips"))
    )
