"""Metrics and the progress of training as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from convert.clips import ClipSet
from convert.training.cross_validation import Change, CrossValidation, LearningCurve, Score
from convert.training.metrics import Evaluation
from convert.training.transfer_facts import FineTuning, Gain, TransferFacts
from edgevid.bundle.manifest import Window
from edgevid.frames.sampling import describe_short, interval_indices
from edgevid.tables import table

if TYPE_CHECKING:
    from convert.training.fitting.epoch import Epoch


_NOT_LEARNED = (
    "\nNothing was learned that holds for unseen clips: always answering the most frequent class is right in "
    "{chance:.3f}. Check the labels, add clips, or choose classes that look different."
)


class EpochsBar:
    """A progress bar of the epochs with their metrics, on standard error.

        with EpochsBar() as bar:
            train(clips, out, on_clips=lambda _clips: bar.start(), on_epoch=bar)

    Entering the context doesn't show the bar; `start` does.

    Args:
        description: Text in front of the bar.
    """

    def __init__(self, description: str = "Training") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(description, total=None, metrics="")

    def start(self) -> None:
        """Show the bar."""
        # Not on entry: reading the clips shows a bar first, and two live bars overwrite each other.
        self._progress.start()

    def __call__(self, epoch: Epoch) -> None:
        """Advance the bar by a finished epoch."""
        self._progress.update(self._task, total=epoch.of, completed=epoch.number, metrics=_metrics(epoch))

    def __enter__(self) -> Self:
        """Return the bar, not yet shown."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop updating the bar; its last state remains on the terminal."""
        self._progress.stop()


@contextmanager
def epochs_bar(description: str = "Training") -> Iterator[EpochsBar]:
    """Show a progress bar of the epochs at once.

    Args:
        description: Text in front of the bar.

    Yields:
        A function to call after each epoch.
    """
    with EpochsBar(description) as bar:
        bar.start()
        yield bar


def _metrics(epoch: Epoch) -> str:
    text = f"loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.2f}"
    return text if epoch.val_loss is None else f"{text}; held out {epoch.val_loss:.3f}, {epoch.val_accuracy:.2f}"


def metrics_text(evaluation: Evaluation) -> str:
    """Format metrics: one row per class, the means, the accuracy and the confusion matrix.

    Returns:
        Lines of plain text, without a final newline.
    """
    classes = [(each.label, each.precision, each.recall, each.f1, each.clips) for each in evaluation.classes]
    count = len(evaluation.predictions)
    means = ("mean", evaluation.precision, evaluation.recall, evaluation.f1, count)
    summary = table([("class", "precision", "recall", "F1", "clips"), *classes, means])
    accuracy = f"accuracy {evaluation.accuracy:.3f} [{evaluation.low:.3f}, {evaluation.high:.3f}] over {count} clips"
    return f"{summary}\n\n{accuracy}\n\n{_confusion(evaluation)}"


def cross_validation_text(measured: CrossValidation) -> str:
    """Format the answers to held-out clips: by group, the worst first, by fold, and the whole with its interval."""
    groups = [(name, *_score(score)) for name, score in measured.groups.items()]
    folds = [(str(number), *_score(fold.score), fold.method) for number, fold in enumerate(measured.folds, 1)]
    tables = [
        table([("group", "accuracy", "low", "high", "clips"), *groups]) if groups else "",
        table([("fold", "accuracy", "low", "high", "clips", "chosen without it"), *folds]),
    ]
    int8 = "" if measured.int8 is None else f"\nwith the encoder in int8: {_with_interval(measured.int8)}"
    doubt = "" if measured.is_learned else _NOT_LEARNED.format(chance=measured.chance)
    curve = [] if measured.curve is None else [curve_text(measured.curve)]
    accuracy = f"held-out accuracy {_with_interval(measured.score)}{int8}{doubt}"
    return "\n\n".join([*filter(None, tables), accuracy, *curve])


def curve_text(curve: LearningCurve) -> str:
    """Format the accuracy by the number of clips of each class, and what more may bring."""
    rows = [(str(each.clips_per_class), *_score(each.score)[:3]) for each in curve.points]
    return f"{table([('clips a class', 'accuracy', 'low', 'high'), *rows])}\n\n{describe_forecast(curve)}"


def describe_forecast(curve: LearningCurve, more: int = 10) -> str:
    """Describe what more clips of each class may bring, or that it cannot be told.

    Args:
        curve: The measured curve.
        more: Further clips of each class.
    """
    last, missing = curve.last, 1.0 - curve.points[-1].score.accuracy
    seen = f"From {last.before} to {last.after} clips a class, the accuracy changed by {_points(last)}."
    if missing == 0.0:
        return f"{seen} All held-out clips are right, so these clips cannot show what more would bring."
    if last.high < 0:
        return f"{seen} More clips made it worse. Check the labels of the later ones."
    if last.low <= 0:
        return (
            f"{seen} That may be chance: what {more} more clips a class would bring cannot be told from these clips. "
            f"At most {100 * missing:.1f} points are missing."
        )
    return (
        f"{seen} If each doubling goes on to bring as much, {more} more clips a class bring "
        f"{_points(curve.forecast(more))}; learning curves flatten, so expect less."
    )


def _points(change: Change | Gain) -> str:
    return f"{100 * change.change:+.1f} points [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"


def transfer_text(facts: TransferFacts) -> str:
    """Format what was chosen on a frozen encoder or rows, and by what."""
    losses = sorted(facts.losses.items(), key=lambda item: item[1])
    chosen = f"chosen: {','.join(facts.streams)} + {facts.head} on {facts.encoder}"
    by = "" if len(losses) < 2 else table([("candidate", "log loss on inner folds"), *losses]) + "\n\n"
    features = "" if facts.cosine is None else _features(facts, facts.cosine)
    rounds = "".join(f"\n{each}" for each in facts.mining)
    mining = f"\n\nfalse alarms in long recordings{rounds}" if rounds else ""
    tuning = "" if facts.fine_tuning is None else f"\n\n{fine_tuning_text(facts.fine_tuning)}"
    return f"{by}{chosen}{features}{mining}{tuning}"


def fine_tuning_text(facts: FineTuning) -> str:
    """Format what was trained on in the encoder, and what that gained over the frozen one."""
    blocks = f"the last {facts.blocks} block{'' if facts.blocks == 1 else 's'} ({facts.weights} weights)"
    losses = " ".join(f"{loss:.3f}" for loss in facts.losses)
    text = (
        f"fine-tuned: {blocks}, {facts.epochs} of at most {facts.most_epochs} epochs\n"
        f"log loss on a held-out share, before and after each epoch: {losses}"
    )
    if facts.frozen is None or facts.gain is None:
        return text
    return f"{text}\nfrozen encoder: {_with_interval(facts.frozen)}\n{describe_gain(facts.gain)}"


def describe_gain(gain: Gain) -> str:
    """Describe what fine-tuning gained on held-out clips, or that it cannot be told."""
    seen = f"Fine-tuning changed the held-out accuracy by {_points(gain)}."
    if gain.low > 0:
        return seen
    return f"{seen} {'That may be chance.' if gain.change > 0 else 'It did not help: leave --fine-tune out.'}"


def _features(facts: TransferFacts, cosine: float) -> str:
    read = f"{facts.cached} clips from the cache, {facts.encoded} encoded"
    return f"\n{read}; cosine of int8 features to float {cosine:.3f}"


def _score(score: Score) -> tuple[float, float, float, int]:
    return score.accuracy, score.low, score.high, score.clips


def _with_interval(score: Score) -> str:
    return f"{score.accuracy:.3f} [{score.low:.3f}, {score.high:.3f}] over {score.clips} clips"


def notes_text(notes: Sequence[str]) -> str:
    """Return one line for each assumption, each with a newline."""
    return "".join(f"Note: {note}\n" for note in notes)


def skipped_text(clips: ClipSet) -> str:
    """List the clips that cannot be read, and count them.

    Returns:
        One line per clip and one with the count, each with a newline; empty if all clips were
        read.
    """
    if not clips.skipped:
        return ""
    lines = [f"Skipped {path}: {reason}" for path, reason in clips.skipped]
    return "\n".join([*lines, f"Skipped {len(clips.skipped)} of {len(clips.skipped) + len(clips.clips)} clips."]) + "\n"


def short_text(clips: ClipSet, window: Window) -> str:
    """Name the clips that are shorter than the window, and count them.

    Args:
        clips: The decoded clips.
        window: Window of the model.

    Returns:
        One line per clip and one with the count, each with a newline; empty if all are long enough.
    """
    if window.sampling == "uniform":
        counts = [len(clip.timestamps_ns) for clip in clips.clips]
    else:
        counts = [len(interval_indices(clip.timestamps_ns.tolist(), window.interval_s)) for clip in clips.clips]
    short = [
        describe_short(clip.ref.name, count, window.frames)
        for clip, count in zip(clips.clips, counts, strict=True)
        if count < window.frames
    ]
    if not short:
        return ""
    return "\n".join([*short, f"{len(short)} of {len(counts)} clips are shorter than the window."]) + "\n"


def _confusion(evaluation: Evaluation) -> str:
    # The columns have numbers because ten names do not fit side by side.
    numbers = [str(number) for number in range(1, len(evaluation.labels) + 1)]
    rows = [
        (f"{number} {label}", *counts)
        for number, label, counts in zip(numbers, evaluation.labels, evaluation.confusion, strict=True)
    ]
    return table([("true \\ answered", *numbers), *rows])
