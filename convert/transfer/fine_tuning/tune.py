"""Fine-tunes the last blocks of an encoder with a head, and measures what that gains over the frozen encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

from convert.encoders.last_blocks import CutEncoder
from convert.graph.layer_graph import read_graph, repeat
from convert.progress import Progress
from convert.splits.folds import Fold
from convert.training.cross_validation import CrossValidation, paired_change, summarise
from convert.training.metrics import Prediction, prediction
from convert.training.transfer_facts import FineTuning, Gain
from convert.transfer.candidates import Choice, Chooser
from convert.transfer.feature_bank import FeatureBank
from convert.transfer.fine_tuning.maps import WindowMaps, encode_maps
from convert.transfer.fine_tuning.networks import TunedNetwork, connect, train_epochs
from convert.transfer.head_fitting.heads import LINEAR, log_loss, temperature_of
from convert.transfer.learn_options import LearnOptions, assemble, chooser_of, outer_folds, window_plan
from convert.transfer.streams import STREAMS
from edgevid.errors import ClipsError
from edgevid.frames import Array
from edgevid.inference.probabilities import softmax

EPOCHS = 8
# Epochs without a lower loss on the share, after which no further one is tried.
_PATIENCE = 3


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model with what is known about it.

    Attributes:
        model: Maps windows (B, T, H, W, C) to probabilities.
        cross_validation: Answers to held-out clips of networks that were fine-tuned without them.
        facts: How it was fine-tuned, and what that gained.
    """

    model: keras.Model
    cross_validation: CrossValidation | None
    facts: FineTuning


@dataclass(frozen=True, kw_only=True)
class _Course:
    """How fine-tuning goes on a share of clips that is held out of it.

    Attributes:
        losses: Log loss on the share before the first epoch and after each, at its own temperature.
        epochs: Number of epochs with the lowest of them.
        temperature: What the logits are to be divided by after that many.
    """

    losses: tuple[float, ...]
    epochs: int
    temperature: float


def fine_tune(
    bank: FeatureBank,
    choice: Choice,
    held_out: Array,
    frozen: CrossValidation | None,
    *,
    cut: CutEncoder,
    options: LearnOptions,
    progress: Progress,
) -> FineTuned:
    """Fine-tune the last blocks on all clips, and on those of each fold.

    Args:
        bank: Features of all clips by the frozen encoder.
        choice: Streams and head of the model to write.
        held_out: Indices of the clips that a list keeps out of training.
        frozen: Answers to held-out clips with the frozen encoder; None measures nothing.
        cut: The encoder, cut before the blocks to train.
        options: Folds, windows and seed.
        progress: Shows what is done.

    Raises:
        ClipsError: A class has too few clips for a share to stop by.
        ModelError: The training diverged.
    """
    streams = tuple(stream for stream in STREAMS if any(stream in each.streams for each in options.candidates))
    maps = encode_maps(bank.refs, cut, window_plan(options), streams, progress=progress)
    tuner = _Tuner(cut, maps, bank, chooser_of(bank, options), options)
    measured = None if frozen is None else tuner.cross_validate(progress)
    progress.step("Fine-tuning the model to write")
    epochs = progress.track(range(EPOCHS), "epochs at most")
    network, course = tuner.tune(choice, np.setdiff1d(bank.given, held_out), epochs=epochs)
    facts = FineTuning(
        blocks=options.fine_tune,
        weights=network.weights,
        epochs=course.epochs,
        most_epochs=EPOCHS,
        losses=course.losses,
        frozen=None if frozen is None else frozen.score,
        gain=None if frozen is None or measured is None else _gain(frozen, measured),
    )
    return FineTuned(_assembled(network, cut, options), measured, facts)


def _gain(frozen: CrossValidation, tuned: CrossValidation) -> Gain:
    change, low, high = paired_change(frozen, tuned)
    return Gain(change=change, low=low, high=high)


class _Tuner:
    """Fine-tunes on parts of a bank, each time from the weights of the frozen encoder."""

    def __init__(
        self, cut: CutEncoder, maps: WindowMaps, bank: FeatureBank, chooser: Chooser, options: LearnOptions
    ) -> None:
        self._cut, self._maps, self._bank, self._chooser, self._options = cut, maps, bank, chooser, options

    def cross_validate(self, progress: Progress) -> CrossValidation:
        """Hold out each fold in turn: of the choice, of the number of epochs and of the training."""
        folds = outer_folds(self._bank.refs, self._options)
        predictions, methods = [], []
        for fold in progress.track(folds, "held-out folds, fine-tuned"):
            choice = self._chooser.choose(fold.training)
            network, _ = self.tune(choice, fold.training)
            methods.append(str(choice.candidate))
            predictions.append(self._answer(fold, network))
        groups = [[self._bank.groups[index] for index in fold.held_out] for fold in folds]
        return summarise(predictions, groups, methods, labels=self._bank.classes)

    def tune(
        self, choice: Choice, clips: Array, *, epochs: Iterable[int] = range(EPOCHS)
    ) -> tuple[TunedNetwork, _Course]:
        """Find the number of epochs on a share of the clips, and train on all of them for as many.

        Args:
            choice: Streams and head.
            clips: Indices of the clips to learn from.
            epochs: The epochs to try.
        """
        course = self._try(choice, clips, epochs)
        network = self._start(choice, clips)
        for _ in self._train(network, clips, range(course.epochs)):
            pass
        # Without an epoch it is the model on the frozen encoder, with its temperature from all inner folds.
        network.divide_logits(course.temperature if course.epochs else choice.temperature)
        return network, course

    def _try(self, choice: Choice, clips: Array, epochs: Iterable[int]) -> _Course:
        folds = self._chooser.inner_folds(clips)
        ClipsError.unless(
            bool(folds), expected="two clips of every class to fine-tune on, one of them to stop by", found="one"
        )
        network = self._start(choice, folds[0].training)
        states = [self._state(network, folds[0].held_out)]
        for _ in self._train(network, folds[0].training, epochs):
            states.append(self._state(network, folds[0].held_out))
            if len(states) - 1 - _best(states) >= _PATIENCE:
                break
        best = _best(states)
        return _Course(losses=tuple(loss for loss, _ in states), epochs=best, temperature=states[best][1])

    def _start(self, choice: Choice, clips: Array) -> TunedNetwork:
        return connect(self._cut, choice.candidate, self._chooser.fit(choice.candidate, clips), self._maps)

    def _train(self, network: TunedNetwork, clips: Array, epochs: Iterable[int]) -> Iterable[int]:
        return train_epochs(
            network,
            self._bank,
            self._maps,
            clips,
            epochs=epochs,
            label_smoothing=0.0 if network.candidate.head in LINEAR else self._options.training.label_smoothing,
            seed=self._options.seed,
        )

    def _state(self, network: TunedNetwork, clips: Array) -> tuple[float, float]:
        """Return log loss and temperature on some clips."""
        logits, truth = network.logits(self._maps, clips), self._bank.truth[clips]
        temperature = temperature_of(logits, truth)
        return log_loss(logits / temperature, truth), temperature

    def _answer(self, fold: Fold, network: TunedNetwork) -> list[Prediction]:
        scores = softmax(network.logits(self._maps, fold.held_out))
        refs = [self._bank.refs[index] for index in fold.held_out]
        return [prediction(ref, row, self._bank.classes) for ref, row in zip(refs, scores, strict=True)]


def _best(states: Sequence[tuple[float, float]]) -> int:
    return min(range(len(states)), key=lambda number: states[number][0])


def _assembled(network: TunedNetwork, cut: CutEncoder, options: LearnOptions) -> keras.Model:
    """Return the model from frames to probabilities with the weights of a trained network."""
    tuned = replace(options, encoder=cut.with_tail(network.tail))
    head = read_graph(network.head)
    return assemble(tuned, network.candidate, lambda features: repeat(head.calls, {head.input: features})[head.output])
