"""Evaluation of a trained Keras model or a converted bundle on labelled clips.

Both are evaluated in the same way. A clip is sampled as the device would sample it, and a scorer
returns the scores of every window. The answer for the clip is the class with the highest mean
score. scikit-learn computes the metrics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from convert.clips import Clip, ClipRef, centre_window, to_real
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.rows import BATCH_BYTES, AnyRows, Rows
from convert.splits.folds import interval
from edgevid.bundle.manifest import Scores, Window
from edgevid.errors import ClipsError, UsageError
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.frames.sampling import stream_indices
from edgevid.inference.engine import Engine
from edgevid.inference.probabilities import to_probabilities
from edgevid.schema import optional

Views = Literal["centre", "all"]
VIEWS: tuple[Views, ...] = get_args(Views)
Scorer = Callable[[AnyRows], Array]
"""Maps sampled frames (N, *frame), N >= T, to the scores (M, classes) of their windows, M >= 1."""

# A batch holds as many windows as fit into `BATCH_BYTES` in float32, and at most these.
_MAX_BATCH = 32


@dataclass(frozen=True)
class Prediction:
    """The answer for one clip.

    Attributes:
        path: The file of the clip.
        truth: The class of the clip.
        answer: The class with the highest mean score.
        scores: Mean score of each class over the clip's windows.
        start_s: Where the clip begins in the file; None for a whole file.
        end_s: Where it ends; None for a whole file.
    """

    path: Path
    truth: str
    answer: str
    scores: tuple[float, ...]
    start_s: float | None = optional(None)
    end_s: float | None = optional(None)


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class.

    Attributes:
        label: The class.
        precision: Fraction of the clips answered with the class that show it; 0 without such clips.
        recall: Fraction of the clips that show the class that are answered with it; 0 without such
            clips.
        f1: Harmonic mean of precision and recall.
        clips: Number of clips that show the class.
    """

    label: str
    precision: float
    recall: float
    f1: float
    clips: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Metrics over labelled clips.

    Attributes:
        labels: Classes of the model, in the order of the scores.
        accuracy: Fraction of clips with the correct answer.
        low: Lower end of its 95 % interval, with the clips taken for independent.
        high: Upper end of its 95 % interval.
        precision: Mean precision of the classes that the clips show.
        recall: Mean recall of the classes that the clips show.
        f1: Mean F1 of the classes that the clips show.
        classes: One entry per label.
        confusion: Number of clips by true class (row) and answer (column).
        predictions: One entry per clip.
        skipped: Path and reason of each clip that cannot be read.
    """

    labels: tuple[str, ...]
    accuracy: float
    low: float
    high: float
    precision: float
    recall: float
    f1: float
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    predictions: tuple[Prediction, ...]
    skipped: tuple[tuple[Path, str], ...] = ()

    @property
    def chance(self) -> float:
        """Accuracy of always answering the most frequent class."""
        return max(each.clips for each in self.classes) / len(self.predictions)


def evaluate(
    scorer: Scorer,
    clips: Sequence[Clip],
    *,
    labels: Sequence[str],
    window: Window,
    views: Views = "centre",
    progress: Callable[[Sequence[Clip]], Iterable[Clip]] = iter,
) -> Evaluation:
    """Evaluate a model on labelled clips.

    Args:
        scorer: The model, from `keras_scorer` or `bundle_scorer`.
        clips: Labelled clips, prepared for the model.
        labels: Classes of the model, in the order of its scores.
        window: Window of the model.
        views: "centre" for the window in the middle of each clip, "all" for every window that a
            stream of the clip would contain.
        progress: Wraps the iteration over the clips.

    Returns:
        The metrics, without the clips that cannot be read.

    Raises:
        ClipsError: A clip has no class, or a class that the model does not know.
        UsageError: `views` is not legal.
    """
    if views not in VIEWS:
        raise UsageError(expected="views", choices=VIEWS, got=views)
    check_labels(clips, labels)
    predictions = [_predict(scorer, clip, labels, window, views) for clip in progress(clips)]
    return measure(predictions, labels)


def check_labels(clips: Sequence[Clip], labels: Sequence[str]) -> None:
    """Reject clips that the model cannot answer correctly.

    Args:
        clips: The clips.
        labels: Classes of the model.

    Raises:
        ClipsError: A clip has no class, or a class that the model does not know.
    """
    for clip in clips:
        if clip.ref.label not in labels:
            found = "none" if clip.ref.label is None else repr(clip.ref.label)
            raise ClipsError(
                expected=f"clips of the model's classes ({', '.join(labels)})",
                got=clip.ref.label,
                found=f"{found} for {clip.ref.path}",
                path=clip.ref.path,
            )


def measure(predictions: Sequence[Prediction], labels: Sequence[str]) -> Evaluation:
    """Compute the metrics of predictions.

    Args:
        predictions: At least one.
        labels: Classes of the model, in the order of the scores.

    Returns:
        The metrics. The means are over the classes that occur as truth.
    """
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    truths, answers = [each.truth for each in predictions], [each.answer for each in predictions]
    # Zero instead of a warning for a class without clips or answers.
    precision, recall, f1, counts = precision_recall_fscore_support(
        truths, answers, labels=list(labels), zero_division=0
    )
    # A class that no clip shows has no recall, and a 0 for it would lower the means.
    occurs = counts > 0
    accuracy = float(accuracy_score(truths, answers))
    low, high = interval(round(accuracy * len(truths)), len(truths))
    return Evaluation(
        labels=tuple(labels),
        accuracy=accuracy,
        low=low,
        high=high,
        precision=float(precision[occurs].mean()),
        recall=float(recall[occurs].mean()),
        f1=float(f1[occurs].mean()),
        classes=tuple(
            ClassMetrics(*row)
            for row in zip(labels, precision.tolist(), recall.tolist(), f1.tolist(), counts.tolist(), strict=True)
        ),
        confusion=tuple(map(tuple, confusion_matrix(truths, answers, labels=list(labels)).tolist())),
        predictions=tuple(predictions),
    )


def keras_scorer(model: Any, spec: InputSpec, window: Window, *, kind: Scores = "softmax") -> Scorer:
    """Return a scorer that runs a Keras model on every window, one frame apart.

    Args:
        model: Maps (B, T, *frame) float32 to (B, outputs).
        spec: Input frames of the model.
        window: Window of the model.
        kind: Meaning of the outputs.
    """
    import_tensorflow()
    import tensorflow as tf

    probabilities = to_probabilities(kind)
    # The open batch axis makes one traced graph serve every batch size.
    graph = tf.function(
        lambda frames: model(frames, training=False),
        input_signature=[tf.TensorSpec((None, window.frames, *spec.shape), tf.float32)],
    )

    size = int(np.clip(BATCH_BYTES // (math.prod((window.frames, *spec.shape)) * 4), 1, _MAX_BATCH))
    overlap = window.frames - 1

    def batch(frames: AnyRows) -> Array:
        real = to_real(np.stack(list(frames)), spec)
        # (M, T, *frame), a view: windows share their frames until TensorFlow copies them.
        return np.moveaxis(sliding_window_view(real, window.frames, axis=0), -1, 1)

    def score(frames: AnyRows) -> Array:
        firsts = range(0, len(frames) - overlap, size)
        outputs = [np.asarray(graph(batch(frames[first : first + size + overlap]))) for first in firsts]
        return probabilities(np.concatenate(outputs))

    return score


def bundle_scorer(engine: Engine) -> Scorer:
    """Return a scorer that streams the frames of each clip through a bundle.

    The engine restarts before each clip. The scores begin with the first full window.
    """
    frames_needed = engine.bundle.manifest.window.frames

    def score(frames: AnyRows) -> Array:
        engine.restart()
        scores: list[Array] = []
        for index, frame in enumerate(frames):
            np.copyto(engine.input_buffer(), frame)
            answer = engine.step()
            # A stateful plan answers before the window is full; the Keras model cannot.
            if answer is not None and index + 1 >= frames_needed:
                # The engine overwrites its answer with the next step.
                scores.append(answer.copy())
        return np.stack(scores)

    return score


def _predict(scorer: Scorer, clip: Clip, labels: Sequence[str], window: Window, views: Views) -> Prediction:
    # A window of uniform sampling spans its whole clip, so there is only one.
    is_one_window = views == "centre" or window.sampling == "uniform"
    frames = centre_window(clip, window) if is_one_window else _stream(clip, window)
    return prediction(clip.ref, scorer(frames).mean(axis=0), labels)


def prediction(ref: ClipRef, scores: Array, labels: Sequence[str]) -> Prediction:
    """Return the answer for a clip.

    Args:
        ref: The clip.
        scores: (classes,) its score of each class.
        labels: Classes, in the order of the scores.
    """
    part = ref.segment
    return Prediction(
        ref.path,
        str(ref.label),
        labels[int(scores.argmax())],
        tuple(map(float, scores)),
        start_s=part.start_s if part else None,
        end_s=part.end_s if part else None,
    )


def _stream(clip: Clip, window: Window) -> Rows:
    """Return every frame that a stream would sample, unread; a short clip repeats its last frame."""
    indices = stream_indices(clip.timestamps_ns.tolist(), frames=window.frames, interval_s=window.interval_s)
    return Rows.of(clip.frames)[indices]
