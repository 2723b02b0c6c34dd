"""The windows that a conversion is proven on, and the float model's answers for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from convert.interface.contract import Contract
from convert.verification.stages import ProofStage, measure
from edgevid.bundle.golden import Golden
from edgevid.bundle.manifest import Value
from edgevid.errors import ModelError
from edgevid.frames import Array

if TYPE_CHECKING:
    from convert.clips import ClipSet
    from convert.splitting.split import Split
    from convert.verification.reference_answers import ReferenceAnswers


# Frames of the golden stream after its first full window: enough to catch a ring that is off by one, few enough to ship.
GOLDEN_STEPS = 4


# Encoder calls spent on holding the float split against the float model: a layer that was misread is wrong on every clip.
SPLIT_CALLS = 512


@dataclass(frozen=True)
class Examples:
    """What every candidate is held against.

    Attributes:
        windows: (N, T, *frame) prepared frames, one window a clip.
        scores: (N, classes), float Keras.
        truth: (N,) class indices, or None.
        values: (N, size) for each value beside the scores, float Keras.
    """

    windows: Array
    scores: Array
    truth: Array | None
    values: tuple[Array, ...] = ()


def prepare_examples(clips: ClipSet, settled: Contract, reference: ReferenceAnswers) -> Examples:
    """Ask the float model about the window in the middle of each clip.

    Args:
        clips: The clips that were read.
        settled: The contract.
        reference: The float model.

    Returns:
        Windows, answers and truth.

    Raises:
        ModelError: The model answers with NaN.
    """
    from convert.clips import centre_window

    windows = np.stack([centre_window(clip, settled.window) for clip in clips.clips])
    truth = np.array([settled.labels.index(str(clip.ref.label)) for clip in clips.clips]) if settled.labelled else None
    scores = reference.scores(windows)
    lost = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(lost):
        where = clips.clips[int(lost[0])].ref.path
        raise ModelError(
            expected="scores",
            found=f"NaN from the trained model on {len(lost)} of {len(scores)} clips, {where} for one",
            path=where,
        )
    values = tuple(reference.values(windows)) if settled.values else ()
    return Examples(windows, scores, truth, values)


def float_stages(
    reference: ReferenceAnswers, parts: Split, examples: Examples, values: Sequence[Value]
) -> Iterator[ProofStage]:
    """Stages 1 and 2 of the proof, each as soon as it is known; the second on as many clips as `SPLIT_CALLS` allow."""
    from convert.verification.stages import SPLIT_TOLERANCE, check_split
    from convert.verification.value_drift import check_split_values

    count = int(np.clip(SPLIT_CALLS // parts.frames, 4, len(examples.windows)))
    picked = np.unique(np.linspace(0, len(examples.windows) - 1, count).astype(int))
    truth = None if examples.truth is None else examples.truth[picked]
    yield measure("float Keras", examples.scores, examples.scores, examples.truth)
    parted = measure("float split", reference.split_scores(examples.windows[picked]), examples.scores[picked], truth)
    yield parted
    check_split(
        parted, rounding=reference.rounding(examples.windows[picked]) if parted.max_abs_error > SPLIT_TOLERANCE else 0.0
    )
    if values:
        check_split_values(reference, values, examples.windows[picked], [each[picked] for each in examples.values])


def file_stage(examples: Examples) -> list[ProofStage]:
    """The one stage before the bundle of a file that was converted elsewhere."""
    return [measure("the file as it is", examples.scores, examples.scores, examples.truth)]


def golden_vectors(clips: ClipSet, settled: Contract, reference: ReferenceAnswers) -> Golden:
    """Frames of one clip, a few longer than a window, with the float model's answers."""
    from convert.clips import window_indices

    length = settled.window.frames + GOLDEN_STEPS
    longest = max(clips.clips, key=lambda clip: clip.duration_s)
    frames: Array = longest.frames[window_indices(longest, replace(settled.window, frames=length))]
    windows = np.stack([frames[start : start + settled.window.frames] for start in range(GOLDEN_STEPS + 1)])
    scores = reference.scores(windows)
    return Golden(frames, scores, scores, "float Keras")
