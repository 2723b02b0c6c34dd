"""Hard negatives: the worst false alarms of a head in long recordings become clips of background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.clips import ClipRef, Segment
from convert.event_metrics import Answered, ScoreTrace, replay
from convert.event_metrics.alarms import match_recording
from convert.event_metrics.rates import rate
from convert.progress import Progress
from convert.recordings import Recording, check_durations
from convert.training.transfer_facts import MiningRound, WatchedHours
from convert.transfer.feature_bank import FeatureBank, Held
from convert.transfer.head_fitting.heads import Head
from convert.transfer.library import ClipLibrary
from convert.transfer.stream_features import RecordedFeatures
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.errors import TruthError
from edgevid.events.decide import Decider, Event
from edgevid.events.rule import DecisionRule
from edgevid.events.timeline import TOLERANCE_S
from edgevid.lane import default_delay_s

# Worst first. Clips of a class share its weight, so that more of them would only dilute the worst.
MOST_PER_ROUND = 50


@dataclass(frozen=True, kw_only=True)
class Mining:
    """Recordings to find false alarms in.

    Attributes:
        folder: Their folder, for their names.
        recordings: With what happens in them.
        avoid: Segments of each file that are no background, although the truth may not name them.
        rule: From scores to events. Its first background class is that of the mined clips.
        rounds: How often false alarms are searched and the head is fitted anew, at least 1.
        framing: What the model sees of their pictures.
    """

    folder: Path
    recordings: tuple[Recording, ...]
    avoid: dict[Path, tuple[Segment, ...]]
    rule: DecisionRule
    rounds: int
    framing: Framing = PLAIN


@dataclass(frozen=True)
class MinedHead:
    """A head that knows its false alarms.

    Attributes:
        head: The head.
        bank: All clips, the mined ones last.
        rounds: What each head said.
    """

    head: Head
    bank: FeatureBank
    rounds: tuple[MiningRound, ...]


@dataclass(frozen=True)
class _Alarm:
    """A false alarm as a clip, with its score."""

    clip: ClipRef
    score: float


class Miner:
    """Searches false alarms in recordings, and fits heads that know them.

    Args:
        mining: The recordings.
        features: Their features.
        window: Window of the model.
        classes: Names of the classes, in the order of the scores.
        held_out: Groups and files of clips that no head may learn from.
        progress: Shows what is done.

    Raises:
        TruthError: Each recording is of a held-out group or file.
    """

    def __init__(
        self,
        mining: Mining,
        features: RecordedFeatures,
        window: Window,
        classes: Sequence[str],
        held_out: Held,
        *,
        progress: Progress,
    ) -> None:
        self._mining, self._features, self._window, self._classes = mining, features, window, tuple(classes)
        self._held_out, self._progress = held_out, progress
        TruthError.unless(
            not all(self._is_held_out(each) for each in mining.recordings),
            expected="a recording for --mine of another group and file than the held-out clips",
            found=f"none among the {len(mining.recordings)} of {mining.folder}",
        )

    def mine(
        self, head: Head, fit: Callable[[FeatureBank], Head], bank: FeatureBank, library: ClipLibrary
    ) -> MinedHead:
        """Search false alarms, fit a head that knows them, and begin again.

        Args:
            head: The first head.
            fit: Fits a head to clips and mined clips.
            bank: The clips.
            library: Encodes false alarms.
        """
        rounds, taken = [], list[ClipRef]()
        for number in range(self._mining.rounds + 1):
            answered = self._watch(head)
            fresh = self._worst(answered, taken) if number < self._mining.rounds else []
            rounds.append(self._round(number, answered, len(fresh)))
            self._progress.step(f"  {rounds[-1]}")
            if not fresh:
                break
            taken += fresh
            bank = library.read_more(bank, fresh)
            head = fit(bank)
        return MinedHead(head, bank, tuple(rounds))

    def _is_held_out(self, recording: Recording) -> bool:
        return self._held_out.has(ClipRef(recording.path, group=recording.group))

    def _watch(self, head: Head) -> list[tuple[Recording, Answered]]:
        recordings = self._mining.recordings
        tracked = self._progress.track(recordings, "watching recordings")
        return [(recording, self._answer(recording, head)) for recording in tracked]

    def _answer(self, recording: Recording, head: Head) -> Answered:
        trace = self._features.answers(recording.path, head)
        check_durations(recording, duration_s=trace.duration_s)
        rule = self._mining.rule
        delay_s = default_delay_s(self._window)
        return Answered(
            name=recording.path.relative_to(self._mining.folder).as_posix(),
            truth=tuple(event for event in recording.events if event.label not in rule.background),
            trace=trace,
            events=replay(trace, lambda: Decider(self._classes, rule, delay_s=delay_s)),
            group=recording.group,
        )

    def _round(self, number: int, answered: Sequence[tuple[Recording, Answered]], mined: int) -> MiningRound:
        own = [each for recording, each in answered if not self._is_held_out(recording)]
        others = [each for recording, each in answered if self._is_held_out(recording)]
        return MiningRound(number=number, watched=_hours(own), kept_out=_hours(others) if others else None, mined=mined)

    def _worst(self, answered: Sequence[tuple[Recording, Answered]], taken: Sequence[ClipRef]) -> list[ClipRef]:
        """Return the worst false alarms that are not mined yet, the worst first."""
        alarms = [
            alarm
            for recording, each in answered
            if not self._is_held_out(recording)
            for alarm in self._alarms(recording, each)
        ]
        chosen = list(taken)
        for alarm in sorted(alarms, key=lambda each: -each.score):
            if len(chosen) == len(taken) + MOST_PER_ROUND:
                break
            if not any(_overlap(alarm.clip, other) for other in chosen):
                chosen.append(alarm.clip)
        return chosen[len(taken) :]

    def _alarms(self, recording: Recording, answered: Answered) -> list[_Alarm]:
        matched = match_recording(answered, tolerance_s=TOLERANCE_S)
        busy = [Segment(real.start_s, real.end_s) for real in answered.truth]
        busy += self._mining.avoid.get(recording.path.resolve(), ())
        found = []
        for event in matched.score.false_alarms:
            segment = self._segment(event, answered.trace, busy)
            if segment is not None:
                origin = f"a false alarm of {event.label!r} in {answered.name}"
                label = self._mining.rule.background[0]
                clip = ClipRef(
                    recording.path, label, recording.group, segment, origin=origin, framing=self._mining.framing
                )
                found.append(_Alarm(clip, event.score))
        return found

    def _segment(self, event: Event, trace: ScoreTrace, busy: Sequence[Segment]) -> Segment | None:
        """Return the window of the highest score of an event, with room for windows at random places.

        Returns:
            None if something happens in the window or near it.
        """
        span_s, interval_s = self._window.span_s, self._window.interval_s
        near = (trace.times_s >= event.announced_s - span_s) & (trace.times_s <= event.end_s + span_s)
        scores = np.where(near, trace.scores[:, self._classes.index(event.label)], -1.0)
        last_s = float(trace.times_s[int(scores.argmax())])
        # Half an interval at both ends: the frames of the window lie inside for sure.
        least = Segment(max(last_s - span_s - interval_s / 2, 0.0), last_s + interval_s / 2)
        free = _free_around(least, busy, trace.duration_s)
        if free is None:
            return None
        room_s = span_s / 4
        start_s, end_s = max(least.start_s - room_s, free.start_s), min(least.end_s + room_s, free.end_s)
        return Segment(round(start_s, 3), round(end_s, 3))


def _free_around(least: Segment, busy: Sequence[Segment], duration_s: float) -> Segment | None:
    """Return the time around a segment in which nothing happens; None if something happens in it."""
    start_s, end_s = 0.0, duration_s
    for each in busy:
        from_s, to_s = each.start_s - TOLERANCE_S, each.end_s + TOLERANCE_S
        if from_s < least.end_s and to_s > least.start_s:
            return None
        if to_s <= least.start_s:
            start_s = max(start_s, to_s)
        else:
            end_s = min(end_s, from_s)
    return Segment(start_s, max(end_s, least.end_s))


def _overlap(one: ClipRef, other: ClipRef) -> bool:
    if one.path != other.path or one.segment is None or other.segment is None:
        return False
    return one.segment.start_s < other.segment.end_s and other.segment.start_s < one.segment.end_s


def _hours(answered: Sequence[Answered]) -> WatchedHours:
    matched = [match_recording(each, tolerance_s=TOLERANCE_S) for each in answered]
    counted = rate(
        sum(len(each.score.false_alarms) for each in matched),
        sum(each.trace.duration_s for each in answered) / 3600,
    )
    return WatchedHours(
        recordings=len(answered),
        hours=counted.hours,
        false_alarms=counted.count,
        per_hour=counted.per_hour,
        low=counted.low,
        high=counted.high,
        events=sum(len(each.truth) for each in answered),
        found=sum(len(each.score.matched) for each in matched),
    )
