"""The last part of a plan: from rows of features, or frames, to stored scores, with whatever it keeps from one frame to the next."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgevid.backends import LoadedPart
from edgevid.bundle.manifest import Manifest, Part
from edgevid.frames import Array
from edgevid.inference.ring import Ring
from edgevid.quant import QuantParams, joiner, passes, quantize


class LastPart(Protocol):
    """What turns the newest row into an answer.

    Attributes:
        keeps_state: Whether every row has to run, for what comes after it.
    """

    keeps_state: bool

    def push(self, row: Array) -> bool:
        """Take the newest row.

        Args:
            row: (1, F) of the encoder's output, or the frames of the window, (1, T, *frame).

        Returns:
            Whether there is something to run.
        """
        ...

    def answer(self) -> Array | None:
        """Run.

        Returns:
            (outputs,) stored scores, or None where there are none yet.
        """
        ...

    def value(self, place: int) -> Array:
        """Give what was answered beside them.

        Args:
            place: Among the outputs, from 1.

        Returns:
            (size,) as it is stored.
        """
        ...

    def restart(self) -> None:
        """Forget every row and state."""
        ...


class _WindowPart:
    """A head over a ring of features."""

    keeps_state = False

    def __init__(self, model: LoadedPart, part: Part, feature: QuantParams) -> None:
        target = part.inputs[0]
        self._model = model
        self._join = joiner(feature, target.params)
        self._ring = Ring(target.shape[1], target.shape[2:], target.dtype)

    def push(self, row: Array) -> bool:
        ring = self._ring
        self._join(row, ring.both())
        ring.advance()
        return ring.count >= ring.length

    def answer(self) -> Array:
        self._model.write(0, self._ring.batch())
        self._model.invoke()
        return self._model.read(0)[0]

    def value(self, place: int) -> Array:
        return self._model.read(place)[0]

    def restart(self) -> None:
        self._ring.clear()


class _Step:
    """One step of a recurrent head; its states go back in as they came out."""

    keeps_state = True

    def __init__(self, model: LoadedPart, part: Part, feature: QuantParams) -> None:
        self._model = model
        self._join = joiner(feature, part.inputs[0].params)
        # A row on the head's own grid is given to it as it is; any other is brought there first.
        self._joins = not feature.same_grid(part.inputs[0].params)
        self._feature = np.zeros(part.inputs[0].shape, part.inputs[0].dtype)
        self.states = [np.zeros(tensor.shape, tensor.dtype) for tensor in part.inputs[1:]]
        self.zeros = [quantize(np.zeros(1), tensor.params)[0] for tensor in part.inputs[1:]]
        # The states are the last of the outputs, behind the scores and the values.
        self._first_state = len(part.outputs) - len(self.states)
        after_step = part.outputs[self._first_state :]
        both = [(before.params, after.params) for before, after in zip(part.inputs[1:], after_step, strict=True)]
        # A state whose numbers stay the same goes back in as it came out.
        self._carry = [None if passes(after, before) else joiner(after, before) for before, after in both]

    def push(self, row: Array) -> bool:
        if self._joins:
            self._join(row, self._feature)
        else:
            self._feature = row
        return True

    def run(self) -> Array:
        self._model.write(0, self._feature)
        for index, state in enumerate(self.states, start=1):
            self._model.write(index, state)
        self._model.invoke()
        for place, carry in enumerate(self._carry):
            state = self._model.read(self._first_state + place)
            if carry is None:
                self.states[place] = state
            else:
                carry(state, self.states[place])
        return self._model.read(0)[0]

    def value(self, place: int) -> Array:
        return self._model.read(place)[0]


class _StepPart(_Step):
    """A step whose states outlive the window: they begin as zeros and are never put back."""

    def __init__(self, model: LoadedPart, part: Part, feature: QuantParams) -> None:
        super().__init__(model, part, feature)
        self.restart()

    def answer(self) -> Array:
        return self.run()

    def restart(self) -> None:
        for state, zero in zip(self.states, self.zeros, strict=True):
            state[...] = zero


class _FlightPart(_Step):
    """A step for all windows in flight, a row each: one begins with every frame, and the one that began a window ago is complete."""

    def __init__(self, model: LoadedPart, part: Part, feature: QuantParams) -> None:
        super().__init__(model, part, feature)
        self._rows = part.outputs[0].shape[1]
        self._count = 0

    def answer(self) -> Array | None:
        begins = self._count % self._rows
        for state, zero in zip(self.states, self.zeros, strict=True):
            state[0, begins] = zero
        scores = self.run()
        self._count += 1
        return scores[self._count % self._rows] if self._count >= self._rows else None

    def value(self, place: int) -> Array:
        return self._model.read(place)[0][self._count % self._rows]

    def restart(self) -> None:
        self._count = 0


class _StackPart:
    """The whole model over the window of frames."""

    keeps_state = False

    def __init__(self, model: LoadedPart) -> None:
        self._model = model

    def push(self, row: Array) -> bool:
        self._model.write(0, row)
        return True

    def answer(self) -> Array:
        self._model.invoke()
        return self._model.read(0)[0]

    def value(self, place: int) -> Array:
        return self._model.read(place)[0]

    def restart(self) -> None:
        """Hold nothing: the frames are the engine's."""


def last_part_of(manifest: Manifest, model: LoadedPart) -> LastPart:
    """Choose what runs behind the encoder.

    Args:
        manifest: The model's.
        model: Its last part, loaded.

    Returns:
        What its plan asks for.
    """
    part = manifest.parts[-1]
    if manifest.plan == "stack":
        return _StackPart(model)
    feature = manifest.part("encoder").outputs[0].params
    kind = _StepPart if manifest.plan == "stateful" else _FlightPart if manifest.in_flight else _WindowPart
    return kind(model, part, feature)
