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

    def __post_init__(self) -> None:
        labels = [each.label for each in self.thresholds]
        ManifestInvalid.unless(len(set(labels)) == len(labels), expected="thresholds once for each label", got=labels)
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
