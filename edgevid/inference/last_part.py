"""The last part of a plan: features or frames to stored scores, with state between frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edgevid.backends import LoadedPart
from edgevid.bundle import Bundle
from edgevid.bundle.parts import Part
from edgevid.frames import Array
from edgevid.inference.ring import Ring
from edgevid.quant import QuantParams, joiner, passes, quantize


class LastPart(Protocol):
    """The last part of a plan, with its memory of earlier frames.

    Attributes:
        keeps_state: Whether every row must run, because later answers depend on it.
    """

    keeps_state: bool

    def push(self, row: Array) -> bool:
        """Accept the newest row.

        Args:
            row: Stored output of the encoder, (1, F), or frames of the window, (1, T, *frame).

        Returns:
            Whether `answer` can run.
        """
        ...

    def answer(self) -> Array | None:
        """Run the model.

        Returns:
            Stored scores, (outputs,); None until the first window is complete.
        """
        ...

    def value(self, index: int) -> Array:
        """Return one additional output of the last answer.

        Args:
            index: Position among the part's outputs, from 1.

        Returns:
            (size,), as stored.
        """
        ...

    def restart(self) -> None:
        """Drop all rows and states."""
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
        # Features are small: requantise straight into both copies of the row.
        self._join(row, ring.pair())
        ring.advance()
        return ring.count >= ring.length

    def answer(self) -> Array:
        self._model.write(0, self._ring.batch())
        self._model.invoke()
        return self._model.read(0)[0]

    def value(self, index: int) -> Array:
        return self._model.read(index)[0]

    def restart(self) -> None:
        self._ring.clear()


class _Step:
    """One step of a recurrent head; its output states are the next step's input states."""

    keeps_state = True

    def __init__(self, model: LoadedPart, part: Part, feature: QuantParams) -> None:
        self._model = model
        self._join = joiner(feature, part.inputs[0].params)
        # If encoder and head share one grid, pass the encoder's array on without a copy.
        self._needs_join = not feature.same_grid(part.inputs[0].params)
        self._feature = np.zeros(part.inputs[0].shape, part.inputs[0].dtype)
        self.states = [np.zeros(tensor.shape, tensor.dtype) for tensor in part.inputs[1:]]
        # A state of 0.0 is its grid's zero point, not a stored 0.
        self.zeros = [quantize(np.zeros(1), tensor.params)[0] for tensor in part.inputs[1:]]
        # Outputs are: scores, values, states.
        self._first_state = len(part.outputs) - len(self.states)
        after_step = part.outputs[self._first_state :]
        both = [(before.params, after.params) for before, after in zip(part.inputs[1:], after_step, strict=True)]
        # None: input and output state share a grid, so the output array can be the next input.
        self._carry = [None if passes(after, before) else joiner(after, before) for before, after in both]

    def push(self, row: Array) -> bool:
        if self._needs_join:
            self._join(row, self._feature)
        else:
            self._feature = row
        return True

    def run(self) -> Array:
        self._model.write(0, self._feature)
        for index, state in enumerate(self.states, start=1):
            self._model.write(index, state)
        self._model.invoke()
        for index, carry in enumerate(self._carry):
            state = self._model.read(self._first_state + index)
            if carry is None:
                self.states[index] = state
            else:
                carry(state, self.states[index])
        return self._model.read(0)[0]

    def value(self, index: int) -> Array:
        return self._model.read(index)[0]


class _StepPart(_Step):
    """A step whose states run on without end (plan "stateful")."""

    def __init__(self, model: LoadedPart, part: Part, feature: QuantParams, initial: Sequence[Array]) -> None:
        super().__init__(model, part, feature)
        # (): all states start at zero.
        self._initial = initial or self.zeros
        self.restart()

    def answer(self) -> Array:
        return self.run()

    def restart(self) -> None:
        for state, initial in zip(self.states, self._initial, strict=True):
            state[...] = initial


class _OneStepPart:
    """A step that sees the frame itself; frame and scores may have an axis of time, of one frame."""

    keeps_state = True

    def __init__(self, model: LoadedPart, part: Part, initial: Sequence[Array]) -> None:
        self._model = model
        self._shape = part.inputs[0].shape
        # Outputs are: scores, values, states.
        self._first_state = len(part.outputs) - len(part.states_after)
        # (): all states start at zero, which is the zero point of a grid.
        self._initial = initial or [quantize(np.zeros(each.shape), each.params) for each in part.states_before]
        both = list(zip(part.states_before, part.states_after, strict=True))
        # None: input and output state share a grid, so the numbers stay within the interpreter.
        self._joins = [
            None if passes(after.params, before.params) else joiner(after.params, before.params)
            for before, after in both
        ]
        self._joined = [np.zeros(before.shape, before.dtype) for before, _ in both]
        self.restart()

    def push(self, row: Array) -> bool:
        self._model.write(0, row.reshape(self._shape))
        return True

    def answer(self) -> Array:
        model = self._model
        model.invoke()
        for index, join in enumerate(self._joins):
            if join is None:
                model.carry(self._first_state + index, 1 + index)
            else:
                join(model.read(self._first_state + index), self._joined[index])
                model.write(1 + index, self._joined[index])
        return model.read(0).reshape(-1)

    def value(self, index: int) -> Array:
        return self._model.read(index)[0]

    def restart(self) -> None:
        for index, state in enumerate(self._initial, start=1):
            self._model.write(index, state)


class _FlightPart(_Step):
    """A step for all windows in flight, one row each: every frame starts one and completes one."""

    def __init__(self, model: LoadedPart, part: Part, feature: QuantParams) -> None:
        super().__init__(model, part, feature)
        self._rows = part.outputs[0].shape[1]
        self._count = 0

    def answer(self) -> Array | None:
        # The row of the window that completed last is free: reset it for the window that starts
        # with this frame.
        starting = self._count % self._rows
        for state, zero in zip(self.states, self.zeros, strict=True):
            state[0, starting] = zero
        scores = self.run()
        self._count += 1
        # After the increment, the same expression selects the oldest row, whose window ends with
        # this frame.
        return scores[self._count % self._rows] if self._count >= self._rows else None

    def value(self, index: int) -> Array:
        return self._model.read(index)[0][self._count % self._rows]

    def restart(self) -> None:
        # States need no reset: each row is zeroed when its window starts.
        self._count = 0


class _StackPart:
    """The whole model over the window of frames (plan "stack")."""

    keeps_state = False

    def __init__(self, model: LoadedPart) -> None:
        self._model = model

    def push(self, row: Array) -> bool:
        self._model.write(0, row)
        return True

    def answer(self) -> Array:
        self._model.invoke()
        return self._model.read(0)[0]

    def value(self, index: int) -> Array:
        return self._model.read(index)[0]

    def restart(self) -> None:
        """Do nothing: the engine's intake holds the frames."""


def make_last_part(bundle: Bundle, model: LoadedPart) -> LastPart:
    """Build the last part for a bundle's plan.

    Args:
        bundle: The bundle.
        model: The loaded last part.

    Returns:
        The part, with empty memory.
    """
    manifest = bundle.manifest
    part = manifest.parts[-1]
    if manifest.plan == "stack":
        return _StackPart(model)
    if manifest.is_one_step:
        return _OneStepPart(model, part, bundle.initial_states)
    feature = manifest.part("encoder").outputs[0].params
    if manifest.plan == "stateful":
        return _StepPart(model, part, feature, bundle.initial_states)
    kind = _FlightPart if manifest.in_flight else _WindowPart
    return kind(model, part, feature)
