"""What a training is worth, in words: the accuracy, how it was measured, and what limits it."""

from __future__ import annotations

from collections import Counter

from convert.training.cross_validation import CrossValidation
from convert.training.fit import TrainedModel
from convert.training.metrics import Evaluation

NOTHING_HELD_OUT = "Nothing was held out, so nothing is known of clips that the model has not seen."


def verdict(trained: TrainedModel) -> str:
    """Return the accuracy on held-out clips with its interval, by which split, and chance."""
    evaluation = trained.evaluation
    if evaluation is None:
        return NOTHING_HELD_OUT
    right, count = _right(evaluation), len(evaluation.predictions)
    sentences = [
        f"Right on {right} of {count} clips, each answered by a model that had not seen it: "
        f"{100 * evaluation.accuracy:.1f} % "
        f"({percent_interval(evaluation.low, evaluation.high)}), {how_measured(trained.cross_validation)}.",
        f"Always answering the most frequent class is right in {100 * evaluation.chance:.1f} %.",
    ]
    measured = trained.cross_validation
    if measured is not None and measured.int8 is not None:
        int8 = measured.int8
        sentences.append(
            f"With the encoder in int8 it is {100 * int8.accuracy:.1f} % ({percent_interval(int8.low, int8.high)})."
        )
    return " ".join(sentences)


def percent_interval(low: float, high: float) -> str:
    """Format an interval, such as "95 % interval 91.1 to 99.7 %"."""
    return f"95 % interval {100 * low:.1f} to {100 * high:.1f} %"


def how_measured(measured: CrossValidation | None) -> str:
    """Describe the split, such as "by 6 folds of one group each"."""
    if measured is None:
        return "on one part of the clips, which also decided when the training ended"
    folds = measured.folds
    if len(folds) == 1:
        return "by the split that the list states"
    if not measured.groups:
        return f"by {len(folds)} folds of single clips, as no groups were stated"
    is_single = all(len(fold.groups) == 1 for fold in folds)
    return f"by {len(folds)} folds of {'one group each' if is_single else 'whole groups'}"


def limits(trained: TrainedModel) -> list[str]:
    """Return what limits the accuracy, the most important first, one sentence each; none without held-out clips."""
    evaluation = trained.evaluation
    if evaluation is None:
        return []
    if evaluation.low <= evaluation.chance:
        return [
            "Nothing was learned that holds for unseen clips. Check the labels, add clips, or choose classes that look "
            "different."
        ]
    measured = trained.cross_validation
    found = [*_of_errors(evaluation), *([] if measured is None else _of_folds(measured)), _of_count(evaluation)]
    return [sentence for sentence in found if sentence]


def _of_errors(evaluation: Evaluation) -> list[str]:
    """Describe a pair of classes between which at least half of several errors are."""
    wrong = [each for each in evaluation.predictions if each.answer != each.truth]
    if not wrong:
        return ["No clip is wrong."]
    pairs = Counter(tuple(sorted((each.truth, each.answer))) for each in wrong)
    (pair, count), *_ = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    if count < 2 or 2 * count < len(wrong):
        return []
    return [f"{count} of {len(wrong)} wrong answers are between {pair[0]} and {pair[1]}."]


def _of_folds(measured: CrossValidation) -> list[str]:
    found = []
    worst = next(iter(measured.groups.items()), None)
    if worst is not None and worst[1].high < measured.score.accuracy:
        found.append(
            f"The group {worst[0]} is below the whole by more than its interval: {100 * worst[1].accuracy:.1f} % of "
            f"{worst[1].clips} clips."
        )
    if measured.int8 is not None:
        found += _of_int8(100 * (measured.int8.accuracy - measured.score.accuracy))
    if measured.curve is not None and measured.curve.last.low > 0:
        found.append("More clips still helped: see the learning curve.")
    return found


def _of_int8(points: float) -> list[str]:
    if points == 0:
        return []
    if points < 0:
        return [f"The int8 encoder costs {-points:.1f} points."]
    return [f"The head learned from int8 features: in float it is {points:.1f} points worse than on the device."]


def _of_count(evaluation: Evaluation) -> str:
    count, width = len(evaluation.predictions), 100 * (evaluation.high - evaluation.low)
    return (
        f"With {count} clips the interval is {width:.0f} points wide: smaller differences between two trainings may be "
        "chance."
    )


def _right(evaluation: Evaluation) -> int:
    return sum(each.answer == each.truth for each in evaluation.predictions)
