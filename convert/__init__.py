"""Converts a trained Keras model to a bundle that carries its own proof, on the workstation.

`convert_model` runs these steps, in the modules on the right:

    load       the file, by the Keras that wrote it                              open_model, loading
    arrange    one window in, one vector of scores out                           interface
    split      into a per-frame encoder and a temporal head                      graph, passes, splitting, heads
    pack       thin convolutions for the device's processor                      quantization.layout_choice
    decode     the user's clips, as the device does                              clips
    resolve    labels, colour, sampling, decision rule                           interface.contract
    prune      channels of the encoder, if asked to, and fine-tune               pruning
    compare    the float model with its parts                                    verification
    search     the cheapest precision within the budget, each one proven         precision, quantization
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

from convert.options import PRUNE_EPOCHS, Options
from convert.progress import Progress, Silent
from edgevid.bundle.manifest import Manifest
from edgevid.errors import ClipsError

if TYPE_CHECKING:
    from convert.clips import ClipSet, Reading
    from convert.evaluation import EvaluateOptions, evaluate
    from convert.interface.contract import Contract
    from convert.loading.load import LoadedModel
    from convert.open_model import OpenedModel
    from convert.precision.experiment import Subject
    from convert.progress import Terminal
    from convert.pruning.prune import PrunedModel, Pruning
    from convert.recordings import Truth
    from convert.rule_search import Calibration, CalibrationOptions, calibrate
    from convert.splitting.split import Split
    from convert.stream_evaluation import StreamEvaluation, StreamOptions, evaluate_streams
    from convert.stream_evaluation.event_proof import RecordedEvents
    from convert.train_model import train
    from convert.training.fit import TrainedModel
    from convert.training.fitting.epoch import Epoch
    from convert.training.metrics import Evaluation
    from convert.training.options import TrainOptions
    from convert.training_info import TrainingInfo
    from convert.verification.reference_answers import ReferenceAnswers
    from edgevid.bundle.manifest import Plan, Scores
    from edgevid.frames.preprocess import InputSpec

# Module of each public name that is imported when first used: training needs Keras, and `Terminal`
# needs rich.
_LAZY = {
    "train": "convert.train_model",
    "TrainOptions": "convert.training.options",
    "TrainedModel": "convert.training.fit",
    "Epoch": "convert.training.fitting.epoch",
    "evaluate": "convert.evaluation",
    "EvaluateOptions": "convert.evaluation",
    "Evaluation": "convert.training.metrics",
    "evaluate_streams": "convert.stream_evaluation",
    "StreamOptions": "convert.stream_evaluation",
    "StreamEvaluation": "convert.stream_evaluation",
    "calibrate": "convert.rule_search",
    "CalibrationOptions": "convert.rule_search",
    "Calibration": "convert.rule_search",
    "Terminal": "convert.progress",
}
__all__ = [  # noqa: RUF022  # in the order of a reader's interest
    "convert_model", "Options", "Conversion",
    "train", "TrainOptions", "TrainedModel", "Epoch",
    "evaluate", "EvaluateOptions", "Evaluation",
    "evaluate_streams", "StreamOptions", "StreamEvaluation",
    "calibrate", "CalibrationOptions", "Calibration",
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
        manifest: The bundle's manifest.
        report: The proof as data, as in the bundle.
        page: The proof as an HTML page.
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
    """Convert a trained model, prove the result on real clips and write a bundle.

    Args:
        model: A `.keras`, `.h5` or `.onnx` file or a SavedModel folder; a `.tflite` file is used as it is;
            a `.json` description is joined with `options.weights`.
        clips: Folder of clips, as `<class>/<clip>` or without labels, or a list of clips; `.npy`
            arrays for models over features.
        out: The bundle to write; an old one is replaced only by one within the budget.
        options: Options of the conversion; None for the defaults.
        progress: Shows the steps; None for no output.
        command: The command line, for the bundle's record.

    Raises:
        UsageError: An option, path or combination of them is wrong.
        TruthError: The truth of the recordings is wrong, or does not fit them or the model.
        ModelError: The model cannot be loaded, or is of a kind that cannot be converted.
        ClipsError: The clips cannot be used.
        ConversionError: TensorFlow's converter failed in every precision. The HTML report shows how
            far it came.
        VerificationFailed: No precision is within the budget, or the split model has other answers
            than the trained one. The HTML report names the layers to blame; no bundle is written.
    """
    from convert.open_model import open_model
    from convert.precision.experiment import Proof
    from convert.reporting.outcome import check_places, finish, stop
    from convert.reporting.report import ConversionResult

    options, progress, started_s = options or Options(), progress or Silent(), time.monotonic()
    page = check_places(Path(out), options.report)
    # The truth first: it is read in a moment, and may be wrong.
    truth = _read_truth(options, progress)
    progress.step(f"loading {model}")
    with open_model(Path(model), options) as opened:
        read = _read(opened, Path(model), Path(clips), options, progress, truth=truth)
        proof = Proof(read.subject, opened.converter, options, progress)
        error = proof.run()
        if error is None:
            proof.measure_times()
        progress.step("measuring what its precision costs each layer")
        result = ConversionResult.of(
            proof, read.trained, read.cautions, options=options, command=command, pruning=read.pruning
        )
    if error is not None:
        raise stop(error, result, page, seconds=time.monotonic() - started_s) from error
    manifest, report = finish(result, Path(out), page=page, seconds=time.monotonic() - started_s, progress=progress)
    return Conversion(Path(out), manifest, report, page)


@dataclass(frozen=True)
class _Read:
    """A model and clips, read and checked, with warnings for the report."""

    subject: Subject
    trained: LoadedModel
    cautions: list[str]
    pruning: Pruning | None = None


def _read_truth(options: Options, progress: Progress) -> Truth | None:
    """Read what happens in the recordings, if there are any."""
    from convert.recordings import import_truth

    if options.streams is None or options.truth is None:
        return None
    truth = import_truth(options.truth, folder=options.streams)
    for note in truth.notes:
        progress.step(f"  note: {note}")
    return truth


def _read(
    opened: OpenedModel, model: Path, clips_dir: Path, options: Options, progress: Progress, *, truth: Truth | None
) -> _Read:
    """Pack the parts, decode the clips and resolve the contract."""
    from convert.interface.contract import resolve_contract
    from convert.interface.input_frame import resolve_input, with_reading
    from convert.precision.experiment import Subject
    from convert.quantization.backbone_warnings import warnings
    from convert.training_info import read_info

    graph, info = opened.graph, read_info(model)
    plan, parts = _plan(opened, options, progress)
    cautions = warnings(graph)
    for caution in cautions:
        progress.step(f"  careful: {caution}")
    spec = resolve_input(graph, parts.frame_shape, options, info)
    try:
        clips = _decode(clips_dir, spec, options, info, progress)
    except ClipsError as error:
        window = (parts.frames, *parts.frame_shape)
        raise with_reading(error, clips_dir, spec, window=window, notes=opened.notes) from error
    contract = resolve_contract(
        graph,
        parts.frames,
        spec=spec,
        clips=clips,
        options=options,
        info=info,
        notes=opened.notes,
        loss=opened.loss,
        label_files=opened.label_files,
    )
    pruned = None
    if options.prune is not None:
        opened, clips, pruned = _prune(opened, clips, contract, options, progress)
        plan, parts = _plan(opened, options, progress)
    subject = Subject(
        name=options.name or model.stem,
        plan=plan,
        parts=parts,
        clips=clips,
        contract=contract,
        reference=opened.reference,
        recipes=opened.recipes,
        recordings=_recorded_events(truth, options, contract, progress),
        pruned=None if pruned is None else _pruned_reference(pruned),
    )
    return _Read(subject, opened.trained, cautions, None if pruned is None else pruned.facts)


def _plan(opened: OpenedModel, options: Options, progress: Progress) -> tuple[Plan, Split]:
    """Choose the plan, and pack the parts."""
    from convert.precision.builder import choose_plan
    from convert.precision.experiment import recipes_for
    from convert.quantization.layout_choice import arrange

    plan = choose_plan(opened.parts, options.plan)
    parts = opened.parts.as_stack() if plan == "stack" else opened.parts
    parts = arrange(parts, opened.trained.model, options.target, opened.converter, progress)
    # Reject a recipe that does not fit the plan before the clips are read, which can take minutes.
    recipes_for(options, plan, parts)
    return plan, parts


def _prune(
    opened: OpenedModel, clips: ClipSet, contract: Contract, options: Options, progress: Progress
) -> tuple[OpenedModel, ClipSet, PrunedModel]:
    """Prune the model on a part of the clips, and return the clips that are left to prove it."""
    from convert.open_model import arrange_for
    from convert.pruning.prune import check_prunable, hold_out, prune
    from convert.splitting.split import split

    check_prunable(opened.trained, opened.parts, contract)
    assert opened.ask is not None and options.prune is not None
    training, held_out = hold_out(clips)
    pruned = prune(
        opened.trained.model,
        opened.ask,
        opened.parts,
        training,
        arrange=lambda model: arrange_for(model, options),
        share=options.prune,
        epochs=options.prune_epochs or PRUNE_EPOCHS,
        contract=contract,
        progress=progress,
    )
    # The reference remains the model as trained: what the bundle is compared with.
    smaller = replace(
        opened,
        trained=replace(opened.trained, model=pruned.model),
        graph=pruned.arranged.graph,
        parts=split(pruned.arranged.graph),
    )
    return smaller, replace(clips, clips=held_out), pruned


def _pruned_reference(pruned: PrunedModel) -> Callable[[Split, InputSpec, Scores], ReferenceAnswers]:
    from convert.verification.reference import Reference

    return lambda parts, spec, kind: Reference(pruned.arranged.ask, parts, spec, kind, name="pruned float")


def _reading(options: Options, info: TrainingInfo | None) -> Reading:
    from convert.clips import Reading
    from convert.interface.contract import resolve_framing

    framing = resolve_framing(options, info)
    # The bundle carries it to cameras of other sizes.
    framing.check_shares()
    reading = Reading(videos=options.videos, fps=options.fps, framing=framing)
    return reading if info is None else reading.for_model(info.decision.background, info.window)


def _recorded_events(
    truth: Truth | None, options: Options, contract: Contract, progress: Progress
) -> RecordedEvents | None:
    from convert.stream_evaluation.event_proof import RecordedEvents

    if truth is None or options.streams is None:
        return None
    return RecordedEvents(truth, options.streams, contract, progress)


def _decode(root: Path, spec: Any, options: Options, info: TrainingInfo | None, progress: Progress) -> ClipSet:
    from convert.clips import read_folder
    from convert.interface.window_sampling import row_interval_s

    interval_s = row_interval_s(options, info)
    clips = read_folder(root, spec, interval_s=interval_s, reading=_reading(options, info), progress=progress)
    for note in clips.notes:
        progress.step(f"  note: {note}")
    for path, reason in clips.skipped:
        progress.step(f"  skipped {path}: {reason}")
    return clips
