"""The rule by which a model's scores become decisions and events; a bundle carries it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgevid.errors import ManifestInvalid
from edgevid.schema import optional


@dataclass(frozen=True, kw_only=True)
class ClassThresholds:
    """Thresholds of one class that differ from the others'.

    Attributes:
        label: The class.
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
    """How probabilities become events.

    Attributes:
        smoothing_s: Time constant of the exponential mean over scores; 0 for none.
        enter: Smoothed score at which an event may begin.
        exit: Smoothed score below which it ends; lower than `enter`.
        min_duration_s: An event that ends sooner is not reported.
        cooldown_s: Time after an event in which the same label cannot begin another.
        background: Labels that are never events.
        thresholds: Classes with an `enter` and `exit` of their own.
        unknown_below: A decision whose highest score is below this is "unknown": none of the classes.
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
        named = [each.label for each in self.thresholds]
        ManifestInvalid.unless(len(set(named)) == len(named), expected="thresholds once for each label", got=named)
        ManifestInvalid.unless(
            0.0 <= self.unknown_below <= 1.0, expected="unknown_below of 0 to 1", got=self.unknown_below
        )
        ManifestInvalid.unless(
            0.0 <= self.exit <= self.enter <= 1.0, expected="0 <= exit <= enter <= 1", got=(self.exit, self.enter)
        )
        ManifestInvalid.unless(
            all(0 <= time_s < math.inf for time_s in (self.smoothing_s, self.min_duration_s, self.cooldown_s)),
            expected="times of at least 0 s",
            got=self,
        )
