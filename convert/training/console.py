"""Metrics and the progress of training, as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from convert.clips import ClipSet
from convert.training.evaluate import Evaluation
from edgevid.tables import table

if TYPE_CHECKING:
    from convert.training.fit import Epoch


class EpochsBar:
    """Shows on standard error how far a training is, and how it does. Started late, since only one bar may be shown at a time.

        with EpochsBar() as bar:
            train(clips, out, on_clips=lambda _clips: bar.start(), on_epoch=bar)

    Args:
        description: What is being trained.
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
        self._progress.start()

    def __call__(self, epoch: Epoch) -> None:
        """Move the bar on.

        Args:
            epoch: It ended.
        """
        self._progress.update(self._task, total=epoch.of, completed=epoch.number, metrics=_metrics(epoch))

    def __enter__(self) -> Self:
        """Return itself, not started."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave the bar as it is."""
        self._progress.stop()


@contextmanager
def epochs_bar(description: str = "Training") -> Iterator[EpochsBar]:
    """Show a bar from the start.

    Args:
        description: What is being trained.

    Yields:
        A function to be called after each epoch.
    """
    with EpochsBar(description) as bar:
        bar.start()
        yield bar


def _metrics(epoch: Epoch) -> str:
    text = f"loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.2f}"
    return text if epoch.val_loss is None else f"{text}; held out {epoch.val_loss:.3f}, {epoch.val_accuracy:.2f}"


def metrics_text(evaluation: Evaluation) -> str:
    """Lay out metrics: one row a class, the means, and the confusion matrix.

    Args:
        evaluation: The metrics.

    Returns:
        Lines of plain text, without an end of line.
    """
    classes = [(each.label, each.precision, each.recall, each.f1, each.clips) for each in evaluation.classes]
    means = ("mean", evaluation.precision, evaluation.recall, evaluation.f1, len(evaluation.predictions))
    summary = table([("class", "precision", "recall", "F1", "clips"), *classes, means])
    return f"{summary}\n\naccuracy {evaluation.accuracy:.3f} over {len(evaluation.predictions)} clips\n\n{_confusion(evaluation)}"


def skipped_text(clips: ClipSet) -> str:
    """Name the clips that could not be read, and count them.

    Args:
        clips: What could be read, and what could not.

    Returns:
        One line a clip and one for the count, each ended; empty where all could be read.
    """
    if not clips.skipped:
        return ""
    lines = [f"Skipped {path}: {reason}" for path, reason in clips.skipped]
    return "\n".join([*lines, f"Skipped {len(clips.skipped)} of {len(clips.skipped) + len(clips.clips)} clips."]) + "\n"


def _confusion(evaluation: Evaluation) -> str:
    """Clips by true class (row) and answer (column); columns are numbered, since ten names do not fit side by side."""
    numbers = [str(number) for number in range(1, len(evaluation.labels) + 1)]
    rows = [
        (f"{number} {label}", *counts)
        for number, label, counts in zip(numbers, evaluation.labels, evaluation.confusion, strict=True)
    ]
    return table([("true \\ answered", *numbers), *rows])
