"""The rule from a model's scores to decisions and events; part of a bundle's manifest."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgevid.errors import ManifestInvalid
from edgevid.schema import optional


@dataclass(frozen=True, kw_only=True)
class ClassThresholds:
    """Thresholds of one class, in place of those of the rule.

    Attributes:
        label: A label of the model.
        enter: As `DecisionRule.enter`.
        exit: As `DecisionRule.exit`.
    """

    label: str
    enter: float
    exit: float

    def __post_init__(self) -> None:
        ManifestInvalid.unless(
            0.0 <= self.exit <= self.enter <= 1.0,
            expected=f"0 <= exit <= enter <= 1 for {self.label!r}",
            got=(self.exit, self.enter),
        )


# An hour: a longer delay is a mistaken unit.
MAX_DELAY_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class ClassDelay:
    """How much later than an action the score of its class rises and falls, as measured.

    Attributes:
        label: A label of the model.
        start_s: Usual time from the start of an action to that of its event, in seconds. Below 0 if
            the event comes first.
        end_s: Usual time from the end of an action to that of its event, in seconds.
    """

    label: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        ManifestInvalid.unless(
            abs(self.start_s) <= MAX_DELAY_S and abs(self.end_s) <= MAX_DELAY_S,
            expected=f"delays of -{MAX_DELAY_S:.0f} to {MAX_DELAY_S:.0f} s for {self.label!r}",
            got=(self.start_s, self.end_s),
        )


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """Thresholds and times that turn probabilities into events.

    Attributes:
        smoothing_s: Time constant of the exponential mean over scores, in seconds; 0 for none.
        enter: Smoothed score at which an event may begin, 0 to 1.
        exit: Smoothed score below which an event ends, 0 to `enter`.
        min_duration_s: Shortest event in seconds; shorter ones are not reported.
        cooldown_s: Time after an event, in seconds, during which its label cannot begin another.
        background: Labels that are never events.
        thresholds: Classes with an `enter` and `exit` of their own; each label at most once.
        delays: Classes whose delay was measured; each label at most once. The others are taken to
            be late by half of a window.
        unknown_below: A decision is "unknown" if its highest score is below this, 0 to 1.
    """

    smoothing_s: float = 0.2
    enter: float = 0.6
    exit: float = 0.4
    min_duration_s: float = 0.2
    cooldown_s: float = 0.5
    background: tuple[str, ...] = ()
    thresholds: tuple[ClassThresholds, ...] = optional(())
    unknown_below: float = optional(0.0)
    delays: tuple[ClassDelay, ...] = optional(())

    def __post_init__(self) -> None:
        of_classes = {
            "thresholds": [each.label for each in self.thresholds],
            "delays": [each.label for each in self.delays],
        }
        for name, labels in of_classes.items():
            ManifestInvalid.unless(len(set(labels)) == len(labels), expected=f"{name} once for each label", got=labels)
        ManifestInvalid.unless(
            0.0 <= self.unknown_below <= 1.0, expected="unknown_below of 0 to 1", got=self.unknown_below
        )
        ManifestInvalid.unless(
            0.0 <= self.exit <= self.enter <= 1.0, expected="0 <= exit <= enter <= 1", got=(self.exit, self.enter)
        )
        times_s = (self.smoothing_s, self.min_duration_s, self.cooldown_s)
        ManifestInvalid.unless(
            all(0 <= time_s < math.inf for time_s in times_s),
            expected="smoothing_s, min_duration_s and cooldown_s of at least 0 s",
            got=times_s,
        )
