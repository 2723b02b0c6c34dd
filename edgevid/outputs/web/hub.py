"""The content of the live page.

The loop stores references to decisions and events. The page's own thread turns them into JSON, once
for all viewers and only while there are any.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgevid import __version__
from edgevid.events.decide import Decision, Event
from edgevid.events.rule import DecisionRule
from edgevid.outputs.delivery.backlog import Key, event_key
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.payload import EventFormatter
from edgevid.outputs.run_status import RunStatus
from edgevid.outputs.web.region_control import RegionControl
from edgevid.telemetry.telemetry import STAGES, Telemetry

HISTORY_S, STEP_S, EVENTS = 60.0, 0.1, 50
# Of one value: a page cannot show a thousand numbers ten times a second.
NUMBERS = 12
# Frame times jitter: slightly less than a step since the last entry counts as a step.
_LEAST_STEP_S = STEP_S * 0.98
_DIGITS = 4


class SeenPoints(Protocol):
    """The key points in a picture."""

    def shares(self) -> Mapping[str, list[list[float]] | None]:
        """Return points by group: x and y in shares of what the model sees, and a visibility if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class PageModel:
    """A model as shown on the page.

    Attributes:
        name: Display name.
        labels: In the order of the scores.
        rule: How scores become events.
        about: Plan, precision and window, in a few words.
        seen: Returns the newest key points, another object for each picture; None for a model without.
    """

    name: str
    labels: tuple[str, ...]
    rule: DecisionRule
    about: str
    seen: Callable[[], SeenPoints | None] | None = None


class Hub:
    """Decisions, events and vitals of a run, as JSON.

    Args:
        source: Name of the source.
        models: The models that run, in order.
        telemetry: Telemetry of each model, by name.
        status: Rates, memory and board.
        formatter: Formats events.
        region: The part of the picture that the models see; None for a source without pictures.
        reports: Returns the reports of all outputs; may be assigned later.
    """

    def __init__(
        self,
        *,
        source: str,
        models: Sequence[PageModel],
        telemetry: Mapping[str, Telemetry],
        status: RunStatus,
        formatter: EventFormatter,
        region: RegionControl | None = None,
        reports: Callable[[], Iterable[Report]] = tuple,
    ) -> None:
        self.reports = reports
        self._source = source
        self._models = tuple(models)
        self._telemetry = dict(telemetry)
        self._status = status
        self._formatter = formatter
        self._region = region
        self._sent_region: dict[str, Any] | None = None
        self._numbers = {model.name: number for number, model in enumerate(self._models)}
        self._latest: list[Decision | None] = [None] * len(self._models)
        self._history: list[deque[Decision]] = [deque(maxlen=round(HISTORY_S / STEP_S)) for _ in self._models]
        # The last events for a new viewer, and those that the present viewers were not sent yet.
        self._events: OrderedDict[Key, dict[str, Any]] = OrderedDict()
        self._news: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        self._sent: list[Decision | None] = [None] * len(self._models)
        self._sent_points: list[SeenPoints | None] = [None] * len(self._models)

    def add_decision(self, decision: Decision) -> None:
        """Store a decision. Called in the loop."""
        number = self._numbers[decision.model]
        self._latest[number] = decision
        history = self._history[number]
        # More than a step back means that time was set back.
        if not history or not -STEP_S < history[-1].t_s - decision.t_s < _LEAST_STEP_S:
            history.append(decision)

    def add_event(self, event: Event) -> None:
        """Store the start or the end of an event. Called in the loop."""
        fields = self._formatter.event(event)
        fields.pop("values", None)  # the page shows those of the newest decision
        self._events[event_key(event)] = fields
        self._news.append(fields)
        while len(self._events) > EVENTS:
            self._events.popitem(last=False)

    def hello(self) -> str:
        """Return the message for a new viewer.

        Returns:
            JSON of `kind` "hello": version, source, models, the scores of the last minute, the last
            events, the newest key points of each model, and the region.
        """
        models = [
            {
                "name": model.name,
                "labels": model.labels,
                "background": model.rule.background,
                "enter": model.rule.enter,
                "exit": model.rule.exit,
                "about": model.about,
            }
            for model in self._models
        ]
        history = [[_scores(decision) for decision in list(each)] for each in self._history]
        return _text(
            "hello",
            version=__version__,
            source=self._source,
            models=models,
            history=history,
            events=list(self._events.values()),
            points=[seen and seen.shares() for seen in map(_newest_points, self._models)],
            region=self._region and self._region.shown(),
        )

    def news(self) -> list[str]:
        """Return the messages since the last call, for all viewers.

        Returns:
            JSON of `kind` "event" for each start and end, of `kind` "state" with the newest decision of
            each model that has a new one, of `kind` "points" with its key points, and of `kind` "region"
            if that is another one.
        """
        texts = []
        while self._news:
            texts.append(_text("event", **self._news.popleft()))
        states = [
            {
                "model": number,
                "label": latest.label,
                "score": round(latest.score, _DIGITS),
                "age_ms": round(latest.age_ms, 1),
                "at": _scores(latest),
                # Counts are numbers with a name, as values are.
                "values": [*_values(latest), *([name, [count], 0] for name, count in latest.counts.items())],
            }
            for number, latest in enumerate(list(self._latest))
            if latest is not None and latest is not self._sent[number]
        ]
        if states:
            self._sent = list(self._latest)
            texts.append(_text("state", decisions=states))
        texts += self._new_points()
        region = self._region and self._region.shown()
        if region and region != self._sent_region:
            self._sent_region = region
            texts.append(_text("region", **region))
        return texts

    def _new_points(self) -> Iterable[str]:
        for number, model in enumerate(self._models):
            seen = _newest_points(model)
            if seen is not None and seen is not self._sent_points[number]:
                self._sent_points[number] = seen
                yield _text("points", model=number, points=seen.shares())

    def change_region(self, message: str | bytes) -> str:
        """Apply a region that a viewer chose.

        Args:
            message: See `RegionControl.change`.

        Returns:
            JSON of `kind` "saved" for that viewer, with the `problem`, empty if there was none.
        """
        problem = self._region.change(message) if self._region else "This source has no pictures."
        return _text("saved", problem=problem)

    def vitals(self, *, viewers: int) -> str:
        """Return the message about the run's status.

        Args:
            viewers: The number of viewers of the page.

        Returns:
            JSON of `kind` "vitals".
        """
        latency = {
            name: {
                stage: [round(value, 3) for value in (each.p50_ms, each.p95_ms, each.p99_ms, each.max_ms)]
                for stage, each in telemetry.stages().items()
            }
            for name, telemetry in self._telemetry.items()
        }
        first = next(iter(self._telemetry.values()))
        outputs = [
            {"name": each.name, "waiting": each.waiting, "problem": each.problem, "dropped": each.lost}
            for each in self.reports()
        ]
        return _text(
            "vitals",
            **self._status.snapshot(),
            drops=dict(first.drops),
            latency_ms=latency,
            stages=dict(STAGES),
            outputs=outputs,
            viewers=viewers,
        )


def _newest_points(model: PageModel) -> SeenPoints | None:
    return None if model.seen is None else model.seen()


def _scores(decision: Decision) -> list[float]:
    """Return the time, then the score of each label."""
    return [round(decision.t_s, 3), *(round(score, _DIGITS) for score in decision.probabilities)]


def _values(decision: Decision) -> list[tuple[str, list[float], int]]:
    """Return (name, first numbers, count of the others) of each value besides the scores."""
    return [
        (name, [float(f"{number:.{_DIGITS}g}") for number in numbers[:NUMBERS]], max(0, len(numbers) - NUMBERS))
        for name, numbers in decision.values.items()
    ]


def _text(kind: str, **content: Any) -> str:
    return json.dumps({"kind": kind, **content}, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
