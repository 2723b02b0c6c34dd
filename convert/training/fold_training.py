"""Measures the reference network by folds: it is trained anew for each, and answers what was held out."""

from __future__ import annotations

from convert.clips import ClipSet
from convert.progress import Progress
from convert.splits.folds import Folds, make_folds
from convert.splits.holdout import check_classes
from convert.training import fit
from convert.training.cross_validation import CrossValidation, summarise
from convert.training.fit import FitOptions
from convert.training.metrics import evaluate, keras_scorer


def cross_validate(clips: ClipSet, options: FitOptions, *, folds: Folds, progress: Progress) -> CrossValidation:
    """Train on all folds but one and answer the clips of that one, for each in turn.

    Args:
        clips: Labelled clips.
        options: Options of each training. Nothing should be held out of it but the fold.
        folds: Number of folds, or "groups".
        progress: Shows which fold is trained.

    Raises:
        ClipsError: The folds cannot be made.
    """
    labels = check_classes(clips)
    groups = [clip.ref.group for clip in clips.clips]
    made = make_folds([str(clip.ref.label) for clip in clips.clips], groups, folds, seed=options.seed)
    predictions = []
    for fold in progress.track(made, "held-out folds"):
        trained = fit.train(ClipSet(tuple(clips.clips[index] for index in fold.training)), options)
        scorer = keras_scorer(trained.model, options.input, options.window)
        held_out = [clips.clips[index] for index in fold.held_out]
        predictions.append(evaluate(scorer, held_out, labels=labels, window=options.window).predictions)
    return summarise(
        predictions,
        [[groups[index] for index in fold.held_out] for fold in made],
        [f"{options.model.rnn} from scratch"] * len(made),
        labels=labels,
    )
