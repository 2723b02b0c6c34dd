"""Training of the reference network, from a folder of clips to a `.keras` file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from convert.clips import Clip, ClipSet, decode_all, list_clips
from convert.progress import Progress
from convert.splits.holdout import check_classes, grouper
from convert.splits.near_duplicates import check_no_leak, describe_pairs, near_duplicates_of
from convert.training import fit
from convert.training.fit import FitOptions, TrainedModel
from convert.training.fitting.epoch import Epoch
from convert.training.fold_training import cross_validate, learning_curve
from convert.training.options import TrainOptions
from convert.training.teaching.answers import Lesson, open_teacher
from edgevid.frames.preprocess import InputSpec

_SEEN = (
    "held-out clips say how well the student learned only if the teacher has not learned from them; "
    "otherwise these metrics are too good"
)


def train_small(
    clips: str | Path,
    *,
    options: TrainOptions,
    progress: Progress,
    on_clips: Callable[[ClipSet], None],
    on_epoch: Callable[[Epoch], None],
) -> TrainedModel:
    """Train the reference network from scratch; arguments and errors are those of `convert.train`.

    Returns:
        The network, its history, and its metrics on the held-out clips.
    """
    listing = list_clips(clips, reading=options.reading, group=grouper(options.group_by))
    refs = listing.refs
    fit_options = options.for_labels(sorted({ref.label for ref in refs if ref.label is not None}))
    decoded = decode_all(refs, fit_options.input, progress=lambda items: iter(progress.track(items, "reading clips")))
    decoded = replace(decoded, skipped=(*decoded.skipped, *listing.passed_over), notes=listing.notes)
    decoded = replace(decoded, notes=(*decoded.notes, *_check_duplicates(decoded, options)))
    on_clips(decoded)
    if options.teacher is None:
        return _train(decoded, fit_options, options, progress, on_epoch)
    return _taught(decoded, fit_options, options, progress, on_epoch)


def _taught(
    clips: ClipSet,
    fit_options: FitOptions,
    options: TrainOptions,
    progress: Progress,
    on_epoch: Callable[[Epoch], None],
) -> TrainedModel:
    """Train on labels and on the answers of a teacher."""
    assert options.teacher is not None and fit_options.distillation is not None
    teacher = open_teacher(options.teacher, check_classes(clips))
    unlabelled = _unlabelled(options, fit_options.input, progress)
    refs = [clip.ref for clip in (*clips.clips, *unlabelled)]
    lesson = Lesson(teacher.answer_all(refs, progress), unlabelled)
    distillation = replace(fit_options.distillation, teacher=teacher.sha256)
    trained = fit.train(clips, replace(fit_options, distillation=distillation), lesson=lesson, on_epoch=on_epoch)
    if trained.evaluation is None:
        return trained
    progress.step(f"  note: {_SEEN}")
    return replace(trained, notes=(*trained.notes, _SEEN))


def _unlabelled(options: TrainOptions, spec: InputSpec, progress: Progress) -> tuple[Clip, ...]:
    """Decode the clips that only the teacher answers, without the classes of their folders."""
    if options.unlabelled is None:
        return ()
    listing = list_clips(options.unlabelled, reading=options.reading)
    refs = [replace(ref, label=None) for ref in listing.refs]
    decoded = decode_all(refs, spec, progress=lambda items: iter(progress.track(items, "reading unlabelled clips")))
    for path, reason in decoded.skipped:
        progress.step(f"  skipped {path}: {reason}")
    return decoded.clips


def _train(
    clips: ClipSet,
    fit_options: FitOptions,
    options: TrainOptions,
    progress: Progress,
    on_epoch: Callable[[Epoch], None],
) -> TrainedModel:
    if not options.folds:
        return fit.train(clips, fit_options, on_epoch=on_epoch)
    # No clip of a fold may decide when its training ends, so all networks train for all epochs, and
    # so does the one that is written.
    whole = replace(fit_options, val_fraction=0.0)
    measured = cross_validate(clips, whole, folds=options.folds, progress=progress)
    if options.has_curve:
        curve = learning_curve(measured, clips, whole, folds=options.folds, progress=progress)
        measured = replace(measured, curve=curve)
    trained = fit.train(clips, whole, on_epoch=on_epoch)
    return replace(trained, evaluation=measured.evaluation, cross_validation=measured)


def _check_duplicates(clips: ClipSet, options: TrainOptions) -> tuple[str, ...]:
    """Reject leaks through clips that are nearly the same, and describe those that may become one."""
    if not options.folds and options.val_fraction == 0 and not any(clip.ref.is_held_out for clip in clips.clips):
        return ()
    pairs = near_duplicates_of(clips.clips, options.input.color)
    if not options.allow_duplicates:
        check_no_leak(pairs)
    return describe_pairs(pairs)
