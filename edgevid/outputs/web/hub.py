"""What the live page shows, kept ready: filled by the loop in passing, turned into text once for all viewers, in the page's own thread."""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevid import __version__
from edgevid.events.decide import Decision, Event
from edgevid.events.rule import DecisionRule
from edgevid.outputs.delivery.backlog import Key, event_key
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.payload import EventFormatter
from edgevid.outputs.run_status import RunStatus
from edgevid.telemetry.telemetry import STAGES, Telemetry

HISTORY_S, STEP_S, EVENTS = 60.0, 0.1, 50
# A page is no place for a thousand numbers ten times a second.
NUMBERS = 12
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page says of a model.

    Attributes:
        name: For people.
        labels: In the order of the scores.
        rule: How scores become events.
        about: Plan, precision and window, in a few words.
    """

    name: str
    labels: tuple[str, ...]
    rule: DecisionRule
    about: str


class Hub:
    """Decisions, events and vitals of a run.

    Args:
        source: Its name.
        models: In order.
        telemetry: Of each model, by name.
        vitals: Rates, memory and board.
        teller: Dates events.
        reports: How each output is doing; may be set later.
    """

    def __init__(
        self,
        *,
        source: str,
        models: Sequence[Shown],
        telemetry: Mapping[str, Telemetry],
        vitals: RunStatus,
        teller: EventFormatter,
        reports: Callable[[], Iterable[Report]] = tuple,
    ) -> None:
        self.reports = reports
        self._source = source
        self._models = tuple(models)
        self._telemetry = dict(telemetry)
        self._vitals = vitals
        self._teller = teller
        self._numbers = {model.name: number for number, model in enumerate(self._models)}
        self._latest: list[Decision | None] = [None] * len(self._models)
        self._history: list[deque[Decision]] = [deque(maxlen=round(HISTORY_S / STEP_S)) for _ in self._models]
        self._events: OrderedDict[Key, dict[str, Any]] = OrderedDict()
        self._news: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        self._told: list[Decision | None] = [None] * len(self._models)

    def decided(self, decision: Decision) -> None:
        """Take a decision. Called in the loop.

        Args:
            decision: Kept.
        """
        number = self._numbers[decision.model]
        self._latest[number] = decision
        history = self._history[number]
        if not history or not -STEP_S < history[-1].t_s - decision.t_s < STEP_S * 0.98:
            history.append(decision)

    def happened(self, event: Event, *, ended: bool) -> None:
        """Take the start or end of an event. Called in the loop.

        Args:
            event: It.
            ended: Whether this is its end.
        """
        told = self._teller.event(event, "end" if ended else "start")
        told.pop("values", None)  # the page shows those of the newest decision
        self._events[event_key(event)] = told
        self._news.append(told)
        while len(self._events) > EVENTS:
            self._events.popitem(last=False)

    def hello(self) -> str:
        """Say everything that a new viewer has to know.

        Returns:
            JSON, `kind` "hello": version, source, models, the last minute of scores, and the last events.
        """
        models = [
            {
                "name": m.name,
                "labels": m.labels,
                "background": m.rule.background,
                "enter": m.rule.enter,
                "exit": m.rule.exit,
                "about": m.about,
            }
            for m in self._models
        ]
        history = [[_scores(decision) for decision in list(each)] for each in self._history]
        return _text(
            "hello",
            version=__version__,
            source=self._source,
            models=models,
            history=history,
            events=list(self._events.values()),
        )

    def news(self) -> list[str]:
        """Say what is new since the last call: events, and the newest decision of each model.

        Returns:
            JSON texts, `kind` "event" and "state".
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
                "values": _values(latest),
            }
            for number, latest in enumerate(list(self._latest))
            if latest is not None and latest is not self._told[number]
        ]
        if states:
            self._told = list(self._latest)
            texts.append(_text("state", decisions=states))
        return texts

    def vitals(self, *, viewers: int) -> str:
        """Say how the run is doing.

        Args:
            viewers: Of the page.

        Returns:
            JSON, `kind` "vitals".
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
            **self._vitals.snapshot(),
            drops=dict(first.drops),
            latency_ms=latency,
            stages=dict(STAGES),
            outputs=outputs,
            viewers=viewers,
        )


def _scores(decision: Decision) -> list[float]:
    """Time, then the score of each label."""
    return [round(decision.t_s, 3), *(round(score, _DIGITS) for score in decision.probabilities)]


def _values(decision: Decision) -> list[tuple[str, list[float], int]]:
    """Name, the first numbers, and how many more there are, of each value beside the scores."""
    return [
        (name, [float(f"{number:.{_DIGITS}g}") for number in numbers[:NUMBERS]], max(0, len(numbers) - NUMBERS))
        for name, numbers in decision.values.items()
    ]


def _text(kind: str, **content: Any) -> str:
    return json.dumps({"kind": kind, **content}, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
