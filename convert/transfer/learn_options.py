"""Options of training a head on an encoder, and what follows from them: folds, the choice, and the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from convert.clips import ClipRef
from convert.encoders.frame_encoder import FrameEncoder
from convert.splits.folds import Fold, Folds, make_folds, stated_fold
from convert.training.augment import Augmentation
from convert.transfer.candidates import Candidate, Chooser
from convert.transfer.encoding.windows import WindowPlan
from convert.transfer.feature_bank import FeatureBank
from convert.transfer.head_fitting.heads import HeadTraining
from convert.transfer.mining import Mining
from convert.transfer.streams import video_encoder
from edgevid.bundle.manifest import Window


@dataclass(frozen=True, kw_only=True)
class LearnOptions:
    """Options of training a head on a frozen encoder.

    Attributes:
        encoder: The frozen encoder.
        window: Window of the model.
        augmentation: Limits of the variation of clips.
        windows_per_clip: Windows of each clip to learn from: the middle one, and varied ones.
        candidates: Streams and heads to choose from.
        folds: Number of outer folds, "groups" for one a group, or 0 for none.
        training: How heads with epochs are trained.
        seed: Seed of windows, variations, folds and heads.
        allow_duplicates: Whether nearly the same clips may lie in different groups or splits.
        curve: Whether to measure the accuracy with fewer clips of each class too.
        mining: Recordings whose false alarms become clips; None for none.
        fine_tune: Last blocks of the encoder that are trained on; 0 for none.
        workers: Processes that encode clips.
    """

    encoder: FrameEncoder
    window: Window
    augmentation: Augmentation
    windows_per_clip: int
    candidates: tuple[Candidate, ...]
    folds: Folds
    training: HeadTraining
    seed: int
    allow_duplicates: bool = False
    curve: bool = False
    mining: Mining | None = None
    fine_tune: int = 0
    workers: int = 1


def chooser_of(bank: FeatureBank, options: LearnOptions) -> Chooser:
    """Return what fits candidates to parts of a bank."""
    return Chooser(bank, options.candidates, seed=options.seed, training=options.training)


def is_measured(refs: Sequence[ClipRef], options: LearnOptions) -> bool:
    """Return whether any clip is held out."""
    return bool(options.folds) or any(ref.is_held_out for ref in refs)


def outer_folds(refs: Sequence[ClipRef], options: LearnOptions) -> tuple[Fold, ...]:
    """Return the folds, or the one that a list of clips states."""
    labels = [str(ref.label) for ref in refs]
    if any(ref.is_held_out for ref in refs):
        held_out = np.array([ref.is_held_out for ref in refs])
        return (stated_fold(labels, held_out),)
    return make_folds(labels, [ref.group for ref in refs], options.folds, seed=options.seed)


def window_plan(options: LearnOptions) -> WindowPlan:
    """Return the windows of each clip."""
    return WindowPlan(
        window=options.window,
        input=options.encoder.input,
        augmentation=options.augmentation,
        windows=options.windows_per_clip,
        seed=options.seed,
    )


def assemble(options: LearnOptions, candidate: Candidate, connect: Callable[[Any], Any]) -> keras.Model:
    """Build the model from frames to probabilities.

    Args:
        options: Its encoder and window.
        candidate: Its streams.
        connect: From features (B, T, F) to the probabilities of a fitted head, as `Head.connect`.

    Returns:
        Maps (B, T, H, W, C) float32 in the encoder's range to (B, classes).
    """
    frames, features = video_encoder(options.encoder, candidate.streams, frames=options.window.frames)
    return keras.Model(frames, connect(features), name="video_classifier")
