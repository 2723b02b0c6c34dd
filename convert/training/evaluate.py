"""How right a model is on labelled clips: a trained Keras model and a converted bundle are asked in the same way.

A clip becomes the frames that the device would take of it; a scorer gives the scores of every window of them; the clip's answer is the
class with the greatest mean score. The metrics are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from convert.clips import Clip, centre_window, to_real
from convert.frameworks.tensorflow_setup import import_tensorflow
from edgevid.bundle.manifest import Scores, Window
from edgevid.errors import ClipsError, UsageError
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.frames.sampling import stream_indices
from edgevid.inference.engine import Engine
from edgevid.inference.probabilities import to_probabilities

Views = Literal["centre", "all"]
VIEWS: tuple[Views, ...] = get_args(Views)
Scorer = Callable[[Array], Array]
"""From sampled frames (N, *frame), N >= T, to the scores (M, classes) of windows in them, M >= 1."""

_WINDOWS_AT_ONCE = 32


@dataclass(frozen=True)
class Prediction:
    """The answer for one clip.

    Attributes:
        path: The clip.
        truth: Its class.
        answer: The class with the greatest mean score.
        scores: Mean score of each class over the clip's windows.
    """

    path: Path
    truth: str
    answer: str
    scores: tuple[float, ...]


@dataclass(frozen=True)
class ClassMetrics:
    """How one class fared.

    Attributes:
        label: The class.
        precision: Of the clips answered with it, the fraction that show it; 0 where there are none.
        recall: Of the clips that show it, the fraction answered with it; 0 where there are none.
        f1: Harmonic mean of the two.
        clips: Clips that show it.
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
        labels: The model's classes, in the order of the scores.
        accuracy: Fraction of clips answered rightly.
        precision: Mean over the classes that the clips show.
        recall: The same.
        f1: The same.
        classes: One entry a label.
        confusion: Count of clips by true class (row) and answer (column).
        predictions: One entry a clip.
        skipped: Path and reason of each clip that could not be read.
    """

    labels: tuple[str, ...]
    accuracy: float
    precision: float
    recall: float
    f1: float
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    predictions: tuple[Prediction, ...]
    skipped: tuple[tuple[Path, str], ...] = ()


def evaluate(
    scorer: Scorer,
    clips: Sequence[Clip],
    *,
    labels: Sequence[str],
    window: Window,
    views: Views = "centre",
    progress: Callable[[Sequence[Clip]], Iterator[Clip]] = iter,
) -> Evaluation:
    """Ask a model about every clip and compare.

    Args:
        scorer: The model: `keras_scorer` or `bundle_scorer`.
        clips: Labelled clips, prepared for the model.
        labels: The model's classes, in the order of its scores.
        window: The model's view of time.
        views: "centre" for the window in the middle of each clip, "all" for every window a stream of it would show.
        progress: Wraps the iteration, to show how far it is.

    Returns:
        The metrics.

    Raises:
        ClipsError: A clip has no class, or one that the model does not know.
        UsageError: `views` is neither.
    """
    if views not in VIEWS:
        raise UsageError(expected="views", choices=VIEWS, got=views)
    check_labels(clips, labels)
    predictions = [_predict(scorer, clip, labels, window, views) for clip in progress(clips)]
    return measure(predictions, labels)


def check_labels(clips: Sequence[Clip], labels: Sequence[str]) -> None:
    """Refuse clips that the model cannot be right about.

    Args:
        clips: The clips.
        labels: The model's classes.

    Raises:
        ClipsError: A clip has no class, or one that the model does not know.
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
    """Compute the metrics of a list of answers.

    Args:
        predictions: At least one.
        labels: The classes, in the order of the scores.

    Returns:
        The metrics; means are over the classes that occur as truth.
    """
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    truths, answers = [each.truth for each in predictions], [each.answer for each in predictions]
    precision, recall, f1, counts = precision_recall_fscore_support(
        truths, answers, labels=list(labels), zero_division=0
    )
    shown = counts > 0
    return Evaluation(
        labels=tuple(labels),
        accuracy=float(accuracy_score(truths, answers)),
        precision=float(precision[shown].mean()),
        recall=float(recall[shown].mean()),
        f1=float(f1[shown].mean()),
        classes=tuple(
            ClassMetrics(*row)
            for row in zip(labels, precision.tolist(), recall.tolist(), f1.tolist(), counts.tolist(), strict=True)
        ),
        confusion=tuple(map(tuple, confusion_matrix(truths, answers, labels=list(labels)).tolist())),
        predictions=tuple(predictions),
    )


def keras_scorer(model: Any, spec: InputSpec, window: Window, *, kind: Scores = "softmax") -> Scorer:
    """Ask a Keras model.

    Args:
        model: From (B, T, *frame) float to (B, outputs).
        spec: What it expects of a frame.
        window: Its view of time.
        kind: What its output is.

    Returns:
        A scorer that gives each window of the frames, one frame apart, to the model.
    """
    import_tensorflow()
    import tensorflow as tf

    probabilities = to_probabilities(kind)
    graph = tf.function(
        lambda frames: model(frames, training=False),
        input_signature=[tf.TensorSpec((None, window.frames, *spec.shape), tf.float32)],
    )

    def score(frames: Array) -> Array:
        starts = range(len(frames) - window.frames + 1)
        windows = to_real(frames, spec)
        batches = [starts[first : first + _WINDOWS_AT_ONCE] for first in range(0, len(starts), _WINDOWS_AT_ONCE)]
        outputs = [graph(np.stack([windows[start : start + window.frames] for start in batch])) for batch in batches]
        return probabilities(np.concatenate([np.asarray(output) for output in outputs]))

    return score


def bundle_scorer(engine: Engine) -> Scorer:
    """Ask a bundle, as a stream: frame after frame, from a fresh start for each clip.

    Args:
        engine: The bundle's engine.

    Returns:
        A scorer that gives the scores from the first full window on.
    """
    frames_needed = engine.bundle.manifest.window.frames

    def score(frames: Array) -> Array:
        engine.restart()
        scores: list[Array] = []
        for index, frame in enumerate(frames):
            np.copyto(engine.input_buffer(), frame)
            answer = engine.step()
            if answer is not None and index + 1 >= frames_needed:
                scores.append(answer.copy())
        return np.stack(scores)

    return score


def _predict(scorer: Scorer, clip: Clip, labels: Sequence[str], window: Window, views: Views) -> Prediction:
    frames = centre_window(clip, window) if views == "centre" or window.sampling == "uniform" else _stream(clip, window)
    scores = scorer(frames).mean(axis=0)
    return Prediction(clip.ref.path, str(clip.ref.label), labels[int(scores.argmax())], tuple(map(float, scores)))


def _stream(clip: Clip, window: Window) -> Array:
    """Every frame that a stream of the clip would sample; a clip shorter than a window holds its last."""
    return clip.frames[stream_indices(clip.timestamps_ns.tolist(), frames=window.frames, interval_s=window.interval_s)]
