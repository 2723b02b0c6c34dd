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

import numpy as np

from edgevid.backends import Backend, LoadedPart
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.frames import Array
from edgevid.inference.last_part import last_part_of
from edgevid.inference.model_input import intake
from edgevid.inference.probabilities import answers
from edgevid.quant import dequantizer


class Engine:
    """Runs one bundle frame by frame.

        engine = Engine(bundle)
        preprocessor.write(frame, engine.input_buffer())
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
        self._tail = last_part_of(manifest, models[manifest.parts[-1].role])
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

    def input_buffer(self) -> Array:
        """Give the place of the next prepared frame.

        Returns:
            `input.shape` of `input.dtype`, contiguous, to fill before `step`; the engine owns it.
        """
        return self._intake.buffer

    def step(self, *, answer: bool = True, still: bool = False) -> Array | None:
        """Do the same as `advance`, for those who go on with arrays.

        Args:
            answer: As there.
            still: As there.

        Returns:
            A new (classes,) float32 array of probabilities, or None.

        Raises:
            BackendError: The interpreter failed.
        """
        scores = self.advance(answer=answer, still=still)
        return None if scores is None else np.array(scores, np.float32)

    def advance(self, *, answer: bool = True, still: bool = False) -> list[float] | None:
        """Take the frame in the input buffer and answer for the window that ends with it.

        Args:
            answer: Whether one is wanted; if not, nothing runs that only this answer needs. A part that keeps a state runs and answers always.
            still: Whether the frame shows what the encoder has answered for last, so that its answer may stand for this one too. Plan "stack"
                has no encoder and runs all the same.

        Returns:
            A new list of probabilities, one a class; None where none is wanted, or the first window ("stateful": frame) is not there yet.

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

    def _encode(self, encoder: LoadedPart, frames: Array) -> Array:
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
