"""The last layer's activation, left to the device.

A softmax in int8 has a grid of 1/256, on which two probabilities near each other are one number, and XNNPACK does not take it. What goes into it is
on a grid of its own that was calibrated, and numpy makes probabilities of so few numbers in microseconds. So a quantised part ends before it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from convert.splitting.split import PartFunction
from edgevid.bundle.manifest import Scores

_BEFORE: dict[Scores, tuple[str, Scores]] = {"softmax": ("Softmax", "logits"), "sigmoid": ("Sigmoid", "sigmoid_logits")}
# What TensorFlow puts around an answer without changing a number of it.
_TRANSPARENT = ("Identity", "StopGradient")


class LogitsPart:
    """A part that ends before its last activation, where its answer comes straight from one.

    Args:
        part: One that gives the model's answer first.
        kind: What the model's answer is.

    Attributes:
        part: The part without the activation.
        kind: What it gives; known when the part has been traced, and `kind` of the model until then.
    """

    def __init__(self, part: PartFunction, kind: Scores) -> None:
        self._whole = part
        self._finished = self.kind = kind
        self.part = replace(part, function=self._answer) if kind in _BEFORE else part

    def _answer(self, *inputs: Any) -> list[Any]:
        answer, *rest = self._whole.function(*inputs)
        activation, raw = _BEFORE[self._finished]
        source = _behind(answer.op)
        # The answers of windows in flight have the batch of 1 put before them.
        in_flight = source.type == "ExpandDims"
        source = _behind(source.inputs[0].op) if in_flight else source
        if source.type != activation:
            return [answer, *rest]
        self.kind = raw
        return [source.inputs[0][None] if in_flight else source.inputs[0], *rest]


def _behind(operation: Any) -> Any:
    while operation.type in _TRANSPARENT:
        operation = operation.inputs[0].op
    return operation
