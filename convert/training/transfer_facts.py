"""What is worth saying of a model that was trained on a pretrained encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from convert.training.cross_validation import Score


@dataclass(frozen=True, kw_only=True)
class WatchedHours:
    """What a head said in long recordings.

    Attributes:
        recordings: Number of recordings.
        hours: Their length.
        false_alarms: Events where none is true.
        per_hour: Their rate.
        low: Lower end of its 95 % interval.
        high: Its upper end.
        events: True events.
        found: True events that were found.
    """

    recordings: int
    hours: float
    false_alarms: int
    per_hour: float
    low: float
    high: float
    events: int
    found: int

    def __str__(self) -> str:
        """Return the numbers for people."""
        alarms = f"{self.false_alarms} false alarm{'' if self.false_alarms == 1 else 's'} in {self.hours:.3g} h"
        rate = f"{self.per_hour:.3g} an hour ({self.low:.2g} to {self.high:.2g})"
        found = f"; {self.found} of {self.events} events found" if self.events else ""
        return f"{alarms}: {rate}{found}"


@dataclass(frozen=True, kw_only=True)
class MiningRound:
    """What a head said before a round of mining, or after the last one.

    Attributes:
        number: 0 for the head that knows no mined clip.
        watched: The recordings that are mined.
        kept_out: Recordings that are not, because they share a group or a file with held-out clips;
            None without any.
        mined: False alarms that became clips of background then.
    """

    number: int
    watched: WatchedHours
    kept_out: WatchedHours | None
    mined: int

    def __str__(self) -> str:
        """Return the round for people, in one line."""
        kept_out = "" if self.kept_out is None else f". In recordings that are not mined, {self.kept_out}"
        mined = f"; {self.mined} become background" if self.mined else ""
        return f"{self.when}: {self.watched}{mined}{kept_out}"

    @property
    def when(self) -> str:
        """How many rounds there were before, in words."""
        rounds = f"{self.number} round{'' if self.number == 1 else 's'}"
        return f"after {rounds} of mining" if self.number else "before mining"


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What a change of the model changed on held-out clips.

    Attributes:
        change: Difference of the accuracies.
        low: Lower end of its 95 % interval, with the clips taken for independent.
        high: Upper end of its 95 % interval.
    """

    change: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How the last blocks of an encoder were trained with the head.

    Attributes:
        blocks: Number of blocks.
        weights: Weights of the encoder that were trained.
        epochs: Epochs of the written model, those with the lowest loss on a share of the clips.
        most_epochs: Epochs that were tried at most.
        losses: Log loss on that share before the first epoch and after each.
        frozen: Accuracy on held-out clips with the frozen encoder; None without folds.
        gain: What fine-tuning changed on the same clips, fine-tuned in each fold; None without folds.
    """

    blocks: int
    weights: int
    epochs: int
    most_epochs: int
    losses: tuple[float, ...]
    frozen: Score | None
    gain: Gain | None


@dataclass(frozen=True, kw_only=True)
class TransferFacts:
    """How a head was chosen and what it learned from.

    Attributes:
        encoder: Name of the frozen encoder, or what the rows are.
        streams: What it sees, in the order of its features.
        head: Name of the head.
        losses: Log loss of each candidate on inner folds of all clips; empty without a choice.
        temperature: What the logits of the head on the frozen encoder were divided by, so that scores are as sure as
            they are right.
        cosine: Mean cosine between float and int8 features of the frozen encoder in the middle windows, after the
            mean over all clips is removed; None for rows, which have no encoder.
        cached: Clips whose features were all on disk already.
        encoded: Clips that were encoded now.
        damaged: Cached files that were dropped because they were incomplete or altered.
        mining: Rounds of mining, with the state after the last one; empty without recordings.
        fine_tuning: What was trained on in the encoder; None if it stayed frozen.
    """

    encoder: str
    streams: tuple[str, ...]
    head: str
    losses: Mapping[str, float]
    temperature: float
    cosine: float | None
    cached: int
    encoded: int
    damaged: int = 0
    mining: tuple[MiningRound, ...] = ()
    fine_tuning: FineTuning | None = None
