"""The recordings of an evaluation as strips: truth above, events below, right and wrong told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.event_metrics import Answered, ScoreTrace
from convert.event_metrics.alarms import Alarms
from edgevid.events.decide import Event
from edgevid.events.timeline import Interval
from edgevid.outputs.timeline.clock import clock_text
from edgevid.outputs.timeline.sketch import ScoreSketch
from edgevid.outputs.timeline.strip import Kind, Mark, Strip, rows_of

_KINDS = {"spurious": "nothing happened", "duplicates": "said before"}
# Each takes up to 60 kB, where an event follows on the other.
MOST_ROWS = 150


@dataclass(frozen=True)
class Watched:
    """A recording with its matched events.

    Attributes:
        answered: Truth, scores and events.
        alarms: Which events are right.
        truth: The true events, found or missed.
        events: The events, right or false.
    """

    answered: Answered
    alarms: Alarms
    truth: Sequence[Mark]
    events: Sequence[Mark]

    @property
    def faults(self) -> int:
        """Misses and false alarms."""
        return len(self.alarms.score.missed) + len(self.alarms.score.false_alarms)


def watched(answered: Answered, alarms: Alarms, *, number: int) -> Watched:
    """Return the marks of a recording.

    Args:
        answered: The recording.
        alarms: Its matched events.
        number: Of the recording, for the names of its pictures.
    """
    score = alarms.score
    truth = [_true(real, "found") for real, _ in score.matched] + [_true(real, "missed") for real in score.missed]
    events = [_event(event, "hit", f"right, true start {_at(real.start_s)}") for real, event in score.matched]
    events += [
        _event(event, "false", _why(kind, real))
        for event, (kind, real) in zip(score.false_alarms, alarms.kinds, strict=True)
    ]
    return Watched(answered, alarms, _named(truth, f"t{number}"), _named(events, f"e{number}"))


def _true(real: Interval, kind: Kind) -> Mark:
    text = f"{'missed' if kind == 'missed' else 'true, found'}: {real.label} {_span(real)}"
    return Mark(label=real.label, start_s=real.start_s, end_s=real.end_s, kind=kind, text=text)


def _event(event: Event, kind: Kind, why: str) -> Mark:
    lead = "false alarm: " if kind == "false" else ""
    text = f"{lead}{event.label} {_span(event)}, score {event.score:.2f} ({why})"
    return Mark(label=event.label, start_s=event.start_s, end_s=event.end_s, kind=kind, text=text)


def _why(kind: str, real: Interval | None) -> str:
    return _KINDS.get(kind, f"it was {real.label}" if real is not None else kind)


def _named(marks: Sequence[Mark], prefix: str) -> list[Mark]:
    """Order marks by start, and name the pictures of each."""
    ordered = sorted(marks, key=lambda mark: mark.start_s)
    return [
        Mark(
            label=mark.label,
            start_s=mark.start_s,
            end_s=mark.end_s,
            kind=mark.kind,
            text=mark.text,
            shots=f"{prefix}-{index}",
        )
        for index, mark in enumerate(ordered)
    ]


def _span(interval: Interval) -> str:
    return f"{_at(interval.start_s)} to {_at(interval.end_s)}"


def _at(seconds: float) -> str:
    return clock_text(seconds, decimals=1)


def strip_of(
    each: Watched, *, labels: Sequence[str], colors: Mapping[str, str], background: Sequence[str], video: str
) -> Strip:
    """Return what is drawn of a recording.

    Args:
        each: The recording.
        labels: Classes of the model, in the order of the scores.
        colors: Color of each label.
        background: Labels that are never events.
        video: Its address, relative to the page.
    """
    answered = each.answered
    score = each.alarms.score
    facts = [f"{len(score.matched)} of {len(answered.truth)} found", f"{len(score.false_alarms)} false"]
    parts = [name for name in (answered.group, answered.condition) if name]
    return Strip(
        name=answered.name,
        title=f"{answered.name}: {', '.join([*facts, *parts])}",
        end_s=answered.trace.duration_s,
        lanes={"truth": each.truth, "events": each.events},
        curves=sketch_of(answered.trace, labels),
        colors=colors,
        background=background,
        video=video,
    )


def sketch_of(trace: ScoreTrace, labels: Sequence[str]) -> ScoreSketch:
    """Return the scores of a recording in little memory."""
    sketch = ScoreSketch(labels)
    for t_s, scores in zip(trace.times_s.tolist(), trace.scores, strict=True):
        sketch.add(t_s, scores)
    return sketch


def drawn(strips: Sequence[Strip]) -> list[Strip]:
    """Return the first strips, as many as a page can hold: `MOST_ROWS` rows, and at least one strip."""
    rows, kept = 0, list[Strip]()
    for strip in strips:
        rows += len(rows_of(strip))
        if kept and rows > MOST_ROWS:
            break
        kept.append(strip)
    return kept


def file_of(each: Watched, folder: Path) -> Path:
    """Return the file of a recording."""
    return folder / each.answered.name
