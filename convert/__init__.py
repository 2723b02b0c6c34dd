"""edgevid on the workstation: from a trained Keras model to a bundle that carries its own proof.

`convert_model` is the conversion, from top to bottom:

    load       the file, by the Keras that wrote it                              open_model, loading
    arrange    one window in, one list of scores out                             interface
    split      into a per-frame encoder and a temporal head                      graph, passes, splitting, heads
    pack       thin convolutions for the processor that will run them            quantization.space_to_depth
    settle     labels, colour, sampling: what the device must know               interface.contract
    look       at the user's clips, as the device will see them                  clips
    ask        the float model, whole and in parts, for its answers              verification
    search     the cheapest precision that keeps the budget, each one proven     precision, quantization
    write      parts, labels, golden vectors and report into one file            edgevid.bundle

Importing this package imports no TensorFlow.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.interface.contract import Contract
from convert.options import CORAL, Options
from convert.progress import Progress, Silent
from convert.verification.examples import file_stage, float_stages, golden_vectors, prepare_examples
from edgevid.bundle.manifest import Manifest, Plan
from edgevid.errors import ConversionError, EdgevidError, VerificationFailed

if TYPE_CHECKING:
    from convert.clips import Clips
    from convert.evaluation import EvaluateOptions, evaluate
    from convert.open_model import Opened
    from convert.precision.recipes import Recipe
    from convert.precision.search import Trial
    from convert.progress import Terminal
    from convert.quantization.converter import Converter
    from convert.reporting.report import Story
    from convert.splitting.split import Split
    from convert.training.evaluate import Evaluation
    from convert.training.fit import Epoch, TrainedModel
    from convert.training.options import TrainOptions
    from convert.training.workflow import train
    from convert.verification.stages import Stage

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
    model: str | Path,
    clips: str | Path,
    out: str | Path,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
    command: str = "",
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
    from convert.open_model import converter_for
    from convert.reporting.outcome import check_places, finish, stop

    options, progress, started_s = options or Options(), progress or Silent(), time.monotonic()
    page = check_places(Path(out), options.report)
    with converter_for(Path(model)) as converter:
        subject = replace(_read(Path(model), Path(clips), converter, options, progress), command=command)
        story = _prove(
            subject,
            converter,
            options,
            progress,
            lambda error, story: stop(error, story, page, seconds=time.monotonic() - started_s),
        )
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
    from convert.interface.contract import contract, input_spec
    from convert.open_model import open_model
    from convert.precision.builder import choose_plan
    from convert.quantization.backbone_warnings import warnings
    from convert.quantization.space_to_depth import pack
    from convert.training_info import read_info

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
    from convert.precision.recipes import candidates

    light = plan == "window" and parts.light_head
    return candidates(
        options.precision, parts=1 if plan == "stack" else 2, int8_first=options.delegate == CORAL, light_head=light
    )


def _prove(
    subject: _Subject,
    converter: Converter,
    options: Options,
    progress: Progress,
    stopped: Callable[[EdgevidError, Story], EdgevidError],
) -> Story:
    """Ask the float model, whole and in parts, and search for the precision; what stops this is told with how far it came."""
    from convert.precision.builder import Builder, Job, begin
    from convert.precision.search import Search, search
    from convert.quantization.calibration import choose
    from convert.reporting.report import Story
    from convert.verification.stages import Budget, unlike_training

    parts, clips, settled = subject.parts, subject.clips, subject.settled
    recipes, coral = subject.opened.recipes or _recipes(options, subject.plan, parts), options.delegate == CORAL
    calibration = choose(clips.clips, settled.window)
    begin(
        converter,
        parts,
        precision=recipes[0].precision("encoder"),
        contract=settled,
        calibration=calibration,
        edgetpu=coral,
    )
    progress.step(f"asking the float model about {len(clips.clips)} clips")
    reference = subject.opened.reference(parts, settled.input, settled.scores)
    examples = prepare_examples(clips, settled, reference)
    golden = golden_vectors(clips, settled, reference)
    job = Job(parts, subject.plan, settled, calibration, reference, converter, subject.name, golden, edgetpu=coral)
    budget = Budget(
        max_drop=options.max_drop, min_agreement=options.min_agreement, max_value_error=options.max_value_error
    )
    builder = Builder(job)
    stages: list[Stage] = []
    trials: list[Trial] = []

    def story(found: Search) -> Story:
        progress.step("measuring what its precision costs each layer")
        shown = found.shown.bundle.manifest.parts if found.shown.bundle is not None else ()
        return Story(
            job,
            subject.opened.trained,
            clips,
            examples,
            stages,
            found,
            budget,
            builder.losses(shown),
            subject.cautions,
            options,
            subject.command,
        )

    try:
        # What was measured before an error stays in the lists.
        stages.extend(
            float_stages(reference, parts, examples, settled.values)
            if subject.opened.recipes is None
            else file_stage(examples)
        )
        for caution in unlike_training(stages[0], len(settled.labels)):
            subject.cautions.append(caution)
            progress.step(f"  careful: {caution}")
        found = search(builder, recipes, examples, budget, progress, trials=trials)
    except (ConversionError, VerificationFailed) as error:
        raise stopped(error, story(Search.stopped(builder, trials, recipes[len(trials)], str(error)))) from error
    return story(found)


def _decode(root: Path, spec: Any, options: Options, progress: Progress) -> Clips:
    from convert.clips import decode_all, find_clips
    from convert.options import UNIFORM, seconds

    refs = find_clips(root, kind=spec.kind)
    interval_s = 0.1 if options.interval is None or options.interval == UNIFORM else seconds(options.interval)
    clips = decode_all(
        refs, spec, interval_s=interval_s, progress=lambda items: iter(progress.track(items, "reading clips"))
    )
    for path, reason in clips.skipped:
        progress.step(f"  skipped {path}: {reason}")
    return clips
