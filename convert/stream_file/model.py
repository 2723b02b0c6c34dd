"""Runs a stream's file by hand: each output of a state is the next frame's input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convert.clips import to_real
from convert.prebuilt import FileReference, TfliteModel, stored
from convert.quantization.converter import ConvertedPart
from edgevid.bundle.manifest import Scores
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec
from edgevid.quant import dequantize, joiner

_NOISE_FRAMES = 8


class StreamModel(TfliteModel):
    """The file as a function from windows in float to scores in float; states start anew with each window.

    Args:
        part: The file, as a step.
        initial: What the states start with, as stored.
    """

    def __init__(self, part: ConvertedPart, initial: Sequence[Array]) -> None:
        super().__init__(part)
        self._initial = tuple(initial)

    def answers_on_noise(self, place: int = 0) -> Array:
        """Return the scores (8, classes) of a stream of noise, from which their kind is inferred."""
        del place
        return self.stream(
            np.random.default_rng(0).random((_NOISE_FRAMES, *self._part.inputs[0].shape[1:]), np.float32)
        )

    def stream(self, frames: Array) -> Array:
        """Run the file on frames (N, *frame) in float, one after the other, from the initial states on.

        Returns:
            The scores (N, classes) float32 after each frame.
        """
        part, states = self._part, self._initial
        first = len(part.outputs) - len(states)
        rows = np.empty((len(frames), part.outputs[0].shape[-1]), np.float32)
        for frame, row in zip(frames, rows, strict=True):
            self._model.write(0, stored(frame.reshape(part.inputs[0].shape).astype(np.float32), part.inputs[0]))
            for index, state in enumerate(states, start=1):
                self._model.write(index, state)
            self._model.invoke()
            states = tuple(self._next(first, index) for index in range(len(states)))
            row[...] = dequantize(self._model.read(0), part.outputs[0].params).reshape(-1)
        return rows

    def _next(self, first: int, index: int) -> Array:
        before, after = self._part.inputs[1 + index], self._part.outputs[first + index]
        state = np.empty(before.shape, before.dtype)
        joiner(after.params, before.params)(np.asarray(self._model.read(first + index)), state)
        return state

    def _run(self, window: Array) -> Array:
        return self.stream(window)[-1]


class StreamReference(FileReference):
    """The stream's own answers as the reference.

    Args:
        model: The file.
        spec: The file's input frame.
        kind: Kind of the file's output.
    """

    def __init__(self, model: StreamModel, spec: InputSpec, kind: Scores) -> None:
        super().__init__(model, spec, kind)
        self._stream = model

    def stream_scores(self, frames: Array, window: int) -> Array:
        """Run the file on one stream of frames (N, *frame), with states that run on.

        Returns:
            Probabilities (N - window + 1, classes) float32, after each frame from the first full window on.
        """
        return self._probabilities(self._stream.stream(to_real(frames[None], self._spec)[0]))[window - 1 :]
