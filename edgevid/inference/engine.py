"""The engine: run the parts of a bundle's plan frame by frame.

All plans share one chain, with stages that some plans leave out:

    frame -> ring of seen frames -> encoder -> ring of features -> head   -> scores    window
    frame -> ring of seen frames -> encoder -> head, windows in flight    -> scores    window, causal recurrent heads
    frame -> ring of seen frames -> encoder -> step with its states       -> scores    stateful
    frame                                   -> step with its states       -> scores    stateful, in one part
    frame -> ring of the window                                  -> whole -> scores    stack

For `window` and `stack`, each answer equals bit for bit a run of every frame of the window through
the parts: an encoder's output depends on its frames alone, and a ring only stores it.
`tests/parity` checks this after every frame.
"""

from __future__ import annotations

from time import perf_counter_ns

import numpy as np

from edgevid.backends import Backend, LoadedPart
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.frames import Array
from edgevid.inference.last_part import make_last_part
from edgevid.inference.model_input import make_intake
from edgevid.inference.probabilities import stored_to_probabilities
from edgevid.quant import dequantizer


class Engine:
    """A bundle, ready to run frame by frame.

        engine = Engine(bundle)
        preprocessor.write(frame, engine.input_buffer())
        scores = engine.step()

    Args:
        bundle: A checked bundle.
        threads: Interpreter threads, at least 1; for the default backend only.
        backend: Executes the parts; LiteRT on the CPU by default.

    Raises:
        BackendError: The interpreter rejects a part.
        PartsDoNotJoin: A part's tensors differ from those in the manifest.

    Attributes:
        encode_ns: Duration of the encoder in the last step; 0 if it did not run.
        head_ns: Duration of the head, step or whole model in the last step; 0 if it did not run.
        values: The model's additional outputs for its last scores, float32, in the order of
            `manifest.values`; new arrays with every answer.
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
        self._intake = make_intake(manifest)
        self._encoder = models.get("encoder")
        # The encoder's last output, (1, F); a still frame reuses it.
        self._row: Array | None = None
        self._last_part = make_last_part(bundle, models[manifest.parts[-1].role])
        # The last part's outputs are: scores, values, states.
        outputs = manifest.parts[-1].outputs
        self._probabilities = stored_to_probabilities(outputs[0].params, manifest.scores)
        self._value_decoders = [dequantizer(tensor.params) for tensor in outputs[1 : 1 + len(manifest.values)]]
        self.values: list[Array] = []

    @property
    def interpreter(self) -> str:
        """Name and version of the interpreter and delegate that currently run the parts."""
        # Read from the backend each time: it changes when a delegate falls back to the CPU.
        return self._backend.name

    @property
    def keeps_state(self) -> bool:
        """Whether the last part must run for every frame: skipping an answer saves nothing."""
        return self._last_part.keeps_state

    def input_buffer(self) -> Array:
        """Return the buffer for the next prepared frame.

        Returns:
            Contiguous array of shape `input.shape` and type `input.dtype`, to fill before `step`.
            The engine owns it and may overwrite it.
        """
        return self._intake.buffer

    def step(self, *, answer: bool = True, still: bool = False) -> Array | None:
        """Process the frame in the input buffer and return an array; see `advance`.

        Args:
            answer: Whether the caller wants the answer.
            still: Whether the frame equals the one before it.

        Returns:
            A new (classes,) float32 array of probabilities, or None.

        Raises:
            BackendError: The interpreter failed.
        """
        scores = self.advance(answer=answer, still=still)
        return None if scores is None else np.array(scores, np.float32)

    def advance(self, *, answer: bool = True, still: bool = False) -> list[float] | None:
        """Process the frame in the input buffer and return the probabilities of its window.

        Args:
            answer: Whether the caller wants the answer. If not, the engine skips all work that only
                this answer needs; a last part that keeps a state runs and answers anyway.
            still: Whether the frame shows the same picture as the last encoded one, so that the
                encoder's last output can stand for it. Ignored by plan "stack".

        Returns:
            A new list with one probability per class. None if the caller wants no answer, or if too
            few frames have arrived for a first one.

        Raises:
            BackendError: The interpreter failed.

        Cost: one encoder and one head; allocates nothing of frame size. The Python code around them
        takes about 10 us (x86).
        """
        self.encode_ns = self.head_ns = 0
        row = self._intake.take()
        if row is None:
            return None
        if self._encoder is not None:
            row = self._row if still and self._row is not None else self._encode(self._encoder, row)
        elif not answer and not self._last_part.keeps_state:
            # Plan "stack": the intake keeps the frame, so even the copy can be skipped.
            return None
        last_part = self._last_part
        if not last_part.push(row) or not (answer or last_part.keeps_state):
            return None
        started_ns = perf_counter_ns()
        stored = last_part.answer()
        self.head_ns = perf_counter_ns() - started_ns
        if stored is None:
            return None
        if self._value_decoders:
            # Output 0 holds the scores, so values start at 1.
            self.values = [decode(last_part.value(index)) for index, decode in enumerate(self._value_decoders, start=1)]
        return self._probabilities(stored)

    def _encode(self, encoder: LoadedPart, frames: Array) -> Array:
        started_ns = perf_counter_ns()
        encoder.write(0, frames)
        encoder.invoke()
        self._row = row = encoder.read(0)
        self.encode_ns = perf_counter_ns() - started_ns
        return row

    def restart(self) -> None:
        """Drop all frames and states, as after a gap in the stream."""
        self._row = None
        self.values = []
        self._intake.restart()
        self._last_part.restart()
