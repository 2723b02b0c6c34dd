"""Cut a quantised part before its final softmax or sigmoid; the device applies it in float.

An int8 softmax has a grid of 1/256, on which two close probabilities become one number, and XNNPACK does not
support it. Its input has a calibrated grid of its own, and numpy computes so few probabilities in microseconds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from convert.splitting.split import PartFunction
from edgevid.bundle.manifest import Scores

_BEFORE: dict[Scores, tuple[str, Scores]] = {"softmax": ("Softmax", "logits"), "sigmoid": ("Sigmoid", "sigmoid_logits")}
# Operators that TensorFlow adds around an output without changing a number.
_TRANSPARENT = ("Identity", "StopGradient")


class LogitsPart:
    """A part that ends before its last activation, if its scores come directly from one.

    Args:
        part: A part whose first output is the scores.
        kind: The kind of scores of the model.

    Attributes:
        part: The part without the activation.
        kind: The kind of scores of `part`. Until `part` has been traced, that of the model.
    """

    def __init__(self, part: PartFunction, kind: Scores) -> None:
        self._whole = part
        self._model_kind = self.kind = kind
        self.part = replace(part, function=self._logits) if kind in _BEFORE else part

    def _logits(self, *inputs: Any) -> list[Any]:
        scores, *rest = self._whole.function(*inputs)
        activation, kind = _BEFORE[self._model_kind]
        source = _skip_transparent(scores.op)
        # The scores of windows in flight have a batch axis of 1 in front, added after the activation.
        in_flight = source.type == "ExpandDims"
        source = _skip_transparent(source.inputs[0].op) if in_flight else source
        if source.type != activation:
            return [scores, *rest]
        self.kind = kind
        return [source.inputs[0][None] if in_flight else source.inputs[0], *rest]


def _skip_transparent(operation: Any) -> Any:
    while operation.type in _TRANSPARENT:
        operation = operation.inputs[0].op
    return operation
