"""What is worth saying of a model that was trained on a frozen encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TransferFacts:
    """How a head was chosen and what it learned from.

    Attributes:
        encoder: Name of the frozen encoder.
        streams: What it sees, in the order of its features.
        head: Name of the head.
        losses: Log loss of each candidate on inner folds of all clips; empty without a choice.
        temperature: What the logits were divided by, so that scores are as sure as they are right.
        cosine: Mean cosine between float and int8 features of the middle windows, after the mean
            over all clips is removed.
        cached: Clips whose features were all on disk already.
        encoded: Clips that were encoded now.
        damaged: Cached files that were dropped because they were incomplete or altered.
    """

    encoder: str
    streams: tuple[str, ...]
    head: str
    losses: Mapping[str, float]
    temperature: float
    cosine: float
    cached: int
    encoded: int
    damaged: int = 0
