"""The budget of a conversion: how much agreement and accuracy int8 may cost."""

from __future__ import annotations

from dataclasses import dataclass

from convert.verification.stages import ProofStage


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a conversion may cost.

    Attributes:
        max_drop: Largest drop of top-1 accuracy on labelled clips, in points. Unless it is 0, the loss
            of a single clip is forgiven.
        min_agreement: Smallest share of clips with the trained model's class.
        max_value_error: Largest mean error of an auxiliary output, as a share of its span.
    """

    max_drop: float
    min_agreement: float
    max_value_error: float = 0.05

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
