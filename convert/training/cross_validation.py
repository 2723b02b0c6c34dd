"""What held-out folds show: accuracy with its interval, by fold and by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convert.splits.folds import interval
from convert.training.metrics import Evaluation, Prediction, measure


@dataclass(frozen=True)
class Score:
    """Accuracy on some clips.

    Attributes:
        accuracy: Fraction of clips with the correct answer.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        clips: Number of clips.
    """

    accuracy: float
    low: float
    high: float
    clips: int


@dataclass(frozen=True, kw_only=True)
class FoldScore:
    """What one fold showed.

    Attributes:
        groups: The groups that were held out; empty if the clips have none.
        method: What was fitted, such as streams and head, chosen without the fold's clips.
        score: Accuracy on the fold's clips.
    """

    groups: tuple[str, ...]
    method: str
    score: Score


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Answers to clips that were held out in turn.

    Attributes:
        score: Accuracy over all clips.
        folds: In the order of the folds.
        groups: By group, the worst first; empty if the clips have none.
        evaluation: All metrics over all clips.
        int8: Accuracy with the encoder in int8; None if it was not measured.
    """

    score: Score
    folds: tuple[FoldScore, ...]
    groups: Mapping[str, Score]
    evaluation: Evaluation
    int8: Score | None = None

    @property
    def chance(self) -> float:
        """Accuracy of always answering the most frequent class."""
        return max(each.clips for each in self.evaluation.classes) / self.score.clips

    @property
    def is_learned(self) -> bool:
        """Whether the accuracy is above chance by more than its interval."""
        return self.score.low > self.chance


def score_of(predictions: Sequence[Prediction]) -> Score:
    """Return the accuracy of predictions, at least one, with its interval.

    The interval takes clips for independent. Clips of one group are alike, so with few groups the
    truth is less certain than it says.
    """
    correct = sum(each.answer == each.truth for each in predictions)
    low, high = interval(correct, len(predictions))
    return Score(correct / len(predictions), low, high, len(predictions))


def summarise(
    predictions: Sequence[Sequence[Prediction]],
    groups: Sequence[Sequence[str]],
    methods: Sequence[str],
    *,
    labels: Sequence[str],
    int8: Sequence[Prediction] = (),
) -> CrossValidation:
    """Sum up the answers of all folds.

    Args:
        predictions: For each fold the answers to its held-out clips.
        groups: For each fold the group of each of them.
        methods: For each fold what was fitted.
        labels: Classes, in the order of the scores.
        int8: The answers to all clips with the encoder in int8.
    """
    every = [each for fold in predictions for each in fold]
    by_group: dict[str, list[Prediction]] = {}
    for fold, names in zip(predictions, groups, strict=True):
        for prediction, name in zip(fold, names, strict=True):
            if name:
                by_group.setdefault(name, []).append(prediction)
    scores = {name: score_of(each) for name, each in by_group.items()}
    return CrossValidation(
        score=score_of(every),
        folds=tuple(
            FoldScore(groups=tuple(sorted({name for name in names if name})), method=method, score=score_of(fold))
            for fold, names, method in zip(predictions, groups, methods, strict=True)
        ),
        groups=dict(sorted(scores.items(), key=lambda item: (item[1].accuracy, item[0]))),
        evaluation=measure(every, labels),
        int8=score_of(int8) if int8 else None,
    )
