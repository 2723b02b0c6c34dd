"""Reads every clip and reports what training would find, without training: `edgevid train --check`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.clips import Clip, ClipRef, ClipSet, Listing, clip_frames, list_clips
from convert.progress import Progress
from convert.splits.groups import describe_groups
from convert.splits.holdout import check_classes, grouper, split
from convert.splits.near_duplicates import (
    DuplicatePair,
    Fingerprint,
    Fingerprinter,
    check_no_leak,
    describe_pairs,
    find_near_duplicates,
)
from convert.training.options import TrainOptions
from edgevid.errors import ClipsError, ContractError, SourceError
from edgevid.frames.preprocess import Kind
from edgevid.units import NS_PER_S


@dataclass(frozen=True)
class ClipFacts:
    """One clip that was read to its end.

    Attributes:
        fingerprint: For the comparison with other clips.
        sizes: Sizes of its frames, as WIDTHxHEIGHT, or the number of features.
        seconds: Up to the end of the last frame.
        rate: Frames per second on average; 0 for a single frame.
    """

    fingerprint: Fingerprint
    sizes: frozenset[str]
    seconds: float
    rate: float

    @property
    def ref(self) -> ClipRef:
        """The clip."""
        return self.fingerprint.ref


@dataclass(frozen=True)
class ClassRow:
    """The clips of one class.

    Attributes:
        label: The class; "" for clips without one.
        clips: Number of clips that can be read.
        held_out: Number of those that the list keeps out of training.
        groups: Number of groups; 0 without groups.
        seconds: Length of all clips.
        sizes: Sizes of the frames, sorted.
        rates: Frames per second, sorted, to a tenth.
    """

    label: str
    clips: int
    held_out: int
    groups: int
    seconds: float
    sizes: tuple[str, ...]
    rates: tuple[float, ...]


@dataclass(frozen=True)
class Survey:
    """What training would find.

    Attributes:
        classes: One row per class.
        skipped: Path and reason of what cannot be read or is passed over.
        near_duplicates: Clips that are nearly the same and may come apart.
        problems: Reasons why training would end with an error, one line each.
        warnings: Reasons why its metrics may mislead, one line each.
        notes: Assumptions, one line each.
    """

    classes: tuple[ClassRow, ...]
    skipped: tuple[tuple[Path, str], ...]
    near_duplicates: tuple[DuplicatePair, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def survey(root: str | Path, options: TrainOptions, progress: Progress) -> Survey:
    """Read every clip to its end and check whether a classifier can be trained on them.

    Args:
        root: A folder of clips, or a list.
        options: Options of the training.
        progress: Shows a bar.

    Raises:
        UsageError: `root` does not exist.
        ClipsError: `root` names no clip, or a line of the list is wrong.
    """
    listing, kind = _list(root, options)
    facts: list[ClipFacts] = []
    skipped: list[tuple[Path, str]] = []
    for ref in progress.track(listing.refs, "reading clips"):
        try:
            facts.append(_read(ref, kind, options.interval))
        except (SourceError, ContractError) as error:
            skipped.append(ref.unreadable(error))
    pairs = find_near_duplicates([each.fingerprint for each in facts])
    return Survey(
        classes=_rows(facts),
        skipped=(*skipped, *listing.passed_over),
        near_duplicates=tuple(pairs),
        problems=_problems(facts, len(listing.refs), kind, pairs, options),
        warnings=_warnings(facts, pairs, options),
        notes=listing.notes,
    )


def _list(root: str | Path, options: TrainOptions) -> tuple[Listing, Kind]:
    """List clips of pictures, or else of features."""
    group = grouper(options.group_by)
    try:
        listing = list_clips(root, reading=options.reading, group=group)
    except ClipsError:
        if not Path(root).is_dir() or next(Path(root).rglob("*.npy"), None) is None:
            raise
        return list_clips(root, kind="features", reading=options.reading, group=group), "features"
    is_features = all(ref.path.suffix.lower() == ".npy" for ref in listing.refs)
    return listing, "features" if is_features else "frames"


def _read(ref: ClipRef, kind: Kind, interval_s: float) -> ClipFacts:
    taken, sizes, first_ns, last_ns, count = Fingerprinter(ref), set[str](), 0, 0, 0
    for frame in clip_frames(ref, kind, interval_s=interval_s):
        taken.add(frame)
        shape = frame.data.shape
        sizes.add(f"{shape[1]}x{shape[0]}" if len(shape) > 1 else f"{shape[0]} features")
        first_ns, last_ns, count = first_ns if count else frame.timestamp_ns, frame.timestamp_ns, count + 1
    span_s = (last_ns - first_ns) / NS_PER_S
    rate = (count - 1) / span_s if span_s > 0 else 0.0
    return ClipFacts(taken.finish(), frozenset(sizes), span_s + (1 / rate if rate else 0.0), rate)


def _rows(facts: Sequence[ClipFacts]) -> tuple[ClassRow, ...]:
    classes: defaultdict[str, list[ClipFacts]] = defaultdict(list)
    for each in facts:
        classes[each.ref.label or ""].append(each)
    return tuple(
        ClassRow(
            label=label,
            clips=len(clips),
            held_out=sum(each.ref.is_held_out for each in clips),
            groups=len({each.ref.group for each in clips if each.ref.group}),
            seconds=round(sum(each.seconds for each in clips), 2),
            sizes=tuple(sorted(set().union(*(each.sizes for each in clips)))),
            rates=tuple(sorted({round(each.rate, 1) for each in clips})),
        )
        for label, clips in sorted(classes.items())
    )


def _problems(
    facts: Sequence[ClipFacts], listed: int, kind: Kind, pairs: Sequence[DuplicatePair], options: TrainOptions
) -> tuple[str, ...]:
    if not facts:
        return (str(ClipsError(expected="clips that can be read", found=f"none of {listed}")),)
    # The checks look at labels, groups and splits alone.
    clips = [Clip(each.ref, np.empty(0), np.empty(0)) for each in facts]
    checks: list[Callable[[], object]] = [
        lambda: _check_kind(kind),
        lambda: check_classes(ClipSet(tuple(clips))),
        lambda: split(clips, fraction=options.val_fraction, seed=options.seed),
    ]
    if not options.allow_duplicates:
        checks.append(lambda: check_no_leak(pairs))
    found = [_problem(check) for check in checks[:2]]
    # Clips that fail the check of their classes cannot be split.
    found += [] if any(found) else [_problem(check) for check in checks[2:]]
    return tuple(problem for problem in found if problem)


def _problem(check: Callable[[], object]) -> str:
    try:
        check()
    except ClipsError as error:
        return str(error)
    return ""


def _check_kind(kind: Kind) -> None:
    if kind == "features":
        raise ClipsError(
            expected="videos or folders of pictures to train on",
            found="sequences of features",
            hint="Train a model of your own on them: 'edgevid convert' and 'edgevid evaluate' read them.",
        )


def _warnings(facts: Sequence[ClipFacts], pairs: Sequence[DuplicatePair], options: TrainOptions) -> tuple[str, ...]:
    window_s = (options.frames - 1) * options.interval
    short = [each.ref.name for each in facts if each.seconds < window_s]
    shorter = f"{len(short)} of {len(facts)} clips are shorter than the window of {window_s:.2f} s, such as "
    return (
        *((f"{shorter}{short[0]}: the last frame is repeated",) if short else ()),
        *describe_groups([each.ref for each in facts]),
        *describe_pairs(pairs),
    )
