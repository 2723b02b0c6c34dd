"""The conversion's report as data: what `report.json` in the bundle and `convert --json` hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from convert.clips import ClipSet
from convert.loading.load import LoadedModel
from convert.options import Options
from convert.placement.xnnpack import measure
from convert.precision.builder import BuildJob
from convert.precision.proof import Proof
from convert.precision.search import RecipeTrial, Search
from convert.quantization.calibration_check import InputRange, summary
from convert.quantization.layer_errors import Losses, blame
from convert.reporting.weights import part_weights, sparsity_note, trained_weights
from convert.verification.examples import Examples
from convert.verification.stages import Budget, ProofStage
from edgevid.bundle import Bundle
from edgevid.frames import Array
from edgevid.schema import to_json
from edgevid.telemetry.environment import versions

WORST = 12
# Windows that calibration did not see, on which its features are looked at again.
_UNSEEN = 8


@dataclass(frozen=True)
class ConversionResult:
    """All that there is to tell of a conversion, good or not.

    Attributes:
        job: What was built.
        trained: The model.
        clips: The clips it was proven on.
        examples: Their windows and float answers.
        stages: Float Keras and the float split.
        search: Precisions tried.
        budget: What the conversion may cost.
        losses: What its precision costs each layer.
        warnings: What a person should know.
        options: How it was asked for.
        command: The same in words, for the record.
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

    @classmethod
    def of(
        cls, proof: Proof, trained: LoadedModel, cautions: Sequence[str], *, options: Options, command: str
    ) -> ConversionResult:
        """Bring together what a proof measured, and measure what its precision costs each layer.

        Args:
            proof: It ran, or an error ended it.
            trained: The model.
            cautions: What was to be said before the proof.
            options: How it was asked for.
            command: The same in words.

        Returns:
            Everything for the report.
        """
        found = proof.search
        parts = found.best_trial.bundle.manifest.parts if found.best_trial.bundle is not None else ()
        return cls(
            job=proof.job,
            trained=trained,
            clips=proof.clips,
            examples=proof.examples,
            stages=proof.stages,
            search=found,
            budget=proof.budget,
            losses=proof.builder.losses(parts),
            warnings=[*cautions, *proof.cautions],
            options=options,
            command=command,
        )


def record(story: ConversionResult, *, seconds: float) -> dict[str, Any]:
    """Write down a conversion.

    Args:
        story: What happened.
        seconds: How long it took.

    Returns:
        JSON-ready data. Where no precision keeps the budget, "failure" says so and the rest is of the one that came nearest.
    """
    job, trained, shown = story.job, story.trained, story.search.best_trial
    return {
        "failure": story.search.failure,
        "stopped_by": story.search.stopped_by,
        "model": {
            "file": trained.path.name,
            "sha256": trained.sha256,
            "framework": trained.framework,
            "written_by": trained.written_by,
        },
        "plan": job.plan,
        "recipe": shown.recipe.name,
        "labels": list(job.contract.labels),
        **_clips(story),
        "accuracy_float": story.stages[0].accuracy,
        "stages": [asdict(stage) for stage in (*story.stages, shown.window, shown.stream) if stage is not None],
        "budget": asdict(story.budget),
        "split": {
            "encoder_layers": list(job.parts.prefix_layers),
            "hoisted": list(job.parts.hoisted),
            "lookback": job.parts.lookback,
            "not_causal": job.parts.not_causal,
        },
        "trials": [_trial(trial) for trial in story.search.trials],
        "layers": [asdict(layer) for layer in story.losses.layers],
        "layers_unmeasured": [asdict(each) for each in story.losses.unmeasured],
        "blame": _blame(story, shown) if story.search.failure else "",
        "values": [asdict(each) | {"share_of_span": each.share} for each in shown.values],
        **_answers(story, shown),
        **_bundle(story, shown),
        "edgetpu": None,
        "notes": list(job.contract.notes),
        "warnings": [*story.warnings, *_cut(story.search)],
        "window": to_json(job.contract.window),
        "input": to_json(job.contract.input),
        "versions": versions(),
        "seconds": round(seconds, 2),
        "command": story.command,
    }


def as_json(report: Mapping[str, Any]) -> str:
    """Write a report down as JSON that every program reads.

    Args:
        report: As `record` gives it.

    Returns:
        Text; a number that is none, as the error of an answer that was not a number, is null.
    """
    return json.dumps(_finite(report), indent=1, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _blame(story: ConversionResult, shown: RecipeTrial) -> str:
    tried = {part.role: part.precision for part in shown.bundle.manifest.parts} if shown.bundle is not None else {}
    return blame(story.losses.layers, tried)


def _clips(story: ConversionResult) -> dict[str, Any]:
    clips = story.clips
    return {
        "clips": len(clips.clips),
        "clips_skipped": [
            {"path": "/".join(path.parts[-2:]), "reason": reason.replace(str(path), path.name)}
            for path, reason in clips.skipped
        ],
        "clips_calibrated": len(story.job.calibration.clips),
    }


def _trial(trial: RecipeTrial) -> dict[str, Any]:
    return {
        "recipe": trial.recipe.name,
        "failure": trial.failure,
        "stage": asdict(trial.stream) if trial.stream else None,
        "frame_ms": round(trial.latency.encode_ms + trial.latency.head_ms, 4) if trial.latency else None,
        "bytes": sum(map(len, trial.bundle.models.values())) if trial.bundle else None,
    }


def _answers(story: ConversionResult, shown: RecipeTrial) -> dict[str, Any]:
    """What the bundle answered; None in every field where no bundle could be made."""
    if shown.stream is None or shown.scores is None:
        return dict.fromkeys(
            ("agreement", "agreement_held_out", "max_abs_error", "accuracy_bundle", "confusion", "latency")
        ) | {"worst": []}
    labels, examples = story.job.contract.labels, story.examples
    return {
        "agreement": shown.stream.agreement,
        "agreement_held_out": _held_out(shown.scores, examples, story.job.calibration.clips),
        "max_abs_error": shown.stream.max_abs_error,
        "accuracy_bundle": shown.stream.accuracy,
        "confusion": _confusion(labels, examples, shown.scores),
        "worst": _worst(story.clips, examples, shown.scores, labels),
        "latency": asdict(shown.latency) if shown.latency else None,
    }


def _bundle(story: ConversionResult, shown: RecipeTrial) -> dict[str, Any]:
    """What the bundle is made of; empty where none could be made."""
    bundle = shown.bundle
    if bundle is None:
        return {
            "precision": {},
            "joined_in_integers": False,
            "part_bytes": {},
            "weights": [],
            "trained_weights": None,
            "placement": [],
            "calibration": None,
        }
    weights, trained = part_weights(bundle), trained_weights(story.trained.model)
    return {
        "precision": {part.role: part.precision for part in bundle.manifest.parts},
        "joined_in_integers": _joins(bundle),
        "part_bytes": {part.role: len(bundle.models[part.file]) for part in bundle.manifest.parts},
        "weights": [asdict(each) for each in weights],
        "trained_weights": asdict(trained) | {"note": sparsity_note(trained, weights)},
        "placement": [asdict(each) for each in measure(bundle)],
        "calibration": _calibration(story, bundle),
    }


def _calibration(story: ConversionResult, bundle: Bundle) -> dict[str, Any] | None:
    found = _ranges(story.search, bundle)
    if not found:
        return None
    chosen, first = story.job.calibration.clips, bundle.manifest.parts[0]
    unseen = np.setdiff1d(np.arange(len(story.examples.windows)), chosen)
    unseen = (
        unseen[np.unique(np.linspace(0, len(unseen) - 1, min(len(unseen), _UNSEEN)).astype(int))]
        if len(unseen)
        else unseen
    )
    shares: list[float | None] = [None, None]
    if bundle.manifest.plan != "stack":
        seen = story.job.calibration.windows[:_UNSEEN]
        shares = [
            story.search.builder.at_the_ends(first, bundle.models[first.file], windows)
            for windows in (seen, story.examples.windows[unseen])
        ]
    return summary(found, story.clips, chosen, ends_calibrated=shares[0], ends_unseen=shares[1], unseen=len(unseen))


def _cut(search: Search) -> list[str]:
    """What only a file that someone else calibrated can have: clips that reach beyond its grid."""
    return [
        f"the clips reach from {each.low:.4g} to {each.high:.4g}, the file takes {each.grid_low:.4g} to {each.grid_high:.4g}: what lies beyond is cut"
        for found in search.builder.ranges.values()
        for each in found
        if each.cut
    ]


def _ranges(search: Search, bundle: Bundle) -> list[InputRange]:
    return [
        each for made, found in search.builder.ranges.items() if made.part in bundle.manifest.parts for each in found
    ]


def _held_out(scores: Array, examples: Examples, calibrated: Sequence[int]) -> float | None:
    """Agreement on the clips that calibration did not see."""
    held = np.setdiff1d(np.arange(len(scores)), calibrated)
    return float((scores[held].argmax(1) == examples.scores[held].argmax(1)).mean()) if len(held) else None


def _joins(bundle: Bundle) -> bool:
    first, last = bundle.manifest.parts[0], bundle.manifest.parts[-1]
    return first is last or first.outputs[0].params.same_grid(last.inputs[0].params)


def _confusion(labels: Sequence[str], examples: Examples, scores: Array) -> dict[str, list[list[int]]] | None:
    if examples.truth is None:
        return None
    from sklearn.metrics import confusion_matrix

    names = range(len(labels))
    answers = {"float": examples.scores.argmax(1), "bundle": scores.argmax(1)}
    return {name: confusion_matrix(examples.truth, given, labels=names).tolist() for name, given in answers.items()}


def _worst(clips: ClipSet, examples: Examples, scores: Array, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The clips on which the bundle differs most, another answer before a larger difference."""
    return [
        {
            # Class and file, as the folder of clips has them: a bundle travels, and says nothing of the disk that it was made on.
            "path": "/".join(clips.clips[index].ref.path.parts[-2:]),
            "truth": clips.clips[index].ref.label,
            "float": labels[int(examples.scores[index].argmax())],
            "float_score": round(float(examples.scores[index].max()), 4),
            "bundle": labels[int(scores[index].argmax())],
            "bundle_score": round(float(scores[index].max()), 4),
            "max_abs_error": float(np.abs(scores[index] - examples.scores[index]).max()),
        }
        for index in worst(examples, scores)
    ]


def worst(examples: Examples, scores: Array) -> list[int]:
    """Order clips by how much the bundle differs on them.

    Args:
        examples: The float answers.
        scores: (N, classes), the bundle's.

    Returns:
        At most `WORST` indices, another answer before a larger difference.
    """
    differs = scores.argmax(1) != examples.scores.argmax(1)
    errors = np.abs(scores - examples.scores).max(axis=1)
    return [int(index) for index in np.lexsort((-errors, ~differs))[:WORST]]
