"""The conversion's report as data: what `report.json` in the bundle and `convert --json` hold."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from convert.build import Job
from convert.clips import Clips
from convert.load import LoadedModel
from convert.search import Examples, Trial
from convert.verify import Stage
from edgevid.bundle import Bundle
from edgevid.engine import Engine
from edgevid.environment import versions
from edgevid.frame import Array
from edgevid.strict import to_json

WORST = 12


def record(
    job: Job, *, trained: LoadedModel, clips: Clips, examples: Examples, stages: Sequence[Stage], trials: Sequence[Trial], seconds: float
) -> dict[str, Any]:
    """Write down a conversion.

    Args:
        job: What was built.
        trained: The model.
        clips: The clips it was proven on.
        examples: Their windows and float answers.
        stages: Float Keras and the float split.
        trials: Precisions tried; the last one is good.
        seconds: How long it took.

    Returns:
        JSON-ready data.
    """
    good = trials[-1]
    assert good.bundle is not None and good.stream is not None and good.scores is not None
    every = [*stages, *(stage for stage in (good.window, good.stream) if stage is not None)]
    return {
        "model": {"file": trained.path.name, "sha256": trained.sha256, "framework": trained.framework, "written_by": trained.written_by},
        "plan": job.plan,
        "precision": {part.role: part.precision for part in good.bundle.manifest.parts},
        "recipe": good.recipe.name,
        "labels": list(job.contract.labels),
        "clips": len(clips.clips),
        "clips_skipped": [{"path": "/".join(path.parts[-2:]), "reason": reason.replace(str(path), path.name)} for path, reason in clips.skipped],
        "clips_calibrated": len(job.calibration.clips),
        "agreement": good.stream.agreement,
        "agreement_held_out": _held_out(good.scores, examples, job.calibration.clips),
        "max_abs_error": good.stream.max_abs_error,
        "accuracy_float": stages[0].accuracy,
        "accuracy_bundle": good.stream.accuracy,
        "stages": [asdict(stage) for stage in every],
        "split": {
            "encoder_layers": list(job.parts.prefix_layers),
            "hoisted": list(job.parts.hoisted),
            "lookback": job.parts.lookback,
            "not_causal": job.parts.not_causal,
        },
        "trials": [{"recipe": trial.recipe.name, "failure": trial.failure, "stage": asdict(trial.stream) if trial.stream else None} for trial in trials],
        "joined_in_integers": _joins(good.bundle),
        "part_bytes": {part.role: len(good.bundle.models[part.file]) for part in good.bundle.manifest.parts},
        "confusion": _confusion(job.contract.labels, examples, good.scores),
        "worst": _worst(clips, examples, good.scores, job.contract.labels),
        "latency": _latency(good.bundle),
        "notes": list(job.contract.notes),
        "window": to_json(job.contract.window),
        "input": to_json(job.contract.input),
        "versions": versions(),
        "seconds": round(seconds, 2),
    }


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


def _worst(clips: Clips, examples: Examples, scores: Array, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The clips on which the bundle differs most, another answer before a larger difference."""
    differs = scores.argmax(1) != examples.scores.argmax(1)
    errors = np.abs(scores - examples.scores).max(axis=1)
    order = np.lexsort((-errors, ~differs))[:WORST]
    return [
        {
            # Class and file, as the folder of clips has them: a bundle travels, and says nothing of the disk that it was made on.
            "path": "/".join(clips.clips[index].ref.path.parts[-2:]),
            "truth": clips.clips[index].ref.label,
            "float": labels[int(examples.scores[index].argmax())],
            "bundle": labels[int(scores[index].argmax())],
            "max_abs_error": float(errors[index]),
        }
        for index in order
    ]


def _latency(bundle: Bundle) -> dict[str, Any]:
    """Interpreter time of the golden stream on this machine, after one warm-up pass."""
    engine = Engine(bundle)
    _stream_ns(engine, bundle.golden.frames)
    engine.restart()
    encode_ns, head_ns = _stream_ns(engine, bundle.golden.frames)
    return {
        "machine": platform.platform(),
        "interpreter": engine.interpreter,
        "encode_ms": _median_ms(encode_ns),
        "head_ms": _median_ms([each for each in head_ns if each]),
        "frames": len(bundle.golden.frames),
    }


def _stream_ns(engine: Engine, frames: Array) -> tuple[list[int], list[int]]:
    encode_ns: list[int] = []
    head_ns: list[int] = []
    for frame in frames:
        np.copyto(engine.slot(), frame)
        engine.step()
        encode_ns.append(engine.encode_ns)
        head_ns.append(engine.head_ns)
    return encode_ns, head_ns


def _median_ms(samples_ns: Sequence[int]) -> float:
    return round(float(np.median(samples_ns)) / 1e6, 4) if samples_ns else 0.0
