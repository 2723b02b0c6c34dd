"""Reads every clip and reports what training would find, without training: `edgevid train --check`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.clips import Clip, ClipRef, ClipSet, clip_frames, list_clips
from convert.clips.kinds import kind_of
from convert.clips.row_checks import check_row_intervals, check_row_lengths, describe_empty, interval_notes
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
from edgevid.errors import ClipsError, ContractError, SourceError, UsageError
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
        row_length: Numbers in a row; 0 for pictures.
        seen: Rows that are not all zeros, and so show somebody; all pictures.
    """

    fingerprint: Fingerprint
    sizes: frozenset[str]
    seconds: float
    rate: float
    row_length: int = 0
    seen: int = 0

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
    kind = kind_of(root, videos=options.videos)
    options = options.for_kind(kind)
    listing = list_clips(root, kind=kind, reading=options.reading, group=grouper(options.group_by))
    facts: list[ClipFacts] = []
    skipped: list[tuple[Path, str]] = []
    for ref in progress.track(listing.refs, "reading clips"):
        try:
            facts.append(_read(ref, kind, options.interval))
        except (SourceError, ContractError) as error:
            skipped.append(ref.unreadable(error))
    pairs = find_near_duplicates([each.fingerprint for each in facts if each.seen])
    return Survey(
        classes=_rows(facts),
        skipped=(*skipped, *listing.passed_over),
        near_duplicates=tuple(pairs),
        problems=_problems(facts, len(listing.refs), pairs, options),
        warnings=_warnings(facts, pairs, options),
        notes=(*listing.notes, *(interval_notes(listing.refs, options.interval) if kind == "features" else ())),
    )


def _read(ref: ClipRef, kind: Kind, interval_s: float) -> ClipFacts:
    taken, sizes, first_ns, last_ns, count, length, seen = Fingerprinter(ref), set[str](), 0, 0, 0, 0, 0
    for frame in clip_frames(ref, kind, interval_s=interval_s):
        taken.add(frame)
        shape = frame.data.shape
        length = shape[0] if kind == "features" else 0
        sizes.add(f"{length} features" if length else f"{shape[1]}x{shape[0]}")
        first_ns, last_ns, count = first_ns if count else frame.timestamp_ns, frame.timestamp_ns, count + 1
        seen += not length or bool(frame.data.any())
    span_s = (last_ns - first_ns) / NS_PER_S
    rate = (count - 1) / span_s if span_s > 0 else 0.0
    seconds = span_s + (1 / rate if rate else 0.0)
    return ClipFacts(taken.finish(), frozenset(sizes), seconds, rate, length, seen)


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
    facts: Sequence[ClipFacts], listed: int, pairs: Sequence[DuplicatePair], options: TrainOptions
) -> tuple[str, ...]:
    if not facts:
        return (str(ClipsError(expected="clips that can be read", found=f"none of {listed}")),)
    # The checks look at labels, groups and splits alone.
    clips = [Clip(each.ref, np.empty(0), np.empty(0)) for each in facts]
    checks: list[Callable[[], object]] = [
        lambda: _check_rows(facts, options.interval),
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
    except (ClipsError, UsageError) as error:
        return str(error)
    return ""


def _check_rows(facts: Sequence[ClipFacts], interval_s: float) -> None:
    """Reject rows of several lengths, and rows that are further apart than the window's frames."""
    rows = [each for each in facts if each.row_length]
    check_row_lengths({each.row_length: each.ref for each in rows})
    check_row_intervals([each.ref for each in rows], interval_s)


def _warnings(facts: Sequence[ClipFacts], pairs: Sequence[DuplicatePair], options: TrainOptions) -> tuple[str, ...]:
    window_s = (options.frames - 1) * options.interval
    short = [each.ref.name for each in facts if each.seconds < window_s]
    shorter = f"{len(short)} of {len(facts)} clips are shorter than the window of {window_s:.2f} s, such as "
    return (
        *((f"{shorter}{short[0]}: the last frame is repeated",) if short else ()),
        *describe_empty([each.ref for each in facts if not each.seen], len(facts)),
        *describe_groups([each.ref for each in facts]),
        *describe_pairs(pairs),
    )
