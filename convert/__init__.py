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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.options import Options
from convert.progress import Progress, Silent
from edgevid.bundle.manifest import Manifest

if TYPE_CHECKING:
    from convert.clips import ClipSet
    from convert.evaluation import EvaluateOptions, evaluate
    from convert.loading.load import LoadedModel
    from convert.precision.proof import Subject
    from convert.progress import Terminal
    from convert.quantization.converter import Converter
    from convert.training.evaluate import Evaluation
    from convert.training.fit import Epoch, TrainedModel
    from convert.training.options import TrainOptions
    from convert.training.workflow import train

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
    from convert.precision.proof import Proof
    from convert.reporting.outcome import check_places, finish, stop
    from convert.reporting.report import ConversionResult

    options, progress, started_s = options or Options(), progress or Silent(), time.monotonic()
    page = check_places(Path(out), options.report)
    with converter_for(Path(model)) as converter:
        read = _read(Path(model), Path(clips), converter, options, progress)
        proof = Proof(read.subject, converter, options, progress)
        error = proof.run()
        progress.step("measuring what its precision costs each layer")
        result = ConversionResult.of(proof, read.trained, read.cautions, options=options, command=command)
    if error is not None:
        raise stop(error, result, page, seconds=time.monotonic() - started_s) from error
    manifest, report = finish(result, Path(out), page=page, seconds=time.monotonic() - started_s, progress=progress)
    return Conversion(Path(out), manifest, report, page)


@dataclass(frozen=True)
class _Read:
    """A model and clips, read and checked: what to prove, the file it came from, and what a person should know."""

    subject: Subject
    trained: LoadedModel
    cautions: list[str]


def _read(model: Path, clips_dir: Path, converter: Converter, options: Options, progress: Progress) -> _Read:
    """Load, split, settle and look at the clips."""
    from convert.interface.contract import contract, input_spec
    from convert.open_model import open_model
    from convert.precision.builder import choose_plan
    from convert.precision.proof import Subject, recipes_for
    from convert.quantization.backbone_warnings import warnings
    from convert.quantization.space_to_depth import pack
    from convert.training_info import read_info

    progress.step(f"loading {model}")
    opened, info = open_model(model, options, converter), read_info(model)
    graph, plan = opened.graph, choose_plan(opened.parts, options.plan)
    parts = pack(opened.parts.as_stack() if plan == "stack" else opened.parts, opened.trained.model, options.target)
    # A recipe that does not go with the plan is rejected before the clips are read.
    recipes_for(options, plan, parts)
    cautions = warnings(graph)
    for caution in cautions:
        progress.step(f"  careful: {caution}")
    spec = input_spec(graph, parts.frame_shape, options, info)
    clips = _decode(clips_dir, spec, options, progress)
    settled = contract(graph, parts.frames, spec=spec, clips=clips, options=options, info=info, notes=opened.notes)
    subject = Subject(
        name=options.name or model.stem,
        plan=plan,
        parts=parts,
        clips=clips,
        contract=settled,
        reference=opened.reference,
        recipes=opened.recipes,
    )
    return _Read(subject, opened.trained, cautions)


def _decode(root: Path, spec: Any, options: Options, progress: Progress) -> ClipSet:
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
