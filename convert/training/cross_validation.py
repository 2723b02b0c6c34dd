"""What held-out folds show: accuracy with its interval, by fold and by group."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from convert.splits.folds import interval, paired_interval
from convert.training.metrics import Evaluation, Prediction, measure

# A choice among candidates takes two clips of each class.
_FEWEST, _FEWER_COUNTS = 2, 4


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
class Change:
    """Change of the accuracy from fewer clips of each class to more of them.

    Attributes:
        before: Clips of each class at first.
        after: Clips of each class then.
        change: Difference of the accuracies.
        low: Lower end of its 95 % interval, with the clips taken for independent.
        high: Upper end of its 95 % interval.
    """

    before: int
    after: int
    change: float
    low: float
    high: float

    def extended(self, more: int, *, most: float) -> Change:
        """Return what more clips bring if each doubling brings what this one did per doubling.

        Args:
            more: Further clips of each class.
            most: Largest change that is possible.
        """
        factor = math.log2((self.after + more) / self.after) / math.log2(self.after / self.before)
        change, low, high = (min(each * factor, most) for each in (self.change, self.low, self.high))
        return Change(before=self.after, after=self.after + more, change=change, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class LearningPoint:
    """Accuracy after learning from some clips of each class.

    Attributes:
        clips_per_class: Clips of each class that were learned from, at most.
        score: Accuracy on all held-out clips.
    """

    clips_per_class: int
    score: Score


@dataclass(frozen=True, kw_only=True)
class LearningCurve:
    """Accuracy on the same held-out clips after learning from fewer and from more clips.

    Attributes:
        points: At least two, with fewer clips first; the last one learned from all clips.
        last: From the last point but one to the last.
    """

    points: tuple[LearningPoint, ...]
    last: Change

    def forecast(self, more: int) -> Change:
        """Return what more clips of each class may bring. The interval is that of `last`, carried on."""
        return self.last.extended(more, most=1.0 - self.points[-1].score.accuracy)


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Answers to clips that were held out in turn.

    Attributes:
        score: Accuracy over all clips.
        folds: In the order of the folds.
        groups: By group, the worst first; empty if the clips have none.
        evaluation: All metrics over all clips.
        int8: Accuracy with the encoder in int8; None if it was not measured.
        curve: Accuracy by the number of clips of each class; None if it was not measured.
    """

    score: Score
    folds: tuple[FoldScore, ...]
    groups: Mapping[str, Score]
    evaluation: Evaluation
    int8: Score | None = None
    curve: LearningCurve | None = None

    @property
    def chance(self) -> float:
        """Accuracy of always answering the most frequent class."""
        return self.evaluation.chance

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


def measure_curve(
    measured: CrossValidation, most: int, measure_with: Callable[[int], CrossValidation]
) -> LearningCurve | None:
    """Measure the accuracy with fewer clips of each class, each time half of them.

    Args:
        measured: Answers after learning from all clips.
        most: Clips of a class that were learned from at most.
        measure_with: Returns the answers to the same clips in the same order, after learning from
            so many clips of each class.

    Returns:
        None if no class has enough clips for a choice among fewer.
    """
    fewer = {count: measure_with(count) for count in fewer_counts(most)}
    if not fewer:
        return None
    points = [LearningPoint(clips_per_class=count, score=each.score) for count, each in fewer.items()]
    before = max(fewer)
    return LearningCurve(
        points=(*points, LearningPoint(clips_per_class=most, score=measured.score)),
        last=_change(fewer[before], measured, before, most),
    )


def fewer_counts(most: int) -> list[int]:
    """Return numbers of clips, each half of the next one, rounded up, and the last half of `most`."""
    counts: list[int] = []
    count = most
    while (count := math.ceil(count / 2)) >= _FEWEST and len(counts) < _FEWER_COUNTS:
        counts.append(count)
    return counts[::-1]


def paired_change(first: CrossValidation, second: CrossValidation) -> tuple[float, float, float]:
    """Compare two answers to each clip, in the same order.

    Returns:
        The difference of the accuracies, and the ends of its 95 % interval.
    """
    pairs = [
        (one.answer == one.truth, two.answer == two.truth)
        for one, two in zip(first.evaluation.predictions, second.evaluation.predictions, strict=True)
    ]
    gained, lost = pairs.count((False, True)), pairs.count((True, False))
    return (gained - lost) / len(pairs), *paired_interval(gained, lost, len(pairs))


def _change(first: CrossValidation, second: CrossValidation, before: int, after: int) -> Change:
    change, low, high = paired_change(first, second)
    return Change(before=before, after=after, change=change, low=low, high=high)
