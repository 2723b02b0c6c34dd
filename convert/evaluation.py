"""A trained model, or the bundle it was converted to, measured on labelled clips: what `edgevid evaluate` and `convert.evaluate` do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
    """How to measure. All but `views` and `threads` say what training did, and are not needed for bundles and models of `edgevid train`.

    Attributes:
        views: What answers for a clip: "centre" for the window in its middle, "all" for the mean over every window of it.
        threads: Interpreter threads, for a bundle.
        labels: As `convert.Options`.
        color: As there.
        range: As there.
        resize: As there.
        interpolation: As there.
        interval: As there.
        frames: As there.
        frame_size: As there.
        axes: As there.
        scores: As there.
        scores_only: As there.
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
        if self.threads < 1:
            raise UsageError(expected="threads of at least 1", got=self.threads, found=f"{self.threads}")

    def of_training(self) -> Options:
        """Return what training did, as a conversion takes it."""
        said = (
            "labels",
            "color",
            "range",
            "resize",
            "interpolation",
            "interval",
            "frames",
            "frame_size",
            "axes",
            "scores",
            "scores_only",
        )
        return Options(**{name: getattr(self, name) for name in said})


@dataclass(frozen=True)
class EvaluationSubject:
    """What is measured.

    Attributes:
        scorer: The model, as a function from frames to scores.
        clips: Prepared for it.
        labels: Its classes.
        window: Its view of time.
        notes: What was assumed of it.
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
    """Measure a model or a bundle on labelled clips. Both are asked about the same frames, so their numbers can be compared.

    Args:
        model: A `.keras` or `.h5` file, or an `.edgevid` bundle.
        clips: Folder `<class>/<clip>` or CSV file, with classes that the model knows.
        options: How to measure.
        progress: Shows how far reading and asking are.
        on_start: Called once with what is measured, before it is.

    Returns:
        Accuracy, precision, recall, F1, confusion, and the scores of each clip.

    Raises:
        UsageError: There is no such model or folder, or an option is wrong.
        ModelError: The model cannot be loaded.
        BundleError: The bundle cannot be used.
        ClipsError: No clip can be read, or one shows no class of the model.
    """
    options, progress = options or EvaluateOptions(), progress or Silent()
    open_subject = _open_model if Path(model).suffix in MODEL_SUFFIXES else _open_bundle
    subject = open_subject(Path(model), Path(clips), options, progress)
    on_start(subject)
    found = scoring.evaluate(
        subject.scorer,
        subject.clips.clips,
        labels=subject.labels,
        window=subject.window,
        views=options.views,
        progress=lambda clips: iter(progress.track(clips, "asking the model")),
    )
    return replace(found, skipped=subject.clips.skipped)


def _open_bundle(path: Path, clips: Path, options: EvaluateOptions, progress: Progress) -> EvaluationSubject:
    from edgevid import bundle
    from edgevid.inference.engine import Engine

    checked = bundle.read(path)
    manifest = checked.manifest
    decoded = _decode(clips, manifest.input, progress, interval_s=manifest.window.interval_s)
    return EvaluationSubject(
        scoring.bundle_scorer(Engine(checked, threads=options.threads)), decoded, manifest.labels, manifest.window
    )


def _open_model(path: Path, clips: Path, options: EvaluateOptions, progress: Progress) -> EvaluationSubject:
    from convert.interface.arrange import arrange
    from convert.interface.contract import contract, input_spec
    from convert.loading.load import load
    from convert.splitting.split import split
    from convert.training_info import read_info

    said = options.of_training()
    trained, info = load(path), read_info(path)
    arranged = arrange(
        trained.model,
        axes=said.axes,
        frames=said.frames,
        frame_size=said.frame_size,
        output=said.scores,
        scores_only=True,
    )
    graph = arranged.graph
    parts = split(graph)
    spec = input_spec(graph, parts.frame_shape, said, info)
    decoded = _decode(clips, spec, progress)
    settled = contract(
        graph, parts.frames, spec=spec, clips=decoded, options=said, info=info, notes=(*trained.notes, *arranged.notes)
    )
    scorer = scoring.keras_scorer(arranged.ask, spec, settled.window, kind=settled.scores)
    return EvaluationSubject(scorer, decoded, settled.labels, settled.window, settled.notes)


def _decode(clips: Path, spec: InputSpec, progress: Progress, *, interval_s: float = 0.1) -> ClipSet:
    refs = find_clips(clips, kind=spec.kind)
    return decode_all(
        refs, spec, interval_s=interval_s, progress=lambda items: iter(progress.track(items, "reading clips"))
    )
