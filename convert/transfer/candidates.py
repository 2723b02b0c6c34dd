"""Chooses streams and head by inner folds, among candidates that were fixed before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from convert.splits.folds import Fold, make_folds
from convert.training.options import AUTO, HEADS, HeadName
from convert.transfer.feature_bank import FeatureBank
from convert.transfer.head_fitting.heads import LINEAR, USUAL, Head, HeadTraining, fit, log_losses, temperature_of
from convert.transfer.streams import STREAMS, Stream, Streams
from edgevid.errors import ClipsError, UsageError
from edgevid.frames import Array

_INNER_FOLDS = 4


@dataclass(frozen=True)
class Candidate:
    """Streams and head of a model.

    Attributes:
        streams: What the encoder sees.
        head: What reads its features.
    """

    streams: Streams
    head: HeadName

    def __str__(self) -> str:
        """Return both as a user writes them."""
        return f"{','.join(self.streams)} + {self.head}"


def parse_streams(text: str) -> tuple[Streams, ...]:
    """Return the streams to choose from, each single one and all together for "auto".

    Raises:
        UsageError: The text names no stream, or one twice.
    """
    if text == AUTO:
        return (*((stream,) for stream in STREAMS), STREAMS)
    named: list[Stream] = [stream for stream in STREAMS if stream in text.split(",")]
    if len(named) != len(text.split(",")):
        raise UsageError(expected=f"streams: {AUTO}, or of {', '.join(STREAMS)} with commas between", got=text)
    return (tuple(named),)


def parse_head(text: str) -> tuple[HeadName, ...]:
    """Return the heads to choose from: the linear ones for "auto".

    Raises:
        UsageError: There is no such head.
    """
    if text == AUTO:
        return LINEAR
    for head in HEADS:
        if head == text:
            return (head,)
    raise UsageError(expected="a head", choices=(AUTO, *HEADS), got=text)


def candidates(streams: str, head: str) -> tuple[Candidate, ...]:
    """Return all pairs of streams and heads to choose from.

    Raises:
        UsageError: One of them is unknown.
    """
    return tuple(Candidate(each, name) for each in parse_streams(streams) for name in parse_head(head))


def cheapest_of_the_best(losses: Mapping[Candidate, Array]) -> Candidate:
    """Return the candidate with the fewest streams that is not clearly worse than the best one.

    Each stream costs the device one run of the encoder for every frame. A candidate is clearly worse
    if its mean loss exceeds the lowest by more than one standard error of the difference.

    Args:
        losses: The loss of each candidate on each held-out clip, (N,).

    Source: the one-standard-error rule of Breiman et al., "Classification and Regression Trees", 1984,
        section 3.4.3, with the error of paired differences.
    """
    best = min(losses, key=lambda candidate: losses[candidate].mean())
    excess = {candidate: loss - losses[best] for candidate, loss in losses.items()}
    near = [each for each, extra in excess.items() if extra.mean() <= extra.std() / np.sqrt(len(extra))]
    return min(near, key=lambda candidate: (len(candidate.streams), losses[candidate].mean()))


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, with what it was chosen by.

    Attributes:
        candidate: See `cheapest_of_the_best`.
        temperature: What its logits are to be divided by, from the inner folds.
        losses: Log loss of each candidate over the inner folds, at its own temperature; empty if no
            inner fold was possible.
    """

    candidate: Candidate
    temperature: float = 1.0
    losses: dict[str, float] = field(default_factory=dict)


class Chooser:
    """Fits candidates to parts of a bank.

    Args:
        bank: Features of all clips.
        candidates: Fixed before any clip was read.
        seed: Seed of folds and heads.
        training: How heads with epochs are trained.
    """

    def __init__(
        self, bank: FeatureBank, candidates: Sequence[Candidate], *, seed: int, training: HeadTraining = USUAL
    ) -> None:
        self._bank, self._candidates, self._seed, self._training = bank, candidates, seed, training

    def fit(self, candidate: Candidate, clips: Array) -> Head:
        """Fit a candidate to all windows of some clips."""
        return fit(
            candidate.head,
            self._bank.examples(candidate.streams, clips),
            streams=self._bank.widths(candidate.streams),
            seed=self._seed,
            training=self._training,
        )

    def choose(self, clips: Array) -> Choice:
        """Choose by inner folds of some clips, without a look at any other.

        Args:
            clips: Indices of the clips to fit to.
        """
        folds = self.inner_folds(clips)
        if not folds:
            return Choice(self._candidates[0])
        answers = self._answers(folds)
        held_out = np.concatenate([fold.held_out for fold in folds])
        truth = self._bank.truth[held_out]
        # Each at its own temperature: how sure a head is of itself says nothing about how often it is right.
        temperatures = {candidate: temperature_of(logits, truth) for candidate, logits in answers.items()}
        losses = {each: log_losses(logits / temperatures[each], truth) for each, logits in answers.items()}
        chosen = cheapest_of_the_best(losses)
        return Choice(chosen, temperatures[chosen], {str(each): float(loss.mean()) for each, loss in losses.items()})

    def inner_folds(self, clips: Array) -> tuple[Fold, ...]:
        """Return inner folds of some clips by group, else by clip; none if a class has a single clip."""
        labels, groups = ([each[index] for index in clips] for each in (self._bank.labels, self._bank.groups))
        count = min(_INNER_FOLDS, len(set(groups)) if any(groups) else len(groups))
        for names in (groups, [""] * len(groups)) if any(groups) else (groups,):
            for folds in range(max(count, 2), 1, -1):
                try:
                    made = make_folds(labels, names, folds, seed=self._seed)
                except ClipsError:
                    continue
                return tuple(Fold(clips[fold.training], clips[fold.held_out]) for fold in made)
        return ()

    def _answers(self, folds: Sequence[Fold]) -> dict[Candidate, Array]:
        """Return each candidate's logits on the held-out clips, fold after fold."""
        by_fold = [self._answers_of(fold) for fold in folds]
        return {
            candidate: np.concatenate([answers[candidate] for answers in by_fold]) for candidate in self._candidates
        }

    def _answers_of(self, fold: Fold) -> dict[Candidate, Array]:
        answers: dict[Candidate, Array] = {}
        # A linear head of several streams is the mean of those of each, which often are candidates too.
        for candidate in sorted(self._candidates, key=lambda each: len(each.streams)):
            singles = [answers.get(Candidate((stream,), candidate.head)) for stream in candidate.streams]
            known = [each for each in singles if each is not None]
            if candidate.head in LINEAR and len(candidate.streams) > 1 and len(known) == len(singles):
                answers[candidate] = np.mean(known, axis=0)
            else:
                answers[candidate] = self.fit(candidate, fold.training).logits(
                    self._bank.middle(candidate.streams, fold.held_out, int8=True)
                )
        return answers
