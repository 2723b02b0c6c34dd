"""The budget of a conversion: how much agreement, accuracy and events int8 may cost."""

from __future__ import annotations

from dataclasses import dataclass

from convert.verification.event_drift import EventDrift
from convert.verification.stages import ProofStage


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a conversion may cost.

    Attributes:
        max_drop: Largest drop of top-1 accuracy on labelled clips, in points. Unless it is 0, the loss
            of a single clip is forgiven.
        min_agreement: Smallest share of clips with the trained model's class.
        max_value_error: Largest mean error of an auxiliary output, as a share of its span.
        max_missed_events: Most events of recordings that the trained model finds and the bundle does
            not; None for no limit.
        max_extra_false_per_hour: Most false alarms an hour beyond those of the trained model; None for
            no limit.
    """

    max_drop: float
    min_agreement: float
    max_value_error: float = 0.05
    max_missed_events: int | None = None
    max_extra_false_per_hour: float | None = None

    def broken(self, reference: ProofStage, stage: ProofStage) -> str:
        """Return how a stage breaks the budget; an empty string if it keeps it.

        Args:
            reference: Float Keras.
            stage: The bundle's stream.
        """
        if stage.agreement < self.min_agreement:
            return f"agreement {stage.agreement:.1%} is below {self.min_agreement:.1%}"
        if stage.accuracy is None or reference.accuracy is None:
            return ""
        drop = 100 * (reference.accuracy - stage.accuracy)
        # One clip of fifty is two points, which is noise for a budget above zero. Agreement still counts it.
        if self.max_drop > 0 and round(drop / 100 * stage.clips) <= 1:
            return ""
        # The slack of half a thousandth of a point covers the rounding of the subtraction.
        if drop > self.max_drop + 5e-4:
            return f"accuracy drops by {drop:.1f} points, more than {self.max_drop:g}"
        return ""

    def broken_events(self, drift: EventDrift) -> str:
        """Return how the events of a bundle break the budget; an empty string if they keep it.

        Args:
            drift: The bundle's events, compared with the trained model's.
        """
        if self.max_missed_events is not None and drift.lost > self.max_missed_events:
            return (
                f"misses {drift.lost} of {drift.found_float} events that the trained model finds, "
                f"more than {self.max_missed_events}"
            )
        most = self.max_extra_false_per_hour
        if most is not None and drift.extra_false_per_hour > most:
            extra = drift.false_bundle - drift.false_float
            return (
                f"{extra} more false alarm{'' if extra == 1 else 's'} in {drift.hours:.3g} h, "
                f"{drift.extra_false_per_hour:.3g} an hour, more than {most:g}"
            )
        return ""
