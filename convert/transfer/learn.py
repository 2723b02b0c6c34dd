"""Trains a head on a frozen encoder: from clips to a Keras model, with folds that tell the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

from convert.clips import ClipRef
from convert.encoders.last_blocks import cut_encoder
from convert.progress import Progress
from convert.splits.folds import Fold, first_of_each, most_of_a_class
from convert.splits.near_duplicates import check_no_leak, describe_pairs, find_near_duplicates
from convert.training.cross_validation import CrossValidation, measure_curve, summarise
from convert.training.fitting.epoch import Epoch
from convert.training.metrics import Prediction, prediction
from convert.training.transfer_facts import TransferFacts
from convert.transfer.cache import FeatureCache
from convert.transfer.candidates import Candidate, Choice
from convert.transfer.feature_bank import FeatureBank, Held
from convert.transfer.fine_tuning.tune import fine_tune
from convert.transfer.head_fitting.heads import Head
from convert.transfer.learn_options import LearnOptions, assemble, chooser_of, is_measured, outer_folds, window_plan
from convert.transfer.library import ClipLibrary, EncodedClips
from convert.transfer.mining import MinedHead, Miner
from convert.transfer.row_library import RowLibrary
from convert.transfer.stream_features import RecordedFeatures
from convert.transfer.streams import STREAMS
from edgevid.frames import Array
from edgevid.inference.probabilities import softmax


@dataclass(frozen=True)
class LearnedModel:
    """A trained model with what is known about it.

    Attributes:
        model: Maps windows (B, T, H, W, C) to probabilities.
        cross_validation: Answers to held-out clips; None without folds.
        facts: How the head was chosen.
        history: Epochs of the head's training; none for a linear head.
        notes: What a reader of the numbers should know, one line each.
    """

    model: keras.Model
    cross_validation: CrossValidation | None
    facts: TransferFacts
    history: tuple[Epoch, ...] = ()
    notes: tuple[str, ...] = ()


def learn(
    refs: Sequence[ClipRef],
    options: LearnOptions,
    *,
    cache: FeatureCache,
    progress: Progress,
    on_clips: Callable[[EncodedClips], None] = lambda _clips: None,
) -> LearnedModel:
    """Encode clips, fit a head to all of them, mine its false alarms, measure by folds, and fine-tune the encoder.

    Args:
        refs: Labelled clips of at least two classes.
        options: What to train.
        cache: Where features are kept.
        progress: Shows what is done.
        on_clips: Called once the clips are encoded.

    Raises:
        ClipsError: No classifier can be trained on the clips, or the folds cannot be made.
        ConversionError: TensorFlow rejected the encoder.
    """
    _check_folds(refs, options)
    cut = cut_encoder(options.encoder, options.fine_tune) if options.fine_tune else None
    library = _library(options, cache, progress)
    encoded = _read(library, refs, options)
    on_clips(encoded)
    notes = _check_duplicates(encoded, options)
    progress.step("Fitting the head of the model to write")
    held_out = np.array([index for index, ref in enumerate(encoded.bank.refs) if ref.is_held_out], dtype=int)
    choice = chooser_of(encoded.bank, options).choose(np.setdiff1d(encoded.bank.given, held_out))
    fitted = _fit(encoded.bank, choice, held_out, library=library, options=options, cache=cache, progress=progress)
    measured = _measure(fitted.bank, options, progress) if is_measured(refs, options) else None
    facts = _facts(options, choice, encoded, cache, fitted)
    history = fitted.head.history
    if cut is None:
        return LearnedModel(assemble(options, choice.candidate, fitted.head.connect), measured, facts, history, notes)
    tuned = fine_tune(encoded.bank, choice, held_out, measured, cut=cut, options=options, progress=progress)
    facts = replace(facts, fine_tuning=tuned.facts)
    return LearnedModel(tuned.model, tuned.cross_validation, facts, history, notes)


def _fit(
    bank: FeatureBank,
    choice: Choice,
    held_out: Array,
    *,
    library: ClipLibrary | RowLibrary,
    options: LearnOptions,
    cache: FeatureCache,
    progress: Progress,
) -> MinedHead:
    """Fit the head of the model to write, and mine its false alarms if there are recordings."""

    def fit(clips: FeatureBank) -> Head:
        learned = np.concatenate([np.setdiff1d(clips.given, held_out), clips.mined_besides(held_out)])
        return chooser_of(clips, options).fit(choice.candidate, learned).scaled(choice.temperature)

    head = fit(bank)
    if options.mining is None or isinstance(library, RowLibrary):
        return MinedHead(head, bank, ())
    encoders = library.stream_encoders(choice.candidate.streams)
    miner = Miner(
        options.mining,
        RecordedFeatures(encoders, options.encoder.input, options.window, cache, framing=options.mining.framing),
        options.window,
        bank.classes,
        Held.of(bank.refs[index] for index in held_out),
        progress=progress,
    )
    return miner.mine(head, fit, bank, library)


def encode(refs: Sequence[ClipRef], options: LearnOptions, *, cache: FeatureCache, progress: Progress) -> EncodedClips:
    """Encode clips by all streams that there are to choose from.

    Args:
        refs: Labelled clips.
        options: What to train.
        cache: Where features are kept.
        progress: Shows what is done.

    Raises:
        ClipsError: No clip can be read.
        ConversionError: TensorFlow rejected the encoder.
    """
    return _read(_library(options, cache, progress), refs, options)


def _library(options: LearnOptions, cache: FeatureCache, progress: Progress) -> ClipLibrary | RowLibrary:
    if options.encoder.input.kind == "features":
        return RowLibrary(window_plan(options), progress=progress)
    return ClipLibrary(options.encoder, window_plan(options), cache, progress=progress, workers=options.workers)


def _read(library: ClipLibrary | RowLibrary, refs: Sequence[ClipRef], options: LearnOptions) -> EncodedClips:
    streams = [stream for stream in STREAMS if any(stream in each.streams for each in options.candidates)]
    classes = tuple(sorted({str(ref.label) for ref in refs}))
    return library.read(refs, streams, classes=classes)


def _check_folds(refs: Sequence[ClipRef], options: LearnOptions) -> None:
    """Reject folds that cannot be made before minutes of encoding, not after them."""
    if is_measured(refs, options):
        outer_folds(refs, options)


def _check_duplicates(encoded: EncodedClips, options: LearnOptions) -> tuple[str, ...]:
    """Reject leaks through clips that are nearly the same, and describe those that may become one."""
    if not is_measured(encoded.bank.refs, options):
        return ()
    pairs = find_near_duplicates(encoded.fingerprints)
    if not options.allow_duplicates:
        check_no_leak(pairs)
    return describe_pairs(pairs)


def _facts(
    options: LearnOptions, choice: Choice, encoded: EncodedClips, cache: FeatureCache, fitted: MinedHead
) -> TransferFacts:
    return TransferFacts(
        encoder=options.encoder.name,
        streams=choice.candidate.streams,
        head=choice.candidate.head,
        losses=choice.losses,
        temperature=choice.temperature,
        cosine=encoded.cosine,
        cached=encoded.cached,
        encoded=encoded.encoded,
        damaged=cache.damaged,
        mining=fitted.rounds,
    )


def _measure(bank: FeatureBank, options: LearnOptions, progress: Progress) -> CrossValidation:
    """Answer held-out clips, after learning from all others and, for a learning curve, from fewer."""
    measured = cross_validate(bank, options, progress=progress)
    if not options.curve:
        return measured

    def with_fewer(count: int) -> CrossValidation:
        progress.step(f"Learning from {count} clips of each class")
        return cross_validate(bank, options, progress=progress, clips_per_class=count)

    most = most_of_a_class(bank.labels, outer_folds([bank.refs[index] for index in bank.given], options))
    return replace(measured, curve=measure_curve(measured, most, with_fewer))


def cross_validate(
    bank: FeatureBank, options: LearnOptions, *, progress: Progress, clips_per_class: int | None = None
) -> CrossValidation:
    """Hold out each fold in turn; its clips take no part in the choice of streams and head either.

    Args:
        bank: Features of all clips. Mined ones are never held out, and a fold learns from those that share
            neither group nor file with what it holds out.
        options: Folds and candidates.
        progress: Shows how many folds are done.
        clips_per_class: Clips of each class to fit to, the first ones in the order of the bank; None
            for all.

    Raises:
        ClipsError: The folds cannot be made.
    """
    chooser = chooser_of(bank, options)
    folds = outer_folds([bank.refs[index] for index in bank.given], options)
    predictions, int8, methods = [], [], []
    for fold in progress.track(folds, "held-out folds"):
        training = first_of_each(bank.labels, fold.training, clips_per_class)
        choice = chooser.choose(training)
        learned = np.concatenate([training, bank.mined_besides(fold.held_out)])
        head = chooser.fit(choice.candidate, learned).scaled(choice.temperature)
        methods.append(str(choice.candidate))
        predictions.append(_answer(bank, fold, head, choice.candidate, int8=False))
        # Rows have no encoder, and nothing is known of int8 before the conversion.
        if options.encoder.input.kind != "features":
            int8 += _answer(bank, fold, head, choice.candidate, int8=True)
    groups = [[bank.groups[index] for index in fold.held_out] for fold in folds]
    return summarise(predictions, groups, methods, labels=bank.classes, int8=int8)


def _answer(bank: FeatureBank, fold: Fold, head: Head, candidate: Candidate, *, int8: bool) -> list[Prediction]:
    scores = softmax(head.logits(bank.middle(candidate.streams, fold.held_out, int8=int8)).astype(np.float64))
    return [prediction(bank.refs[index], row, bank.classes) for index, row in zip(fold.held_out, scores, strict=True)]
