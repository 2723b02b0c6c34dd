"""Accuracy of a trained model or a bundle on labelled clips, as `edgevid evaluate` measures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from convert.clips import ClipSet, Reading, read_folder
from convert.clips.reading import Rows
from convert.clips.row_checks import check_keypoints, check_row_intervals
from convert.options import FramingOptions, Options
from convert.progress import Progress, Silent
from convert.training import metrics as scoring
from convert.training.metrics import Evaluation, Scorer, Views
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, UsageError

if TYPE_CHECKING:
    from convert.interface.contract import Contract
    from convert.interface.window_to_scores import ArrangedModel
    from convert.training_info import TrainingInfo
    from edgevid.frames import Color
    from edgevid.frames.preprocess import InputSpec, Interpolation, ResizeRule

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".onnx", ".json")


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(FramingOptions):
    """The options of `edgevid evaluate`.

    From `labels` on, they describe how the model was trained, and how its file is loaded, as in
    `convert.Options`. Bundles and models of `edgevid train` carry the first and do not need them.

    Attributes:
        views: "centre" scores a clip by the window in its middle, "all" by the mean over all of its
            windows.
        videos: Folder that a list's paths are relative to; None for the folder of the list.
        fps: Pictures per second in folders of pictures; None assumes 25, or the rate of a data set.
        split: Clips to measure on, of a list that states splits: "held-out" (those of test and val),
            "train", "val", "test" or "all".
        threads: Threads of the interpreter that runs a bundle, at least 1.
    """

    views: Views = "centre"
    videos: Path | None = None
    fps: float | None = None
    split: Rows = "held-out"
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
    look_ahead: int = 0
    weights: Path | None = None
    allow_code: bool = False
    custom_objects: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        UsageError.unless(self.threads >= 1, expected="threads of at least 1", got=self.threads)
        # Built only to reject illegal options before the model is loaded.
        _ = self.reading

    @property
    def reading(self) -> Reading:
        """How the clips are read."""
        return Reading(videos=self.videos, fps=self.fps, rows=self.split)

    def conversion_options(self) -> Options:
        """Return the options that describe the training, as a conversion takes them."""
        shared = {item.name for item in fields(Options)} & {item.name for item in fields(self)}
        return Options(**{name: getattr(self, name) for name in shared})

    def check_for_bundle(self) -> None:
        """Reject options about the training, which a bundle carries with it.

        Raises:
            UsageError: One was given; it would have no effect.
        """
        names = [item.name for item in fields(self)]
        given = [
            f"--{item.name.replace('_', '-')}"
            for item in fields(self)[names.index("labels") :]
            if getattr(self, item.name) != item.default
        ]
        UsageError.unless(
            not given,
            expected="no options of a training with a bundle, which states how its model was trained",
            got=", ".join(given),
        )


@dataclass(frozen=True)
class EvaluationSubject:
    """A model or bundle with the clips to measure it on.

    Attributes:
        scorer: From frames to scores.
        clips: Decoded and prepared for the model.
        labels: The model's classes, in the order of the scores.
        window: Length and sampling of the model's window.
        notes: Assumptions about the model, one line each.
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
    """Measure a model or a bundle on labelled clips.

    A model and its bundle score the same frames of each clip, so that their metrics can be
    compared.

    Args:
        model: A `.keras` or `.h5` file, a `.json` description with `weights`, or an `.edgevid`
            bundle.
        clips: Folder `<class>/<clip>` or CSV file, with classes of the model.
        options: Options of the measurement; None for the defaults.
        progress: Shows a bar while clips are read and scored; None for no output.
        on_start: Called once before the first clip is scored.

    Returns:
        Accuracy, precision, recall, F1, confusion, and the scores of each clip.

    Raises:
        UsageError: The model or the clips do not exist, or an option is wrong.
        ModelError: The model cannot be loaded.
        BundleError: The bundle cannot be used.
        ClipsError: No clip can be read, or a clip's class is not one of the model's.
    """
    options, progress = options or EvaluateOptions(), progress or Silent()
    # Weights belong to no bundle, which loading a model reports.
    is_model = Path(model).suffix in MODEL_SUFFIXES or options.weights is not None
    open_subject = _open_model if is_model else _open_bundle
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
    from convert.interface.contract import framing_notes
    from edgevid import bundle
    from edgevid.inference.engine import Engine
    from edgevid.telemetry.environment import opencv_difference

    options.check_for_bundle()
    checked = bundle.read(path)
    manifest = checked.manifest
    # Rows of features have no time of their own; at the bundle's interval each row is one sample.
    framing = options.framing.over(manifest.framing)
    reading = replace(options.reading.for_model(manifest.decision.background, manifest.window), framing=framing)
    decoded = read_folder(
        clips, manifest.input, interval_s=manifest.window.interval_s, reading=reading, progress=progress
    )
    check_keypoints(manifest.keypoints, decoded.keypoints)
    if manifest.input.kind == "features" and manifest.window.sampling != "uniform":
        check_row_intervals([clip.ref for clip in decoded.clips], manifest.window.interval_s)
    scorer = scoring.bundle_scorer(Engine(checked, threads=options.threads))
    difference = opencv_difference(manifest.versions) if manifest.input.kind == "frames" else None
    notes = ((difference,) if difference else ()) + framing_notes(options, manifest.framing)
    return EvaluationSubject(scorer, decoded, manifest.labels, manifest.window, notes)


@dataclass(frozen=True)
class TrainedModel:
    """A trained model that is ready to be asked.

    Attributes:
        arranged: The model, from one window to one vector of scores.
        frames: Frames of a window.
        frame_shape: Shape of one.
        spec: The input frame.
        info: Metadata of its training, if the file has any.
        training: The options that describe the training.
        notes: Assumptions so far, one line each.
    """

    arranged: ArrangedModel
    frames: int
    frame_shape: tuple[int, ...]
    spec: InputSpec
    info: TrainingInfo | None
    training: Options
    notes: tuple[str, ...]

    def contract(self, clips: ClipSet) -> Contract:
        """Resolve what else is known about the model.

        Args:
            clips: Clips of its classes, or none.
        """
        from convert.interface.contract import resolve_contract

        return resolve_contract(
            self.arranged.graph,
            self.frames,
            spec=self.spec,
            clips=clips,
            options=self.training,
            info=self.info,
            notes=self.notes,
        )

    def scorer(self, contract: Contract) -> Scorer:
        """Return a scorer of the model."""
        return scoring.keras_scorer(self.arranged.ask, self.spec, contract.window, kind=contract.scores)


def open_trained(path: Path, training: Options) -> TrainedModel:
    """Load a trained model to ask it for its scores alone.

    Args:
        path: A `.keras` or `.h5` file.
        training: Options that describe its training.

    Raises:
        ModelError: The model cannot be loaded.
        UsageError: An option does not fit the model.
    """
    from convert.interface.input_frame import resolve_input
    from convert.interface.window_to_scores import arrange
    from convert.loading.load import load
    from convert.splitting.split import split
    from convert.training_info import read_info

    trained = load(
        path, allow_code=training.allow_code, custom_objects=training.custom_objects, weights=training.weights
    )
    info = read_info(path)
    arranged = arrange(
        trained.model,
        axes=training.axes,
        frames=training.frames,
        frame_size=training.frame_size,
        output=training.scores,
        look_ahead=training.look_ahead,
        # Metrics are computed from the scores alone.
        scores_only=True,
    )
    parts = split(arranged.graph)
    spec = resolve_input(arranged.graph, parts.frame_shape, training, info)
    return TrainedModel(
        arranged, parts.frames, parts.frame_shape, spec, info, training, (*trained.notes, *arranged.notes)
    )


def _open_model(path: Path, clips: Path, options: EvaluateOptions, progress: Progress) -> EvaluationSubject:
    from convert.interface.contract import resolve_framing
    from convert.interface.input_frame import with_reading
    from convert.interface.window_sampling import row_interval_s

    trained = open_trained(path, options.conversion_options())
    info, spec = trained.info, trained.spec
    reading = options.reading.for_model(info.decision.background, info.window) if info else options.reading
    reading = replace(reading, framing=resolve_framing(options, info))
    try:
        interval_s = row_interval_s(trained.training, info)
        decoded = read_folder(clips, spec, interval_s=interval_s, reading=reading, progress=progress)
    except ClipsError as error:
        window = (trained.frames, *trained.frame_shape)
        raise with_reading(error, clips, spec, window=window, notes=trained.arranged.notes) from error
    contract = trained.contract(decoded)
    return EvaluationSubject(trained.scorer(contract), decoded, contract.labels, contract.window, contract.notes)
