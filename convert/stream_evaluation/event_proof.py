"""Long recordings as a proof of a conversion: the trained model and its bundle watch the same frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from convert.event_metrics import Answered
from convert.interface.contract import Contract
from convert.progress import Progress
from convert.recordings import Truth, check_labels
from convert.stream_evaluation.evaluate import watch_all
from convert.stream_evaluation.watched_model import WatchedModel, watched_bundle
from convert.verification.event_drift import EventDrift, compare_events
from convert.watching.watch_keras import keras_watch
from edgevid.bundle import Bundle
from edgevid.events.timeline import TOLERANCE_S
from edgevid.frames import Array


class RecordedEvents:
    """Compares the events that a trained model and its bundles find in recordings.

    Implements `convert.verification.event_drift.EventProof`.

    Args:
        truth: The recordings and what happens in them.
        folder: Folder of the recordings.
        contract: The model's.
        progress: Shows a bar over the recordings.

    Raises:
        TruthError: An event has a label that the model does not know.
    """

    def __init__(self, truth: Truth, folder: Path, contract: Contract, progress: Progress) -> None:
        # Before minutes of work.
        check_labels(truth.recordings, contract.labels, background=contract.decision.background)
        self._recordings, self._folder = truth.recordings, folder
        self._contract, self._progress = contract, progress
        self._trained: tuple[Answered, ...] = ()

    def watch_trained(self, score: Callable[[Array], Array]) -> None:
        """Find the events of the trained model.

        Args:
            score: From prepared frames to the probabilities of every window.

        Raises:
            SourceError: A recording cannot be read.
            TruthError: A recording is shorter than a window, or than its truth.
        """
        contract = self._contract
        self._progress.step(f"watching {len(self._recordings)} recordings with the float model")
        watch = keras_watch(score, contract.input, contract.window, classes=len(contract.labels))
        self._trained = self._watch(
            WatchedModel(
                watch=lambda _level: watch,
                labels=contract.labels,
                rule=contract.decision,
                window=contract.window,
                keeps_state=True,
                framing=contract.framing,
            )
        )

    def compare(self, bundle: Bundle) -> EventDrift:
        """Find the events of a bundle, and compare them with those of the trained model."""
        self._progress.step("  watching them with the bundle")
        return compare_events(self._trained, self._watch(watched_bundle(bundle)), tolerance_s=TOLERANCE_S)

    def _watch(self, model: WatchedModel) -> tuple[Answered, ...]:
        return watch_all(model, self._recordings, folder=self._folder, progress=self._progress)
