"""Answers at each moment, as online action detection measures them.

An answer is compared with what happens at the time of its newest frame. It has not seen more, so
that the delay of the model counts as error here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from convert.event_metrics.trace import Answered, truth_at


@dataclass(frozen=True)
class FrameMetrics:
    """Metrics of single answers.

    Attributes:
        answers: Number of answers.
        accuracy: Share of them with the label that is true; None if the model has no background
            class and nothing ever happens.
        average_precision: Average precision of each class that occurs, over all answers ordered by
            its score (area under precision over recall, without interpolation).
        mean_average_precision: Mean over the classes besides background; None if none occurs.
    """

    answers: int
    accuracy: float | None
    average_precision: Mapping[str, float]
    mean_average_precision: float | None


def measure_frames(recordings: Sequence[Answered], labels: Sequence[str], background: Sequence[str]) -> FrameMetrics:
    """Compare each answer with the truth at its time.

    Args:
        recordings: Recordings with scores.
        labels: Classes of the model, in the order of the scores.
        background: Classes that are never events. Where nothing happens, an answer with one of them
            is right; a model without them is not asked there for its accuracy.
    """
    from sklearn.metrics import average_precision_score

    truth = np.array([label for each in recordings for label in truth_at(each.trace.times_s, each.truth)], dtype=object)
    scores = np.concatenate([each.trace.scores for each in recordings])
    answers = np.array(labels, dtype=object)[scores.argmax(axis=1)]
    is_quiet = np.array([answer in background for answer in answers], bool)
    asked = np.full(len(truth), True) if background else truth != ""
    is_right = np.where(truth == "", is_quiet, answers == truth)
    precisions = {
        label: float(average_precision_score(truth == label, scores[:, index]))
        for index, label in enumerate(labels)
        if np.any(truth == label)
    }
    return FrameMetrics(
        answers=len(truth),
        accuracy=float(is_right[asked].mean()) if asked.any() else None,
        average_precision=precisions,
        mean_average_precision=float(np.mean(list(precisions.values()))) if precisions else None,
    )
