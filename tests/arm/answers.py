"""Print the answers of this machine's interpreter to a bundle's golden frames.

    python answers.py SITE BUNDLE

SITE is a folder with edgevid and its packages. The output is one line of JSON. `parts` is a hash over
every output of every invocation of every part, in integers and with states. `scores` are the
probabilities, which NumPy computes from the last outputs in floating point.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys

sys.path.insert(0, sys.argv[1])

import numpy as np

from edgevid import bundle
from edgevid.backends.litert import LiteRt
from edgevid.inference.engine import Engine
from edgevid.inference.selftest import selftest


class Heard:
    """A loaded part that adds its outputs to a hash after each invocation."""

    def __init__(self, model, outputs, total) -> None:
        self._model, self._outputs, self._total = model, outputs, total
        self.write, self.read, self.carry = model.write, model.read, model.carry

    def invoke(self) -> None:
        self._model.invoke()
        for index in range(self._outputs):
            self._total.update(self._model.read(index).tobytes())


class Hearing:
    """The interpreter, with a hash over all outputs of its parts."""

    def __init__(self) -> None:
        self.total = hashlib.sha256()
        self._interpreter = LiteRt(threads=1)
        self.name = self._interpreter.name

    def load(self, part, data) -> Heard:
        return Heard(self._interpreter.load(part, data), len(part.outputs), self.total)


model = bundle.read(sys.argv[2])
hearing = Hearing()
engine = Engine(model, backend=hearing)
found = selftest(engine)
engine.restart()
scores = []
for frame in model.golden.frames:
    np.copyto(engine.input_buffer(), frame)
    answer = engine.step()
    if answer is not None:
        scores.append(answer.tolist())
print(
    json.dumps(
        {
            "machine": platform.machine(),
            "max_steps": found.max_steps,
            "parts": hearing.total.hexdigest(),
            "scores": scores,
        }
    )
)
