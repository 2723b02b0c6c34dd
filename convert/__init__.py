"""edgevid on the workstation: from a trained Keras model to a bundle that carries its own proof.

`convert_model` is the conversion, from top to bottom:

    load       the file, by the Keras that wrote it                              convert.opening, convert.load
    arrange    one window in, one list of scores out                             convert.arrange, convert.axes
    split      into a per-frame encoder and a temporal head                      convert.graph, convert.split, convert.heads
    pack       thin convolutions for the processor that will run them            convert.packing
    settle     labels, colour, sampling: what the device must know               convert.settings
    look       at the user's clips, as the device will see them                  convert.clips
    ask        the float model, whole and in parts, for its answers              convert.reference, convert.verify
    search     the cheapest precision that keeps the budget, each one proven     convert.search, convert.build, convert.quantize
    write      parts, labels, golden vectors and report into one file            edgevid.bundle

Importing this package imports no TensorFlow.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convert.progress import Progress, Silent
from convert.settings import CORAL, Contract, Options
from edgevid.errors import ConversionError, EdgevidError, ModelError, VerificationFailed
from edgevid.golden import Golden
from edgevid.manifest import Manifest, Plan, Value

if TYPE_CHECKING:
    from convert.clips import Clips
    from convert.evaluation import EvaluateOptions, evaluate
    from convert.opening import Opened
    from convert.progress import Terminal
    from convert.quantize import Converter
    from convert.recipes import Recipe
    from convert.record import Story
    from convert.reference import Reference
    from convert.search import Examples, Trial
    from convert.split import Split
    from convert.training.evaluate import Evaluation
    from convert.training.fit import Epoch, TrainedModel
    from convert.training.options import TrainOptions
    from convert.training.workflow import train
    from convert.verify import Stage
    from edgevid.frame import Array

# Name to module; imported when first used, since training needs Keras.
_LAZY = {
    "train": "convert.training.workflow",
    "TrainOptions": "convert.training.options",
    "TrainedModel": "convert.training.fit",
    "Epoch": "convert.training.fit",
    "evaluate": "convert.evaluation",
    "EvaluateOptions": "convert.evaluation",
    "Evaluation": "convert.training.evaluate",
    "Terminal": "convert.progress",
}
__all__ = [  # noqa: RUF022  # in the order of a reader's interest
    "convert_model", "Options", "Conversion", "train", "TrainOptions", "TrainedModel", "Epoch", "evaluate", "EvaluateOptions", "Evaluation",
    "Progress", "Silent", "Terminal",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'convert' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)


# Frames of the golden stream after its first full window: enough to catch a ring that is off by one, few enough to ship.
GOLDEN_STEPS = 4
# Encoder calls spent on holding the float split against the float model: a layer that was misread is wrong on every clip.
SPLIT_CALLS = 512


@dataclass(frozen=True)
class Conversion:
    """A finished conversion.

    Attributes:
        path: The bundle.
        manifest: What it says of itself.
        report: Its proof.
        page: The proof as a page for people.
    """

    path: Path
    manifest: Manifest
    report: dict[str, Any]
    page: Path


def convert_model(
    model: str | Path, clips: str | Path, out: str | Path, *, options: Options | None = None, progress: Progress | None = None, command: str = ""
) -> Conversion:
    """Convert a trained model, prove the result on real clips and pack it.

    Args:
        model: A `.keras` or `.h5` file or a SavedModel folder; a `.tflite` file is taken as it is.
        clips: Folder or CSV file of clips, as `<class>/<clip>` or without labels; `.npy` arrays for models over features.
        out: The bundle to write; replaced only by one that keeps the budget.
        options: What the files cannot say.
        progress: Told of each step.
        command: How the conversion was asked for, for the bundle's record.

    Returns:
        The conversion.

    Raises:
        UsageError: An option, path or combination of them is wrong.
        ModelError: The model cannot be loaded or is of a kind that cannot be converted.
        ClipsError: The clips cannot be used.
        ConversionError: TensorFlow's converter failed in every precision tried.
        VerificationFailed: The result does not answer as the trained model does. No bundle was written; of this and of ConversionError the page
            was, and says how far it came, or which layers are to blame where no precision keeps the budget.
    """
    from convert.finish import check_places, finish, stop
    from convert.opening import converter_for

    options, progress, started_s = options or Options(), progress or Silent(), time.monotonic()
    page = check_places(Path(out), options.report)
    with converter_for(Path(model)) as converter:
        subject = replace(_read(Path(model), Path(clips), converter, options, progress), command=command)
        story = _prove(subject, converter, options, progress, lambda error, story: stop(error, story, page, seconds=time.monotonic() - started_s))
    manifest, report = finish(story, Path(out), page=page, seconds=time.monotonic() - started_s, progress=progress)
    return Conversion(Path(out), manifest, report, page)


@dataclass(frozen=True)
class _Subject:
    """What is converted: the model taken apart, and the clips to prove it on."""

    name: str
    opened: Opened
    parts: Split
    plan: Plan
    clips: Clips
    settled: Contract
    cautions: list[str]
    command: str = ""


def _read(model: Path, clips_dir: Path, converter: Converter, options: Options, progress: Progress) -> _Subject:
    """Load, split, settle and look at the clips."""
    from convert.backbones import warnings
    from convert.build import choose_plan
    from convert.info import read_info
    from convert.opening import open_model
    from convert.packing import pack
    from convert.settings import contract, input_spec

    progress.step(f"loading {model}")
    opened, info = open_model(model, options, converter), read_info(model)
    graph, plan = opened.graph, choose_plan(opened.parts, options.plan)
    parts = pack(opened.parts.as_stack() if plan == "stack" else opened.parts, opened.trained.model, options.target)
    _recipes(options, plan, parts)  # refused before the clips are read
    cautions = warnings(graph)
    for caution in cautions:
        progress.step(f"  careful: {caution}")
    spec = input_spec(graph, parts.frame_shape, options, info)
    clips = _decode(clips_dir, spec, options, progress)
    settled = contract(graph, parts.frames, spec=spec, clips=clips, options=options, info=info, notes=opened.notes)
    return _Subject(options.name or model.stem, opened, parts, plan, clips, settled, cautions)


def _recipes(options: Options, plan: Plan, parts: Split) -> tuple[Recipe, ...]:
    from convert.recipes import candidates

    light = plan == "window" and parts.light_head
    return candidates(options.precision, parts=1 if plan == "stack" else 2, int8_first=options.delegate == CORAL, light_head=light)


def _prove(subject: _Subject, converter: Converter, options: Options, progress: Progress, stopped: Callable[[EdgevidError, Story], EdgevidError]) -> Story:
    """Ask the float model, whole and in parts, and search for the precision; what stops this is told with how far it came."""
    from convert.build import Builder, Job, begin
    from convert.calibrate import choose
    from convert.record import Story
    from convert.search import Search, search
    from convert.verify import Budget, unlike_training

    parts, clips, settled = subject.parts, subject.clips, subject.settled
    recipes, coral = subject.opened.recipes or _recipes(options, subject.plan, parts), options.delegate == CORAL
    calibration = choose(clips.clips, settled.window)
    begin(converter, parts, precision=recipes[0].precision("encoder"), contract=settled, calibration=calibration, edgetpu=coral)
    progress.step(f"asking the float model about {len(clips.clips)} clips")
    reference = subject.opened.reference(parts, settled.input, settled.scores)
    examples = _examples(clips, settled, reference)
    golden = _golden(clips, settled, reference)
    job = Job(parts, subject.plan, settled, calibration, reference, converter, subject.name, golden, edgetpu=coral)
    budget = Budget(max_drop=options.max_drop, min_agreement=options.min_agreement, max_value_error=options.max_value_error)
    builder = Builder(job)
    stages: list[Stage] = []
    trials: list[Trial] = []

    def story(found: Search) -> Story:
        progress.step("measuring what its precision costs each layer")
        shown = found.shown.bundle.manifest.parts if found.shown.bundle is not None else ()
        return Story(job, subject.opened.trained, clips, examples, stages, found, budget, builder.losses(shown), subject.cautions, options, subject.command)

    try:
        # What was measured before an error stays in the lists.
        stages.extend(_float_stages(reference, parts, examples, settled.values) if subject.opened.recipes is None else _file_stage(examples))
        for caution in unlike_training(stages[0], len(settled.labels)):
            subject.cautions.append(caution)
            progress.step(f"  careful: {caution}")
        found = search(builder, recipes, examples, budget, progress, trials=trials)
    except (ConversionError, VerificationFailed) as error:
        raise stopped(error, story(Search.stopped(builder, trials, recipes[len(trials)], str(error)))) from error
    return story(found)


def _decode(root: Path, spec: Any, options: Options, progress: Progress) -> Clips:
    from convert.clips import decode_all, find_clips
    from convert.settings import UNIFORM, seconds

    refs = find_clips(root, kind=spec.kind)
    interval_s = 0.1 if options.interval is None or options.interval == UNIFORM else seconds(options.interval)
    clips = decode_all(refs, spec, interval_s=interval_s, progress=lambda items: iter(progress.track(items, "reading clips")))
    for path, reason in clips.skipped:
        progress.step(f"  skipped {path}: {reason}")
    return clips


def _examples(clips: Clips, settled: Contract, reference: Reference) -> Examples:
    from convert.clips import centre_window
    from convert.search import Examples

    windows = np.stack([centre_window(clip, settled.window) for clip in clips.clips])
    truth = np.array([settled.labels.index(str(clip.ref.label)) for clip in clips.clips]) if settled.labelled else None
    scores = reference.scores(windows)
    lost = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(lost):
        where = clips.clips[int(lost[0])].ref.path
        raise ModelError(f"Expected scores, got NaN from the trained model on {len(lost)} of {len(scores)} clips, {where} for one.", path=where)
    values = tuple(reference.values(windows)) if settled.values else ()
    return Examples(windows, scores, truth, values)


def _float_stages(reference: Reference, parts: Split, examples: Examples, values: Sequence[Value]) -> Iterator[Stage]:
    """Stages 1 and 2 of the proof, each as soon as it is known; the second on as many clips as `SPLIT_CALLS` allow."""
    from convert.values import check_split_values
    from convert.verify import SPLIT_TOLERANCE, check_split, measure

    count = int(np.clip(SPLIT_CALLS // parts.frames, 4, len(examples.windows)))
    picked = np.unique(np.linspace(0, len(examples.windows) - 1, count).astype(int))
    truth = None if examples.truth is None else examples.truth[picked]
    yield measure("float Keras", examples.scores, examples.scores, examples.truth)
    parted = measure("float split", reference.split_scores(examples.windows[picked]), examples.scores[picked], truth)
    yield parted
    check_split(parted, rounding=reference.rounding(examples.windows[picked]) if parted.max_abs_error > SPLIT_TOLERANCE else 0.0)
    if values:
        check_split_values(reference, values, examples.windows[picked], [each[picked] for each in examples.values])


def _file_stage(examples: Examples) -> list[Stage]:
    """The one stage before the bundle of a file that was converted elsewhere."""
    from convert.verify import measure

    return [measure("the file as it is", examples.scores, examples.scores, examples.truth)]


def _golden(clips: Clips, settled: Contract, reference: Reference) -> Golden:
    """Frames of one clip, a few longer than a window, with the float model's answers."""
    from convert.clips import window_indices

    length = settled.window.frames + GOLDEN_STEPS
    longest = max(clips.clips, key=lambda clip: clip.duration_s)
    frames: Array = longest.frames[window_indices(longest, replace(settled.window, frames=length))]
    windows = np.stack([frames[start : start + settled.window.frames] for start in range(GOLDEN_STEPS + 1)])
    scores = reference.scores(windows)
    return Golden(frames, scores, scores, "float Keras")
