"""The bundle's answers on the clips, compared with the trained model's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from convert.clips import ClipSet
from convert.precision.builder import BuildJob
from convert.precision.search import RecipeTrial
from convert.reporting.report_schema import Answers, ClipDifference, Confusion, ValueSummary
from convert.verification.examples import Examples
from edgevid.frames import Array

MAX_WORST = 12


def compare_answers(trial: RecipeTrial, examples: Examples, clips: ClipSet, job: BuildJob) -> Answers:
    """Return the report's section on the answers of a trial's bundle; an empty one without a bundle."""
    if trial.stream is None or trial.scores is None:
        return Answers()
    labels = job.contract.labels
    return Answers(
        values=tuple(ValueSummary(**vars(each), share_of_span=each.share) for each in trial.values),
        agreement=trial.stream.agreement,
        agreement_held_out=_held_out(trial.scores, examples, job.calibration.clips),
        max_abs_error=trial.stream.max_abs_error,
        accuracy_bundle=trial.stream.accuracy,
        confusion=_confusion(labels, examples, trial.scores),
        worst=tuple(_differences(clips, examples, trial.scores, labels)),
        latency=trial.latency,
    )


def _held_out(scores: Array, examples: Examples, calibrated: Sequence[int]) -> float | None:
    """Return the agreement on the clips outside the calibration set."""
    held_out = np.setdiff1d(np.arange(len(scores)), calibrated)
    if not len(held_out):
        return None
    return float((scores[held_out].argmax(1) == examples.scores[held_out].argmax(1)).mean())


def _confusion(labels: Sequence[str], examples: Examples, scores: Array) -> Confusion | None:
    if examples.truth is None:
        return None
    from sklearn.metrics import confusion_matrix

    # All classes, so that the matrix is square even if a class has no clip.
    classes = range(len(labels))
    return Confusion(
        float=confusion_matrix(examples.truth, examples.scores.argmax(1), labels=classes).tolist(),
        bundle=confusion_matrix(examples.truth, scores.argmax(1), labels=classes).tolist(),
    )


def _differences(clips: ClipSet, examples: Examples, scores: Array, labels: Sequence[str]) -> Iterator[ClipDifference]:
    for index in worst_clips(examples, scores):
        ref, trained, own = clips.clips[index].ref, examples.scores[index], scores[index]
        yield ClipDifference(
            path=short_path(Path(ref.name)),
            truth=ref.label,
            float=labels[int(trained.argmax())],
            float_score=round(float(trained.max()), 4),
            bundle=labels[int(own.argmax())],
            bundle_score=round(float(own.max()), 4),
            max_abs_error=float(np.abs(own - trained).max()),
        )


def worst_clips(examples: Examples, scores: Array) -> list[int]:
    """Return the clips on which the bundle differs most; first those with another class.

    Args:
        examples: The trained model's scores.
        scores: The bundle's (N, classes).

    Returns:
        At most `MAX_WORST` indices.
    """
    has_other_class = scores.argmax(1) != examples.scores.argmax(1)
    errors = np.abs(scores - examples.scores).max(axis=1)
    # The last key of lexsort is the primary one.
    return [int(index) for index in np.lexsort((-errors, ~has_other_class))[:MAX_WORST]]


def short_path(path: Path) -> str:
    """Return the class and file name of a clip."""
    # Not the whole path: a bundle travels, and must not reveal the folders of the machine that made it.
    return "/".join(path.parts[-2:])
