"""The windows that prove a conversion, with the float model's scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convert.clips import ClipSet, centre_window, evenly_spread, window_indices
from convert.interface.contract import Contract
from convert.rows import AnyRows, Rows
from convert.splitting.split import Split
from convert.verification.budget import Budget
from convert.verification.reference_answers import ReferenceAnswers
from convert.verification.stages import SPLIT_TOLERANCE, ProofStage, check_split, measure
from convert.verification.value_drift import check_split_values
from edgevid.bundle.golden import Golden
from edgevid.bundle.manifest import Value
from edgevid.errors import ModelError, VerificationFailed
from edgevid.frames import Array

# Frames of the golden stream after its first full window: enough to reveal a ring that is off by one, and few
# enough to ship.
GOLDEN_STEPS = 4
# Encoder calls to measure the float split. A misread layer is wrong on every clip, so a few clips are enough.
SPLIT_CALLS = 512
_MIN_SPLIT_CLIPS = 4


@dataclass(frozen=True)
class Examples:
    """Windows with the float model's outputs, which each bundle is compared with.

    Attributes:
        windows: Prepared frames (N, T, *frame), one window per clip.
        scores: Float Keras (N, classes).
        truth: Class indices (N,); None if the clips have no labels of the model.
        values: Auxiliary outputs of float Keras, (N, size) each.
    """

    windows: AnyRows
    scores: Array
    truth: Array | None
    values: tuple[Array, ...] = ()


def prepare_examples(clips: ClipSet, contract: Contract, reference: ReferenceAnswers) -> Examples:
    """Run the float model on the middle window of each clip.

    Args:
        clips: The clips.
        contract: Its labels give the indices of the classes.
        reference: The float model.

    Raises:
        ModelError: A score is not a finite number.
    """
    windows = Rows(lambda place: centre_window(clips.clips[place], contract.window), range(len(clips.clips)))
    truth = None
    if contract.labelled:
        truth = np.array([contract.labels.index(str(clip.ref.label)) for clip in clips.clips])
    scores = reference.scores(windows)
    _check_finite(scores, clips)
    values = tuple(reference.values(windows)) if contract.values else ()
    return Examples(windows, scores, truth, values)


def _check_finite(scores: Array, clips: ClipSet) -> None:
    nan = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(nan):
        path = clips.clips[int(nan[0])].ref.path
        raise ModelError(
            expected="finite scores",
            found=f"NaN from the trained model on {len(nan)} of {len(scores)} clips, such as {path}",
            path=path,
        )


def float_stages(
    reference: ReferenceAnswers, parts: Split, examples: Examples, values: Sequence[Value]
) -> Iterator[ProofStage]:
    """Measure stages 1 and 2 of the proof.

    Args:
        reference: The float model, whole and split.
        parts: The split model.
        examples: Windows with the float model's outputs.
        values: The auxiliary outputs.

    Yields:
        Each stage before it is checked, so that the report of a failed check has it.

    Raises:
        VerificationFailed: The float split is not the trained model.
    """
    picked = _some_of(examples, parts)
    windows = examples.windows[picked]
    truth = None if examples.truth is None else examples.truth[picked]
    yield measure(reference.name, examples.scores, examples.scores, examples.truth)
    split = measure("float split", reference.split_scores(windows), examples.scores[picked], truth)
    yield split
    # The model's own rounding takes three more passes, so it is measured only if it can excuse the difference.
    check_split(split, rounding=reference.rounding(windows) if split.max_abs_error > SPLIT_TOLERANCE else 0.0)
    if values:
        check_split_values(reference, values, windows, [each[picked] for each in examples.values])


def pruned_stages(
    reference: ReferenceAnswers, pruned: ReferenceAnswers, parts: Split, examples: Examples, budget: Budget
) -> Iterator[ProofStage]:
    """Measure the float stages of a pruned model: as trained, pruned, and split.

    Args:
        reference: The float model as trained.
        pruned: The pruned float model, whole and split.
        parts: The pruned model, split.
        examples: Windows with the trained model's outputs.
        budget: What pruning and precision may cost together.

    Yields:
        Each stage before it is checked, all compared with the trained model.

    Raises:
        VerificationFailed: The pruned model breaks the budget already, or its split is not the pruned model.
    """
    trained = measure(reference.name, examples.scores, examples.scores, examples.truth)
    yield trained
    answers = pruned.scores(examples.windows)
    whole = measure(pruned.name, answers, examples.scores, examples.truth)
    yield whole
    broken = budget.broken(trained, whole)
    if broken:
        raise VerificationFailed(
            expected="the pruned model to keep the budget before it is quantised",
            got=whole.agreement,
            found=broken,
            hint="No bundle was written. Use a larger --prune, more clips, or more --prune-epochs.",
        )
    picked = _some_of(examples, parts)
    windows, scores = examples.windows[picked], pruned.split_scores(examples.windows[picked])
    truth = None if examples.truth is None else examples.truth[picked]
    yield measure("float split", scores, examples.scores[picked], truth)
    split = measure("float split", scores, answers[picked], truth)
    check_split(split, rounding=pruned.rounding(windows) if split.max_abs_error > SPLIT_TOLERANCE else 0.0)


def _some_of(examples: Examples, parts: Split) -> list[int]:
    """Return the places of the clips on which the float split is measured."""
    count = int(np.clip(SPLIT_CALLS // parts.frames, _MIN_SPLIT_CLIPS, len(examples.windows)))
    return evenly_spread(len(examples.windows), count)


def file_stage(examples: Examples) -> ProofStage:
    """Return stage 1 for a file that is already converted: it is its own reference."""
    return measure("the file as it is", examples.scores, examples.scores, examples.truth)


def golden_vectors(clips: ClipSet, contract: Contract, reference: ReferenceAnswers) -> Golden:
    """Return frames of one clip, slightly longer than a window, with the float model's scores."""
    frames_per_window = contract.window.frames
    longest = max(clips.clips, key=lambda clip: clip.duration_s)
    stream = replace(contract.window, frames=frames_per_window + GOLDEN_STEPS)
    frames: Array = longest.frames[window_indices(longest, stream)]
    scores = reference.stream_scores(frames, frames_per_window)
    return Golden(frames, scores, scores, "float Keras")
