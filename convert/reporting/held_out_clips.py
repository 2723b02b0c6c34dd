"""The clips that a model answers worst of those that it had not seen, as strips of frames."""

from __future__ import annotations

from collections.abc import Sequence

from convert.clips import ClipRef, centre_window, decode
from convert.reporting.answers import MAX_WORST, short_path
from convert.reporting.clip_strips import ClipStrip, pictures
from convert.training.metrics import Evaluation, Prediction
from convert.training_info import TrainingInfo
from edgevid.errors import ContractError, SourceError

# So many are shown even if fewer are wrong: those that were nearly wrong.
_LEAST = 5


def worst_predictions(evaluation: Evaluation) -> list[Prediction]:
    """Return the worst answers: the wrong ones, surest first, then right ones with the smallest margin.

    Returns:
        At most `MAX_WORST`; right ones only until there are `_LEAST`.
    """
    wrong = [each for each in evaluation.predictions if each.answer != each.truth]
    right = [each for each in evaluation.predictions if each.answer == each.truth]
    wrong.sort(key=lambda each: -max(each.scores))
    right.sort(key=_margin)
    return [*wrong, *right[: max(0, _LEAST - len(wrong))]][:MAX_WORST]


def _margin(prediction: Prediction) -> float:
    """Return by how much the highest score exceeds the next one."""
    highest, second = sorted(prediction.scores)[-1:-3:-1]
    return highest - second


def held_out_strips(evaluation: Evaluation, refs: Sequence[ClipRef], info: TrainingInfo) -> list[ClipStrip]:
    """Return a strip for each of the worst answers.

    Args:
        evaluation: Answers to held-out clips.
        refs: The clips, to decode them again.
        info: Input and window of the model.
    """
    by_place = {_place(ref): ref for ref in refs}
    return [
        _strip(each, by_place[str(each.path), each.start_s, each.end_s], info) for each in worst_predictions(evaluation)
    ]


def _place(ref: ClipRef) -> tuple[str, float | None, float | None]:
    part = ref.segment
    return (str(ref.path), part.start_s, part.end_s) if part else (str(ref.path), None, None)


def _strip(prediction: Prediction, ref: ClipRef, info: TrainingInfo) -> ClipStrip:
    score_of = dict(zip(info.labels, prediction.scores, strict=True))
    is_right = prediction.answer == prediction.truth
    facts = [("truth", f"{prediction.truth} {score_of[prediction.truth]:.2f}")]
    second = max((label for label in info.labels if label != prediction.answer), key=lambda label: score_of[label])
    given = ("answer", f"{prediction.answer} {score_of[prediction.answer]:.2f}")
    return ClipStrip(
        name=f"{short_path(ref.path)} ({ref.segment})" if ref.segment else short_path(ref.path),
        pictures=_pictures(ref, info),
        facts=[*facts, ("next", f"{second} {score_of[second]:.2f}")] if is_right else [*facts, given],
        right=is_right,
    )


def _pictures(ref: ClipRef, info: TrainingInfo) -> list[str]:
    if info.input.kind == "features":
        return []
    try:
        clip = decode(ref, info.input)
    except (SourceError, ContractError):
        # It was there when the training began; the answer to it is still worth a line.
        return []
    return pictures(centre_window(clip, info.window), info.input.color)
