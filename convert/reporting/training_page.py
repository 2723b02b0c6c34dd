"""The report of a training as one self-contained HTML page, from the parts of the report of a conversion."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from convert.clips import ClipSet
from convert.reporting.answers import short_path
from convert.reporting.held_out_clips import held_out_strips
from convert.reporting.page import CLASSES_SHOWN, PAIRS_SHOWN, STRIPS_SHOWN, shares
from convert.reporting.plots import accuracy_svg, learning_curve_svg, loss_svg
from convert.reporting.rendering import environment, percent
from convert.reporting.training_verdict import limits, percent_interval, verdict
from convert.training.console import describe_forecast, fine_tuning_text
from convert.training.cross_validation import CrossValidation, Score
from convert.training.fit import TrainedModel
from convert.training.metrics import Evaluation
from convert.training.options import AUTO, SMALL, TrainOptions
from edgevid.atomic import replacing
from edgevid.telemetry.environment import versions

TEMPLATE = "training.html"


def write_training_page(
    trained: TrainedModel,
    path: str | Path,
    *,
    title: str,
    clips: ClipSet,
    options: TrainOptions,
    seconds: float,
    command: str = "",
) -> None:
    """Write the page atomically.

    Args:
        trained: The model and its metrics.
        path: The `.html` file to write.
        title: The page's heading.
        clips: The clips of the training, with or without their frames.
        options: Options of the training.
        seconds: Time that it took.
        command: The command line, for the record.

    Raises:
        UsageError: The folder does not exist.
    """
    refs, evaluation = [clip.ref for clip in clips.clips], trained.evaluation
    page = (
        environment()
        .get_template(TEMPLATE)
        .render(
            title=title,
            trained=trained,
            options=options,
            badge=_badge(evaluation),
            verdict=verdict(trained),
            limits=limits(trained),
            cards=_cards(trained, clips),
            groups=_groups(trained.cross_validation),
            folds=_folds(trained.cross_validation),
            chance=0.0 if evaluation is None else evaluation.chance,
            labels=trained.info.labels,
            matrices=_matrices(evaluation),
            confused=_confused(evaluation),
            strips=[] if evaluation is None else held_out_strips(evaluation, refs, trained.info),
            strips_shown=STRIPS_SHOWN,
            curve=_curve(trained.cross_validation),
            no_curve=_no_curve(trained, options),
            plots=_plots(trained),
            no_epochs=_no_epochs(trained),
            candidates=_candidates(trained),
            choice=_choice(trained, options),
            fine_tuning=_fine_tuning(trained),
            skipped=[(short_path(each), reason) for each, reason in clips.skipped],
            notes=[*clips.notes, *trained.notes],
            seconds=seconds,
            command=command,
            versions=versions(),
        )
    )
    with replacing(path) as written:
        written.write_text(page, encoding="utf-8")


def _badge(evaluation: Evaluation | None) -> tuple[str, bool]:
    """Return a word for the whole, and whether it is a good one."""
    if evaluation is None:
        return "not measured", False
    return ("above chance", True) if evaluation.low > evaluation.chance else ("nothing learned", False)


def _cards(trained: TrainedModel, clips: ClipSet) -> list[tuple[str, str, str]]:
    """Return the key numbers: heading, value and explanation."""
    evaluation, measured = trained.evaluation, trained.cross_validation
    counts = Counter(clip.ref.label for clip in clips.clips)
    few, many = min(counts.values()), max(counts.values())
    each = f"{few}" if few == many else f"{few} to {many}"
    cards = [("Clips", str(len(clips.clips)), f"of {len(trained.info.labels)} classes, {each} of each")]
    if evaluation is None:
        return cards
    held_out = [
        ("Held-out accuracy", percent(evaluation.accuracy), percent_interval(evaluation.low, evaluation.high)),
        ("Mean F1", f"{evaluation.f1:.3f}", "over all classes"),
        ("Chance", percent(evaluation.chance), "by always answering the most frequent class"),
    ]
    if measured is not None and measured.int8 is not None:
        interval = percent_interval(measured.int8.low, measured.int8.high)
        held_out.insert(1, ("Encoder in int8", percent(measured.int8.accuracy), interval))
    return [*held_out, *cards]


def _groups(measured: CrossValidation | None) -> list[tuple[str, Score]]:
    return [] if measured is None else list(measured.groups.items())


def _folds(measured: CrossValidation | None) -> list[tuple[str, Score, str]]:
    """Return each fold with what was chosen without it, the worst first."""
    if measured is None:
        return []
    rows = [
        (f"{number}: {', '.join(fold.groups)}" if fold.groups else str(number), fold.score, fold.method)
        for number, fold in enumerate(measured.folds, 1)
    ]
    return sorted(rows, key=lambda row: row[1].accuracy)


def _matrices(evaluation: Evaluation | None) -> list[tuple[str, list[list[tuple[int, float]]]]]:
    """Return the confusion of held-out answers; none if there are too many classes to read."""
    if evaluation is None or len(evaluation.labels) > CLASSES_SHOWN:
        return []
    return [("held-out clips", shares(evaluation.confusion))]


def _confused(evaluation: Evaluation | None) -> list[tuple[str, str, int]]:
    """Return the most frequent confusions: truth, answer and count."""
    if evaluation is None:
        return []
    wrong = Counter((each.truth, each.answer) for each in evaluation.predictions if each.answer != each.truth)
    return [(truth, answer, count) for (truth, answer), count in wrong.most_common(PAIRS_SHOWN)]


def _curve(measured: CrossValidation | None) -> dict[str, Any] | None:
    if measured is None or measured.curve is None:
        return None
    return {
        "points": measured.curve.points,
        "svg": learning_curve_svg(measured.curve, measured.chance),
        "text": describe_forecast(measured.curve),
    }


def _no_curve(trained: TrainedModel, options: TrainOptions) -> str:
    """Return why there is no learning curve."""
    if trained.cross_validation is None:
        return "A learning curve takes folds: add --folds and --learning-curve on."
    if options.has_curve:
        return "No class has the three clips in each fold that a learning curve takes."
    if options.fine_tune:
        return "What more clips of each class would bring is not measured while an encoder is fine-tuned."
    slow = f"--encoder {SMALL}" if options.encoder == SMALL else f"--head {options.head}"
    return (
        "What more clips of each class would bring was not measured. "
        f"With {slow} it takes about as long as all folds again: add --learning-curve on."
        if options.learning_curve is None
        else "What more clips of each class would bring was not measured: --learning-curve is off."
    )


def _plots(trained: TrainedModel) -> list[tuple[str, bytes]]:
    history = trained.history
    return [("loss by epoch", loss_svg(history)), ("accuracy by epoch", accuracy_svg(history))] if history else []


def _no_epochs(trained: TrainedModel) -> str:
    """Return why there are no curves over epochs."""
    if trained.history or trained.transfer is None:
        return ""
    if trained.transfer.fine_tuning is not None:
        return "The head has none. The losses of fine-tuning are above, epoch by epoch."
    without = "the encoder is frozen, and " if trained.transfer.cosine is not None else ""
    return (
        f"There are none: {without}the head {trained.transfer.head} is logistic regression, which is solved without "
        "epochs."
    )


def _fine_tuning(trained: TrainedModel) -> list[str]:
    """Return what was trained on in the encoder, and what that gained, line by line."""
    facts = None if trained.transfer is None else trained.transfer.fine_tuning
    return [] if facts is None else fine_tuning_text(facts).splitlines()


def _candidates(trained: TrainedModel) -> list[tuple[str, float, int, bool]]:
    """Return each candidate: its loss, the folds that chose it, and whether the written model is it."""
    if trained.transfer is None or len(trained.transfer.losses) < 2:
        return []
    measured = trained.cross_validation
    chosen = Counter(fold.method for fold in measured.folds) if measured else Counter()
    ordered = sorted(trained.transfer.losses.items(), key=lambda item: item[1])
    return [(name, loss, chosen[name], name == _written(trained)) for name, loss in ordered]


def _written(trained: TrainedModel) -> str:
    facts = trained.transfer
    return "" if facts is None else f"{','.join(facts.streams)} + {facts.head}"


def _choice(trained: TrainedModel, options: TrainOptions) -> str:
    """Return why the written model has its streams and head."""
    rows = _candidates(trained)
    if trained.transfer is None:
        return ""
    if not rows:
        return (
            f"The first candidate, {_written(trained)}, was taken: a class has too few clips for inner folds."
            if AUTO in (options.streams, options.head)
            else f"{_written(trained)} was stated, so there was nothing to choose."
        )
    best, lowest, *_ = rows[0]
    if best == _written(trained):
        return f"{best} has the lowest loss on inner folds of all clips, so the written model is that."
    return (
        f"{best} has the lowest loss on inner folds ({lowest:.3f}). {_written(trained)} is worse by no more than one "
        f"standard error ({trained.transfer.losses[_written(trained)]:.3f}). Its fewer streams spare the device runs "
        "of the encoder, so the written model is that."
    )
