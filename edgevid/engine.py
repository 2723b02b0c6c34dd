"""From a prepared frame to probabilities: the execution of a plan.

Every plan is the same chain, with links that some plans leave out:

    frame -> ring of seen frames -> encoder -> ring of features -> head  -> scores     window
    frame -> ring of seen frames -> encoder -> head, windows in flight   -> scores     window, causal recurrent heads
    frame -> ring of seen frames -> encoder -> step with its states      -> scores     stateful
    frame -> ring of the window                                 -> whole -> scores     stack

For `window` and `stack` the answer after each frame equals, bit for bit, running every frame of the window through the parts again: an
encoder's answer depends on its frames alone, and a ring only keeps it. `tests/parity` holds that at every step.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Protocol

import numpy as np

from edgevid.backends import Backend, Model
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.frame import Array
from edgevid.intake import intake
from edgevid.manifest import Manifest, Part
from edgevid.quant import QuantParams, dequantizer, joiner, quantize
from edgevid.ring import Ring
from edgevid.scores import answers


class Engine:
    """Runs one bundle frame by frame.

        engine = Engine(bundle)
        preprocessor.write(frame, engine.slot())
        scores = engine.step()

    Args:
        bundle: A checked bundle.
        threads: Interpreter threads.
        backend: What executes the parts; LiteRT by default.

    Raises:
        BackendError: The interpreter refuses a part.
        PartsDoNotJoin: A part is not what the manifest says.

    Attributes:
        bundle: The bundle.
        threads: Interpreter threads.
        encode_ns: Time the interpreter took for the encoder in the last step; 0 where it did not run.
        head_ns: The same for the head, step or whole model.
        values: What the model gave beside its last scores, float32, in the order of `manifest.values`; new arrays with every answer.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1, backend: Backend | None = None) -> None:
        backend = backend or LiteRt(threads=threads)
        manifest = bundle.manifest
        self.bundle = bundle
        self.threads = threads
        self._backend = backend
        self.encode_ns = 0
        self.head_ns = 0
        models = {part.role: backend.load(part, bundle.models[part.file]) for part in manifest.parts}
        self._intake = intake(manifest)
        self._encoder = models.get("encoder")
        self._row: Array | None = None
        self._tail = _tail(manifest, models[manifest.parts[-1].role])
        self._probabilities = answers(manifest.parts[-1].outputs[0].params, manifest.scores)
        self._real = [dequantizer(tensor.params) for tensor in manifest.parts[-1].outputs[1 : 1 + len(manifest.values)]]
        self.values: list[Array] = []

    @property
    def interpreter(self) -> str:
        """Name and version of what executes the parts now."""
        return self._backend.name

    @property
    def keeps_state(self) -> bool:
        """Whether the last part runs for every frame, for what comes after it, so that an answer that nobody wants saves nothing."""
        return self._tail.keeps_state

    def slot(self) -> Array:
        """Give the place of the next prepared frame.

        Returns:
            `input.shape` of `input.dtype`, contiguous, to fill before `step`; the engine owns it.
        """
        return self._intake.slot

    def step(self, *, answer: bool = True, still: bool = False) -> Array | None:
        """Take the frame in the slot and answer for the window that ends with it.

        Args:
            answer: Whether one is wanted; if not, nothing runs that only this answer needs. A part that keeps a state runs and answers always.
            still: Whether the frame shows what the encoder has answered for last, so that its answer may stand for this one too. Plan "stack"
                has no encoder and runs all the same.

        Returns:
            A new (classes,) float32 array of probabilities; None where none is wanted, or the first window ("stateful": frame) is not there yet.

        Raises:
            BackendError: The interpreter failed.

        Cost: one encoder and one head; nothing of frame size is allocated. Python around them takes about 10 us on x86.
        """
        self.encode_ns = self.head_ns = 0
        row = self._intake.take()
        if row is None:
            return None
        if self._encoder is not None:
            row = self._row if still and self._row is not None else self._encode(self._encoder, row)
        elif not answer:
            return None
        tail = self._tail
        if not tail.push(row) or not (answer or tail.keeps_state):
            return None
        started_ns = perf_counter_ns()
        raw = tail.answer()
        self.head_ns = perf_counter_ns() - started_ns
        if raw is None:
            return None
        if self._real:
            self.values = [real(tail.value(place)) for place, real in enumerate(self._real, start=1)]
        return self._probabilities(raw)

    def _encode(self, encoder: Model, frames: Array) -> Array:
        started_ns = perf_counter_ns()
        encoder.write(0, frames)
        encoder.invoke()
        self._row = row = encoder.read(0)
        self.encode_ns = perf_counter_ns() - started_ns
        return row

    def restart(self) -> None:
        """Forget every frame and state, as after a gap in time."""
        self._row = None
        self.values = []
        self._intake.restart()
        self._tail.restart()


class _Tail(Protocol):
    """What turns the newest row into an answer: `push` says whether there is something to run, `answer` gives the stored scores, if there are any yet.

    `value` gives what was answered beside them, by its place among the outputs.

    Attributes:
        keeps_state: Whether every row has to run, for what comes after it.
    """

    keeps_state: bool

    def push(self, row: Array) -> bool: ...

    def answer(self) -> Array | None: ...

    def value(self, place: int) -> Array: ...

    def restart(self) -> None: ...


class _WindowTail:
    """A head over a ring of features."""

    keeps_state = False

    def __init__(self, model: Model, part: Part, feature: QuantParams) -> None:
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

    def __init__(self, model: Model, part: Part, feature: QuantParams) -> None:
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
        self._carry = [joiner(after.params, before.params) for before, after in zip(part.inputs[1:], after_step, strict=True)]

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
        for index, (state, carry) in enumerate(zip(self.states, self._carry, strict=True), start=self._first_state):
            carry(self._model.read(index), state)
        return self._model.read(0)[0]

    def value(self, place: int) -> Array:
        return self._model.read(place)[0]


class _StepTail(_Step):
    """A step whose states outlive the window: they begin as zeros and are never put back."""

    def __init__(self, model: Model, part: Part, feature: QuantParams) -> None:
        super().__init__(model, part, feature)
        self.restart()

    def answer(self) -> Array:
        return self.run()

    def restart(self) -> None:
        for state, zero in zip(self.states, self.zeros, strict=True):
            state[...] = zero


class _FlightTail(_Step):
    """A step for all windows in flight, a row each: one begins with every frame, and the one that began a window ago is complete."""

    def __init__(self, model: Model, part: Part, feature: QuantParams) -> None:
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


class _StackTail:
    """The whole model over the window of frames."""

    keeps_state = False

    def __init__(self, model: Model) -> None:
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


def _tail(manifest: Manifest, model: Model) -> _Tail:
    part = manifest.parts[-1]
    if manifest.plan == "stack":
        return _StackTail(model)
    feature = manifest.part("encoder").outputs[0].params
    kind = _StepTail if manifest.plan == "stateful" else _FlightTail if manifest.in_flight else _WindowTail
    return kind(model, part, feature)
