"""Which recordings can be mined for false alarms, and what happens in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from convert.clips import ClipRef, Segment
from convert.recordings import Recording, TrueEvent, check_labels, import_truth
from convert.recordings.streams import StreamFolder
from convert.splits.holdout import grouper
from convert.training.options import TrainOptions
from convert.transfer.mining import Mining
from edgevid.errors import TruthError
from edgevid.events.rule import DecisionRule

_USUAL_ROUNDS = 2


def open_mining(options: TrainOptions, refs: Sequence[ClipRef], labels: Sequence[str]) -> Mining | None:
    """Find the recordings to mine, and what happens in them.

    Args:
        options: The options of training.
        refs: The clips. Segments of a recording that are no background are events of it.
        labels: Classes of the clips.

    Returns:
        None if nothing is to be mined.

    Raises:
        UsageError: The truth does not exist.
        TruthError: The truth is wrong or does not fit the folder or the classes, there is no
            recording, or it cannot be told whether one shows a held-out group.
    """
    if options.mine is None or options.background is None:
        return None
    rule = DecisionRule(background=(options.background,))
    segments = _segments(refs, options.background)
    if options.truth is None:
        recordings = _without_truth(options.mine, refs, segments, options.background)
    else:
        recordings = import_truth(options.truth, folder=options.mine).recordings
    recordings = _grouped(recordings, grouper(options.group_by))
    check_labels(recordings, labels, background=rule.background)
    if _needs_groups(options, refs):
        _check_groups(recordings)
    return Mining(
        folder=options.mine,
        recordings=recordings,
        avoid={path: tuple(Segment(each.start_s, each.end_s) for each in events) for path, events in segments.items()},
        rule=rule,
        rounds=options.mine_rounds or _USUAL_ROUNDS,
        framing=options.framing,
    )


def _segments(refs: Sequence[ClipRef], background: str) -> dict[Path, tuple[TrueEvent, ...]]:
    """Return the segments of each file that are no background, by their start."""
    found: defaultdict[Path, list[TrueEvent]] = defaultdict(list)
    for ref in refs:
        if ref.segment is not None and ref.label != background:
            found[ref.path.resolve()].append(TrueEvent(str(ref.label), ref.segment.start_s, ref.segment.end_s))
    return {path: tuple(sorted(events, key=lambda event: event.start_s)) for path, events in found.items()}


def _without_truth(
    folder: Path, refs: Sequence[ClipRef], segments: dict[Path, tuple[TrueEvent, ...]], background: str
) -> tuple[Recording, ...]:
    whole = {ref.path.resolve(): ref for ref in refs if ref.segment is None and ref.label != background}
    videos = StreamFolder(folder).videos
    TruthError.unless(bool(videos), expected="recordings for --mine", found=f"none in {folder}")
    for video in videos:
        clip = whole.get(video.resolve())
        TruthError.unless(
            clip is None,
            expected="recordings apart from the clips for --mine without --truth",
            found="" if clip is None else f"{video}, a clip of {clip.label!r}",
            hint="Say with --truth what happens in them.",
        )
    return tuple(Recording(path=video, events=segments.get(video.resolve(), ())) for video in videos)


def _grouped(recordings: Sequence[Recording], group: Callable[[Path], str]) -> tuple[Recording, ...]:
    return tuple(replace(each, group=each.group or group(each.path)) for each in recordings)


def _needs_groups(options: TrainOptions, refs: Sequence[ClipRef]) -> bool:
    is_measured = options.folds != 0 or any(ref.is_held_out for ref in refs)
    return is_measured and any(ref.group for ref in refs)


def _check_groups(recordings: Sequence[Recording]) -> None:
    for recording in recordings:
        TruthError.unless(
            bool(recording.group),
            expected="a group of each recording for --mine, as the clips have groups that are held out",
            found=f"none of {recording.path}",
            hint="Add a column 'group' to the truth, or use --group-by.",
        )
