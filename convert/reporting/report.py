"""Build the report of a conversion: the data of `report.json`, which the bundle and `convert --json` hold.

`convert.reporting.report_schema` documents its keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.clips import ClipSet, evenly_spread
from convert.loading.load import LoadedModel
from convert.options import Options
from convert.placement.xnnpack import measure
from convert.precision.builder import BuildJob
from convert.precision.experiment import Proof
from convert.precision.search import RecipeTrial, Search
from convert.pruning.prune import Pruning
from convert.quantization.calibration_check import CalibrationSummary, GridEnds, InputRange, by_class
from convert.quantization.layer_errors import Losses, blame
from convert.reporting import report_schema as schema
from convert.reporting.answers import compare_answers, short_path
from convert.reporting.weights import part_weights, sparsity_note, trained_weights
from convert.verification.budget import Budget
from convert.verification.examples import Examples
from convert.verification.stages import ProofStage
from edgevid.bundle import Bundle
from edgevid.schema import to_json
from edgevid.telemetry.environment import versions

# Windows on which the share of features at the ends of their grid is measured.
_MAX_WINDOWS = 8


@dataclass(frozen=True)
class ConversionResult:
    """The result of a conversion, with or without a bundle.

    Attributes:
        job: What the bundles were built from.
        trained: The trained model.
        clips: The user's clips.
        examples: Their windows with the float model's outputs.
        stages: Float Keras and the float split.
        search: The trials of the recipes.
        budget: What the conversion may cost.
        losses: The loss of each layer.
        warnings: Warnings for the user.
        options: The user's options.
        command: The command line or call, for the record.
        pruning: What was removed from the trained model; None for nothing.
    """

    job: BuildJob
    trained: LoadedModel
    clips: ClipSet
    examples: Examples
    stages: Sequence[ProofStage]
    search: Search
    budget: Budget
    losses: Losses
    warnings: Sequence[str]
    options: Options
    command: str = ""
    pruning: Pruning | None = None

    @classmethod
    def of(
        cls,
        proof: Proof,
        trained: LoadedModel,
        cautions: Sequence[str],
        *,
        options: Options,
        command: str,
        pruning: Pruning | None = None,
    ) -> ConversionResult:
        """Collect the measurements of a proof, and measure the loss of each layer.

        Args:
            proof: After `run`, whether or not an error stopped it.
            trained: The trained model.
            cautions: Warnings from before the proof.
            options: The user's options.
            command: The command line or call.
            pruning: What was removed from the trained model; None for nothing.
        """
        search = proof.search
        return cls(
            job=proof.job,
            trained=trained,
            clips=proof.clips,
            examples=proof.examples,
            stages=proof.stages,
            search=search,
            budget=proof.budget,
            losses=proof.builder.losses(search.best_trial.parts),
            warnings=[*cautions, *proof.cautions],
            options=options,
            command=command,
            pruning=pruning,
        )

    @property
    def best(self) -> RecipeTrial:
        """The trial that the report describes."""
        return self.search.best_trial


def record(result: ConversionResult, *, seconds: float) -> dict[str, Any]:
    """Build the report of a conversion.

    Args:
        result: The result of the conversion.
        seconds: Duration of the conversion.

    Returns:
        JSON-ready data with the keys of `report_schema`. If no precision keeps the budget, "failure" is set and
        the rest describes the best trial.
    """
    sections = (
        schema.Verdict(failure=result.search.failure, stopped_by=result.search.stopped_by),
        _source(result),
        _clips(result),
        _measurements(result),
        _layer_losses(result),
        compare_answers(result.best, result.examples, result.clips, result.job),
        _contents(result),
        _device_contract(result),
        schema.Run(versions=versions(), seconds=round(seconds, 2), command=result.command),
    )
    return {key: value for section in sections for key, value in to_json(section).items()}


def as_json(report: Mapping[str, Any]) -> str:
    """Return a report as JSON text.

    Args:
        report: From `record`. NaN and infinity become null, because JSON has neither.
    """
    return json.dumps(_finite(report), indent=1, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _source(result: ConversionResult) -> schema.Source:
    trained = result.trained
    file = schema.ModelFile(
        file=trained.path.name, sha256=trained.sha256, framework=trained.framework, written_by=trained.written_by
    )
    job = result.job
    return schema.Source(model=file, plan=job.plan, recipe=result.best.recipe.name, labels=job.contract.labels)


def _clips(result: ConversionResult) -> schema.Clips:
    return schema.Clips(
        clips=len(result.clips.clips),
        clips_skipped=tuple(
            schema.SkippedClip(path=short_path(path), reason=reason.replace(str(path), path.name))
            for path, reason in result.clips.skipped
        ),
        clips_calibrated=len(result.job.calibration.clips),
    )


def _measurements(result: ConversionResult) -> schema.Measurements:
    best, parts = result.best, result.job.parts
    stages = (*result.stages, best.window, best.stream)
    return schema.Measurements(
        accuracy_float=result.stages[0].accuracy,
        stages=tuple(stage for stage in stages if stage is not None),
        budget=result.budget,
        split=schema.SplitSummary(
            encoder_layers=parts.prefix_layers,
            hoisted=parts.hoisted,
            lookback=parts.lookback,
            not_causal=parts.not_causal,
        ),
        trials=tuple(_trial(trial, result.search.measured_ms) for trial in result.search.trials),
        events=best.events,
        pruning=result.pruning,
    )


def _trial(trial: RecipeTrial, measured_ms: Mapping[str, float]) -> schema.TrialSummary:
    proved_ms = round(trial.latency.encode_ms + trial.latency.head_ms, 4) if trial.latency else None
    return schema.TrialSummary(
        recipe=trial.recipe.name,
        failure=trial.failure,
        stage=trial.stream,
        # On the machine that will run it, where that was named.
        frame_ms=measured_ms.get(trial.recipe.name, proved_ms),
        bytes=sum(map(len, trial.bundle.models.values())) if trial.bundle else None,
    )


def _layer_losses(result: ConversionResult) -> schema.LayerLosses:
    losses = result.losses
    return schema.LayerLosses(
        layers=losses.layers,
        layers_unmeasured=losses.unmeasured,
        blame=blame(losses.layers, result.best.precisions) if result.search.failure else "",
    )


def _contents(result: ConversionResult) -> schema.Contents:
    best = result.best
    bundle = best.bundle
    if bundle is None:
        return schema.Contents()
    weights, trained = part_weights(bundle), trained_weights(result.trained.model)
    return schema.Contents(
        precision=best.precisions,
        joined_in_integers=_joins_in_integers(bundle),
        part_bytes={part.role: len(bundle.models[part.file]) for part in best.parts},
        weights=tuple(weights),
        trained_weights=schema.TrainedWeightsSummary(**vars(trained), note=sparsity_note(trained, weights)),
        placement=tuple(measure(bundle)),
        calibration=_calibration(result, bundle),
    )


def _joins_in_integers(bundle: Bundle) -> bool:
    first, last = bundle.manifest.parts[0], bundle.manifest.parts[-1]
    return first is last or first.outputs[0].params.same_grid(last.inputs[0].params)


def _calibration(result: ConversionResult, bundle: Bundle) -> CalibrationSummary | None:
    inputs = _ranges(result)
    if not inputs:
        return None
    calibrated = result.job.calibration.clips
    return CalibrationSummary(
        clips=len(calibrated),
        of=len(result.clips.clips),
        classes=by_class(result.clips, calibrated),
        inputs=tuple(inputs),
        features_at_ends=_grid_ends(result, bundle),
    )


def _ranges(result: ConversionResult) -> list[InputRange]:
    # The builder also holds the parts of rejected recipes.
    ranges = result.search.builder.ranges
    return [each for part, inputs in ranges.items() if part.part in result.best.parts for each in inputs]


def _grid_ends(result: ConversionResult, bundle: Bundle) -> GridEnds:
    windows, calibration = result.examples.windows, result.job.calibration
    unseen = np.setdiff1d(np.arange(len(windows)), calibration.clips)
    unseen = unseen[evenly_spread(len(unseen), _MAX_WINDOWS)]
    if bundle.manifest.plan == "stack" or bundle.manifest.is_one_step:
        return GridEnds(calibrated=None, unseen=None, unseen_windows=len(unseen))
    encoder, builder = bundle.manifest.parts[0], result.search.builder
    data = bundle.models[encoder.file]
    return GridEnds(
        calibrated=builder.share_at_grid_ends(encoder, data, calibration.windows[:_MAX_WINDOWS]),
        unseen=builder.share_at_grid_ends(encoder, data, windows[unseen]),
        unseen_windows=len(unseen),
    )


def _device_contract(result: ConversionResult) -> schema.DeviceContract:
    contract = result.job.contract
    return schema.DeviceContract(
        notes=contract.notes,
        warnings=(*result.warnings, *_clipped_inputs(result.search)),
        window=contract.window,
        input=contract.input,
    )


def _clipped_inputs(search: Search) -> list[str]:
    # Only a file that someone else calibrated gets here: for our own parts `check` has raised an error.
    return [
        f"the clips reach from {each.low:.4g} to {each.high:.4g}, but the file only accepts "
        f"{each.grid_low:.4g} to {each.grid_high:.4g}: values beyond are clipped"
        for inputs in search.builder.ranges.values()
        for each in inputs
        if each.exceeds_grid
    ]
