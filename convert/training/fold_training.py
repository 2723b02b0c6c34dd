"""Measures the reference network by folds: it is trained anew for each, and answers what was held out."""

from __future__ import annotations

from convert.clips import ClipSet
from convert.progress import Progress
from convert.splits.folds import Fold, Folds, first_of_each, make_folds, most_of_a_class
from convert.splits.holdout import check_classes
from convert.training import fit
from convert.training.cross_validation import CrossValidation, LearningCurve, measure_curve, summarise
from convert.training.fit import FitOptions
from convert.training.metrics import evaluate, keras_scorer


def cross_validate(
    clips: ClipSet, options: FitOptions, *, folds: Folds, progress: Progress, clips_per_class: int | None = None
) -> CrossValidation:
    """Train on all folds but one and answer the clips of that one, for each in turn.

    Args:
        clips: Labelled clips.
        options: Options of each training. Nothing should be held out of it but the fold.
        folds: Number of folds, or "groups".
        progress: Shows which fold is trained.
        clips_per_class: Clips of each class to train on, the first ones; None for all.

    Raises:
        ClipsError: The folds cannot be made.
    """
    labels = check_classes(clips)
    names, groups = _names(clips)
    made = _folds(clips, options, folds)
    predictions = []
    for fold in progress.track(made, "held-out folds"):
        training = first_of_each(names, fold.training, clips_per_class)
        trained = fit.train(ClipSet(tuple(clips.clips[index] for index in training)), options)
        scorer = keras_scorer(trained.model, options.input, options.window)
        held_out = [clips.clips[index] for index in fold.held_out]
        predictions.append(evaluate(scorer, held_out, labels=labels, window=options.window).predictions)
    return summarise(
        predictions,
        [[groups[index] for index in fold.held_out] for fold in made],
        [f"{options.model.rnn} from scratch"] * len(made),
        labels=labels,
    )


def learning_curve(
    measured: CrossValidation, clips: ClipSet, options: FitOptions, *, folds: Folds, progress: Progress
) -> LearningCurve | None:
    """Train on fewer clips of each class in each fold; arguments are those of `cross_validate`.

    Args:
        measured: What `cross_validate` returned for all clips.
        clips: Labelled clips.
        options: Options of each training.
        folds: Number of folds, or "groups".
        progress: Shows which fold is trained.
    """
    most = most_of_a_class(_names(clips)[0], _folds(clips, options, folds))

    def with_fewer(count: int) -> CrossValidation:
        progress.step(f"Learning from {count} clips of each class")
        return cross_validate(clips, options, folds=folds, progress=progress, clips_per_class=count)

    return measure_curve(measured, most, with_fewer)


def _names(clips: ClipSet) -> tuple[list[str], list[str]]:
    """Return the class and the group of each clip."""
    return [str(clip.ref.label) for clip in clips.clips], [clip.ref.group for clip in clips.clips]


def _folds(clips: ClipSet, options: FitOptions, folds: Folds) -> tuple[Fold, ...]:
    return make_folds(*_names(clips), folds, seed=options.seed)
