"""Options of training that do not fit each other are rejected, before any clip is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convert.splits.folds import GROUPS
from convert.training.options.names import CAUSAL, QUICK, ROWS, SMALL
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from convert.training.options.train_options import TrainOptions

# Options that mean nothing to the other kind of encoder, and would be ignored without a word.
_OF_SMALL = (
    "size",
    "color",
    "motion",
    "pool",
    "rnn",
    "val_fraction",
    "epochs",
    "patience",
    "batch",
    "learning_rate",
    "balance",
    "tensorboard",
    "checkpoint",
    "teacher",
)
_OF_FROZEN = ("range", "streams", "head", "loss", "mix_up", "cache", "workers", "mine", "fine_tune")
# What is seen of pictures.
_SEEN = ("rotate", "flip_pictures", "region", "mask", "follow")
# Options that mean nothing for rows, besides those of the small encoder.
_OF_PICTURES = ("resize", "range", "flip", "fps", "cache", "mine", "workers", "fine_tune", *_SEEN)


def reject_unfit(options: TrainOptions) -> None:
    """Reject options that do not fit each other, or mean nothing to the chosen encoder.

    Raises:
        UsageError: Such an option is given.
    """
    UsageError.unless(
        options.folds is None or options.folds == GROUPS or (isinstance(options.folds, int) and options.folds != 1),
        expected=f"a number of folds of 2 or more, 0, or {GROUPS!r}",
        got=options.folds,
    )
    UsageError.unless(
        options.folds != GROUPS or options.group_by != "none",
        expected="--group-by with --folds groups",
        got=options.group_by,
    )
    UsageError.unless(
        options.loss == "every-frame" or options.head in CAUSAL,
        expected=f"--loss {options.loss} with --head {', '.join(CAUSAL)}",
        got=options.head,
    )
    UsageError.unless(
        options.range is None or str(options.encoder).endswith(".keras"),
        expected="--range with an encoder from a file",
        got=options.encoder or SMALL,
    )
    UsageError.unless(
        not options.learning_curve or bool(options.folds) or (options.folds is None and options.encoder != SMALL),
        expected="--folds with --learning-curve on",
        got=options.folds or 0,
    )
    _reject_unfit_teaching(options)
    UsageError.unless(options.workers >= 1, expected="--workers of at least 1", got=options.workers)
    _reject_unfit_mining(options)
    _reject_unfit_fine_tuning(options)
    _reject_unfit_regularisation(options)
    _reject_of_others(options)


def reject_stated(options: TrainOptions, name: str, subject: str, hint: str) -> None:
    """Reject an option that is not at its default.

    Args:
        options: The options.
        name: Attribute of the option.
        subject: What it means nothing to.
        hint: What to do.

    Raises:
        UsageError: It is given.
    """
    UsageError.unless(
        getattr(options, name) == type(options).__dataclass_fields__[name].default,
        expected=f"no --{name.replace('_', '-')} with {subject}",
        got=getattr(options, name),
        hint=hint,
    )


def _reject_of_others(options: TrainOptions) -> None:
    """Reject options that mean nothing to the chosen encoder, and would be ignored without a word."""
    # Without an encoder, the clips decide: see `for_kind`.
    if options.encoder is None:
        return
    if options.encoder == ROWS:
        for name in (*_OF_PICTURES, *_OF_SMALL):
            reject_stated(options, name, "rows of features", "Rows take a head alone, and are not pictures.")
        return
    belongs = f"It belongs to {'a frozen encoder' if options.encoder == SMALL else f'--encoder {SMALL}'}."
    for name in _OF_FROZEN if options.encoder == SMALL else _OF_SMALL:
        reject_stated(options, name, f"--encoder {options.encoder}", belongs)


def _reject_unfit_regularisation(options: TrainOptions) -> None:
    UsageError.unless(
        0 <= options.label_smoothing < 1, expected="a label smoothing of 0 to below 1", got=options.label_smoothing
    )
    UsageError.unless(options.mix_up >= 0, expected="a parameter of mix-up of 0 or more", got=options.mix_up)
    has_epochs = options.encoder in (None, SMALL) or options.head not in QUICK
    for name in ("label_smoothing", "mix_up"):
        is_usual = getattr(options, name) == type(options).__dataclass_fields__[name].default
        UsageError.unless(
            is_usual or has_epochs,
            expected=f"a head with epochs with --{name.replace('_', '-')}",
            got=options.head,
            hint="Name one of: lstm, gru, tcn, attention, bilstm.",
        )


def _reject_unfit_fine_tuning(options: TrainOptions) -> None:
    UsageError.unless(options.fine_tune >= 0, expected="blocks to fine-tune, 0 or more", got=options.fine_tune)
    if not options.fine_tune:
        return
    UsageError.unless(options.mine is None, expected="no --mine with --fine-tune", got=str(options.mine))
    UsageError.unless(not options.mix_up, expected="no --mix-up with --fine-tune", got=options.mix_up)
    UsageError.unless(
        not options.learning_curve, expected="no --learning-curve on with --fine-tune", got=options.learning_curve
    )
    UsageError.unless(
        options.loss == "last" or options.head not in CAUSAL,
        expected=f"--loss last with --fine-tune and --head {options.head}",
        got=options.loss,
        hint="Fine-tuning teaches the answer at the end of a window.",
    )


def _reject_unfit_mining(options: TrainOptions) -> None:
    if options.mine is None:
        given = [
            f"--{name.replace('_', '-')}" for name in ("truth", "mine_rounds") if getattr(options, name) is not None
        ]
        UsageError.unless(not given, expected="--mine DIR with options of its recordings", got=", ".join(given))
        return
    UsageError.unless(
        options.background is not None, expected="--background LABEL with --mine, for its false alarms", found="none"
    )
    UsageError.unless(
        options.mine_rounds is None or options.mine_rounds >= 1,
        expected="--mine-rounds of at least 1",
        got=options.mine_rounds,
    )


def _reject_unfit_teaching(options: TrainOptions) -> None:
    if options.teacher is None:
        names = ("unlabelled", "temperature", "teacher_share")
        given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name) is not None]
        UsageError.unless(not given, expected="--teacher MODEL.keras with its options", got=", ".join(given))
        return
    _ = options.distillation
    # The teacher has learned from the clips of every fold.
    UsageError.unless(not options.folds, expected="no --folds with --teacher", got=options.folds)
