"""The schema of `report.json`: one class per section, one attribute per key.

`report.json` is one JSON object without nested sections: the keys of all sections follow each other, in the
order of `SECTIONS`. The bundle holds it, `edgevid convert --json` prints it, and the conversion writes it next to
the HTML page. There it has one more key, "bundle_bytes": the size of the finished bundle.

If no precision keeps the budget, or an error stops the conversion, the report describes the best trial so far.
Without any bundle, the keys of `Answers` and `Contents` are null or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convert.placement.xnnpack import Placement
from convert.pruning.prune import Pruning
from convert.quantization.calibration_check import CalibrationSummary
from convert.quantization.layer_errors import LayerError, Unmeasured
from convert.reporting.weights import PartWeights, TrainedWeights
from convert.verification.budget import Budget
from convert.verification.event_drift import EventDrift
from convert.verification.latency import FrameLatency
from convert.verification.stages import ProofStage
from convert.verification.value_drift import ValueDrift
from edgevid.bundle.manifest import Plan, Window
from edgevid.bundle.parts import Precision, Role
from edgevid.frames.preprocess import InputSpec

# "float" is a key of some sections, which hides the type of that name inside their classes.
Number = float
Matrix = list[list[int]]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the conversion succeeded.

    Attributes:
        failure: Each recipe with its failure; empty if a bundle was written.
        stopped_by: The error that stopped the conversion; empty if every recipe was tried.
    """

    failure: str
    stopped_by: str


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """The trained model's file.

    Attributes:
        file: Name without folder.
        sha256: Hash of the file.
        framework: "keras", "tf_keras", "tensorflow" or "tflite".
        written_by: Version of Keras that wrote the file, or "unknown".
    """

    file: str
    sha256: str
    framework: str
    written_by: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """The model, and how the bundle runs it.

    Attributes:
        model: The trained model's file.
        plan: "window", "stateful" or "stack".
        recipe: Name of the recipe.
        labels: One per class.
    """

    model: ModelFile
    plan: Plan
    recipe: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SkippedClip:
    """A clip that could not be read.

    Attributes:
        path: Class and file name.
        reason: The error.
    """

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Clips:
    """The user's clips.

    Attributes:
        clips: Number of clips in the proof.
        clips_skipped: The clips that could not be read.
        clips_calibrated: Number of clips used for calibration.
    """

    clips: int
    clips_skipped: tuple[SkippedClip, ...]
    clips_calibrated: int


@dataclass(frozen=True, kw_only=True)
class SplitSummary:
    """How the model was split.

    Attributes:
        encoder_layers: Names of the layers in the encoder.
        hoisted: Names of the layers whose input projection moved into the encoder.
        lookback: Number of frames before the newest that the encoder sees.
        not_causal: Why plan "stateful" is not available; empty if it is.
    """

    encoder_layers: tuple[str, ...]
    hoisted: tuple[str, ...]
    lookback: int
    not_causal: str


@dataclass(frozen=True, kw_only=True)
class TrialSummary:
    """The result of one recipe.

    Attributes:
        recipe: Name of the recipe.
        failure: Why it was rejected or skipped; empty if it keeps the budget.
        stage: The bundle's stream; null if no bundle was built.
        frame_ms: Time of a new frame on this machine.
        bytes: Size of the parts.
    """

    recipe: str
    failure: str
    stage: ProofStage | None
    frame_ms: float | None
    bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """The proof.

    Attributes:
        accuracy_float: Accuracy of the trained model; null if the clips have no labels of the model.
        stages: Up to five stages: "float Keras" or "ONNX Runtime", "pruned float" of a pruned model, "float
            split", "bundle, whole window", "bundle, stream".
        budget: What the conversion may cost.
        split: How the model was split.
        trials: The recipes tried, in their order.
        events: Events of the bundle in long recordings, compared with the trained model's; null without
            recordings, and if the clips reject the recipe.
        pruning: What was removed from the trained model; null unless requested.
    """

    accuracy_float: float | None
    stages: tuple[ProofStage, ...]
    budget: Budget
    split: SplitSummary
    trials: tuple[TrialSummary, ...]
    events: EventDrift | None = None
    pruning: Pruning | None = None


@dataclass(frozen=True, kw_only=True)
class LayerLosses:
    """The loss of each layer.

    Attributes:
        layers: Layers of every converted part, worst first.
        layers_unmeasured: Parts whose layers could not be measured.
        blame: A sentence that names the layers with the largest loss; empty if a bundle was written.
    """

    layers: tuple[LayerError, ...]
    layers_unmeasured: tuple[Unmeasured, ...]
    blame: str


@dataclass(frozen=True, kw_only=True)
class ValueSummary(ValueDrift):
    """The error of an auxiliary output of the bundle.

    Attributes:
        share_of_span: The mean error as a share of the span.
    """

    share_of_span: float


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Confusion matrices: a row per true class, a column per predicted class, in the order of the labels.

    Attributes:
        float: The trained model's.
        bundle: The bundle's.
    """

    float: Matrix
    bundle: Matrix


@dataclass(frozen=True, kw_only=True)
class ClipDifference:
    """A clip on which the bundle differs from the trained model.

    Attributes:
        path: Class and file name.
        truth: The true class; null if unknown.
        float: The trained model's class.
        float_score: The trained model's score for it.
        bundle: The bundle's class.
        bundle_score: The bundle's score for it.
        max_abs_error: Largest difference of a probability.
    """

    path: str
    truth: str | None
    float: str
    float_score: Number
    bundle: str
    bundle_score: Number
    max_abs_error: Number


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The bundle's answers on the clips, compared with the trained model's.

    Attributes:
        values: Errors of the auxiliary outputs.
        agreement: Share of clips with the trained model's class.
        agreement_held_out: The same without the clips used for calibration; null if none is left.
        max_abs_error: Largest difference of a probability on any clip.
        accuracy_bundle: Share of clips with the true class; null if the clips have no labels of the model.
        confusion: Confusion matrices; null if the clips have no labels of the model.
        worst: Clips with the largest differences; first those with another class.
        latency: Time of a new frame on this machine.
    """

    values: tuple[ValueSummary, ...] = ()
    agreement: float | None = None
    agreement_held_out: float | None = None
    max_abs_error: float | None = None
    accuracy_bundle: float | None = None
    confusion: Confusion | None = None
    worst: tuple[ClipDifference, ...] = ()
    latency: FrameLatency | None = None


@dataclass(frozen=True, kw_only=True)
class TrainedWeightsSummary(TrainedWeights):
    """The weights of the trained model.

    Attributes:
        note: A sentence about pruning; empty if the model was not pruned.
    """

    note: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The parts of the bundle.

    Attributes:
        precision: Precision of each part, by role.
        joined_in_integers: Whether the parts share a grid, so that features pass between them unchanged.
        part_bytes: Size of each part, by role.
        weights: Weights of each part.
        trained_weights: Weights of the trained model.
        placement: Where the operators of each part run.
        calibration: The calibration data; null if nothing is quantised.
        edgetpu: The result of the Edge TPU's compiler (`convert.placement.coral`); null unless requested.
    """

    precision: Mapping[Role, Precision] = field(default_factory=dict)
    joined_in_integers: bool = False
    part_bytes: Mapping[Role, int] = field(default_factory=dict)
    weights: tuple[PartWeights, ...] = ()
    trained_weights: TrainedWeightsSummary | None = None
    placement: tuple[Placement, ...] = ()
    calibration: CalibrationSummary | None = None
    edgetpu: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class DeviceContract:
    """The bundle's contract with the device.

    Attributes:
        notes: Assumptions of the conversion.
        warnings: Warnings for the user.
        window: Frames of a window and their interval.
        input: Format of a frame.
    """

    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    window: Window
    input: InputSpec


@dataclass(frozen=True, kw_only=True)
class Run:
    """How the conversion ran.

    Attributes:
        versions: Versions of Python, edgevid and the packages that influence the result.
        seconds: Duration.
        command: The command line or call.
    """

    versions: Mapping[str, str]
    seconds: float
    command: str


SECTIONS = (Verdict, Source, Clips, Measurements, LayerLosses, Answers, Contents, DeviceContract, Run)
