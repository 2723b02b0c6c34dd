"""The entry of `convert.train` and `edgevid train`: from scratch, or on a frozen encoder."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from convert.clips import ClipRef, ClipSet, list_clips
from convert.clips.kinds import kind_of
from convert.clips.row_checks import interval_notes
from convert.clips.row_format import keypoints_of
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.progress import Progress, Silent
from convert.reporting.training_page import write_training_page
from convert.splits.folds import Folds
from convert.splits.holdout import check_references, grouper
from convert.training.augment import NONE, Augmentation, parse_flip
from convert.training.fit import TrainedModel, save
from convert.training.fitting.epoch import Epoch
from convert.training.fitting.workers import ConnectedWorkers, connect_workers, stated_workers
from convert.training.options import AUTO, ROWS, SMALL, TrainOptions
from convert.training.workflow import train_small
from convert.training_info import TrainingInfo
from convert.transfer.cache import FeatureCache, default_folder
from convert.transfer.candidates import candidates
from convert.transfer.head_fitting.heads import HeadTraining
from convert.transfer.learn import learn
from convert.transfer.learn_options import LearnOptions
from convert.transfer.minable import open_mining
from convert.transfer.row_library import open_rows
from edgevid.atomic import check_folder
from edgevid.errors import UsageError
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import Kind

if TYPE_CHECKING:
    from convert.encoders.frame_encoder import FrameEncoder

# At most, without --folds: with features on disk, folds are cheap.
_USUAL_FOLDS = 5


def train(
    clips: str | Path,
    out: str | Path,
    *,
    options: TrainOptions | None = None,
    progress: Progress | None = None,
    on_clips: Callable[[ClipSet], None] = lambda _clips: None,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
    command: str = "",
) -> TrainedModel:
    """Train a classifier on a folder of clips and write it as a Keras model.

    With the variable `TF_CONFIG`, the workers that it names share a training of the small encoder. Each calls this
    with the same clips and options before any other use of TensorFlow; the chief writes all files.

    The file also carries labels, window, input and decision rule, so that the conversion needs no
    options for them.

    Args:
        clips: Folder `<class>/<clip>`, or a list of clips: a CSV file with the columns path and
            label, and optionally start_s, end_s, group and split, or the list of a public data set.
        out: The `.keras` file, written atomically.
        options: Options of training.
        progress: Shows what is done.
        on_clips: Called once before training, with the clips and those that cannot be read. With a
            frozen encoder the clips have times and no frames.
        on_epoch: Called at the end of each epoch of the small encoder.
        command: The command line, for the record in the report's page.

    Returns:
        The network, its history, and its metrics on held-out clips.

    Raises:
        UsageError: An option or path is not legal, or the package of an encoder's weights is missing.
        ClipsError: No classifier can be trained on the clips, the folds cannot be made, or clips that
            are nearly the same are in different groups or splits.
        TruthError: The truth of recordings to mine is wrong, or does not fit them or the clips.
        ModelError: Training diverged, or an encoder cannot be used.
    """
    progress, started_s = progress or Silent(), time.monotonic()
    options = options or TrainOptions()
    options = options.for_kind(kind_of(clips, videos=options.videos))
    workers = _connect(options)
    is_chief = workers is None or workers.place.is_chief
    # Before minutes of encoding or hours of training, not after them.
    check_folder(out, suffix=".keras")
    if options.report is not None:
        check_folder(options.report, suffix=".html")
    read: list[ClipSet] = []

    def announce(found: ClipSet) -> None:
        read.append(found)
        on_clips(found)

    if options.encoder == SMALL:
        trained = train_small(clips, options=options, progress=progress, on_clips=announce, on_epoch=on_epoch)
    else:
        trained = _transfer(Path(clips), options, progress, announce)
    if is_chief:
        save(trained, out)
    if options.report is not None and is_chief:
        progress.step(f"Writing {options.report}")
        write_training_page(
            trained,
            options.report,
            title=Path(out).stem,
            clips=read[0],
            options=options,
            seconds=time.monotonic() - started_s,
            command=command,
        )
    if workers is not None:
        # A worker that ended would take the connection with it that the others still need.
        workers.wait()
    return trained


def _connect(options: TrainOptions) -> ConnectedWorkers | None:
    """Connect the workers that `TF_CONFIG` names."""
    UsageError.unless(
        options.encoder == SMALL or stated_workers() is None,
        expected=f"--encoder {SMALL} with TF_CONFIG, which shares a training among machines",
        got=options.encoder,
        hint="Unset TF_CONFIG; --workers encodes clips in several processes.",
    )
    UsageError.unless(
        options.teacher is None or stated_workers() is None, expected="no --teacher with TF_CONFIG", got=options.teacher
    )
    return connect_workers()


def _transfer(
    root: Path, options: TrainOptions, progress: Progress, on_clips: Callable[[ClipSet], None]
) -> TrainedModel:
    kind: Kind = "features" if options.encoder == ROWS else "frames"
    listing = list_clips(root, kind=kind, reading=options.reading, group=grouper(options.group_by))
    labels = check_references(listing.refs)
    background = () if options.background is None else (options.background,)
    UsageError.unless(
        set(background) <= set(labels), expected=f"a class of the clips ({', '.join(labels)})", got=options.background
    )
    learn_options = _learn_options(options, listing.refs, labels, progress)
    keypoints = None
    if kind == "features":
        keypoints = keypoints_of(listing.refs)
        listing = replace(listing, notes=(*listing.notes, *interval_notes(listing.refs, options.interval)))
    learned = learn(
        listing.refs,
        learn_options,
        cache=FeatureCache(options.cache or default_folder()),
        progress=progress,
        on_clips=lambda encoded: on_clips(
            replace(encoded.clips, skipped=(*encoded.clips.skipped, *listing.passed_over), notes=listing.notes)
        ),
    )
    for note in learned.notes:
        progress.step(f"  note: {note}")
    measured = learned.cross_validation
    rule = DecisionRule(background=background)
    frame = learn_options.encoder.input
    return TrainedModel(
        model=learned.model,
        info=TrainingInfo(
            labels=labels,
            window=options.window,
            input=frame,
            decision=rule,
            framing=options.framing,
            keypoints=keypoints,
        ),
        history=learned.history,
        evaluation=None if measured is None else measured.evaluation,
        cross_validation=measured,
        transfer=learned.facts,
        notes=learned.notes,
    )


def _learn_options(
    options: TrainOptions, refs: Sequence[ClipRef], labels: Sequence[str], progress: Progress
) -> LearnOptions:
    """Check all options, then open the encoder, which takes seconds."""
    choices = candidates(_streams(options), options.head)
    mining = open_mining(options, refs, labels)
    folds = _folds(refs, options)
    flip = parse_flip(options.flip, labels)
    encoder = _encoder(options, refs, progress)
    return LearnOptions(
        encoder=encoder,
        window=options.window,
        augmentation=Augmentation(flip=flip) if options.augment else NONE,
        windows_per_clip=options.windows_per_clip,
        candidates=choices,
        folds=folds,
        training=HeadTraining(
            every_frame=options.loss == "every-frame",
            label_smoothing=options.label_smoothing,
            mix_up=options.mix_up,
        ),
        seed=options.seed,
        allow_duplicates=options.allow_duplicates,
        curve=options.has_curve,
        fine_tune=options.fine_tune,
        workers=options.workers,
        mining=mining,
    )


def _streams(options: TrainOptions) -> str:
    """Return the streams to choose from: rows alone, as their statistics contain their changes."""
    return "frames" if options.encoder == ROWS and options.streams == AUTO else options.streams


def _encoder(options: TrainOptions, refs: Sequence[ClipRef], progress: Progress) -> FrameEncoder:
    from convert.encoders.frame_encoder import open_encoder, parse_encoder

    if options.encoder in (None, ROWS):
        import_tensorflow()
        return open_rows(refs, options.window)
    choice = parse_encoder(options.encoder)
    import_tensorflow()
    progress.step(f"Opening {options.encoder}")
    encoder = open_encoder(choice, resize=options.resize, pixel_range=options.range)
    if choice.path is not None:
        progress.step("  pixels 0 and 255 enter it as {:g} and {:g}".format(*encoder.input.range))
    return encoder


def _folds(refs: Sequence[ClipRef], options: TrainOptions) -> Folds:
    """Return the folds to make; a list that states its split needs none."""
    if any(ref.is_held_out for ref in refs):
        UsageError.unless(not options.folds, expected="no --folds with a list that states its split", got=options.folds)
        return 0
    if options.folds is not None:
        return options.folds
    rarest = min(Counter(str(ref.label) for ref in refs).values())
    groups = {ref.group for ref in refs}
    # With one group, two folds are refused, and the error says why.
    return max(2, min(_USUAL_FOLDS, rarest, len(groups) if any(groups) else rarest))
