"""The proof: four stages on the user's own clips, each held against the trained float model.

1. float Keras: the model as it was loaded.
2. float split: the same model in parts, in TensorFlow. It must agree to rounding, or the split is wrong and nothing else counts.
3. bundle, whole window: the parts in the interpreter, every frame of the window encoded anew.
4. bundle, stream: the device's own engine, frame by frame. It must equal stage 3 bit for bit ("stateful": at the end of the first window).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.errors import VerificationFailed
from edgevid.frames import Array
from edgevid.inference.engine import Engine
from edgevid.inference.model_input import input_quantizer
from edgevid.inference.probabilities import stored_to_probabilities
from edgevid.quant import joiner, quantize

# Float32 sums of a few hundred terms in another order differ by about 1e-6; a wrong split differs by more than 1e-2.
SPLIT_TOLERANCE = 1e-4
# Beyond this a model is not one function that a split could be held against.
MOST_ROUNDING = 5e-3
# Standard deviations that a guess exceeds once in twenty times.
_ONE_OF_TWENTY = 1.645
# Fewer say nothing of a guess.
_FEW_CLIPS = 10


@dataclass(frozen=True, kw_only=True)
class ProofStage:
    """One stage over the clips.

    Attributes:
        name: Which.
        clips: Clips it was run on.
        agreement: Share of clips with float Keras's top-1 answer.
        max_abs_error: Greatest difference of a probability from float Keras's.
        accuracy: Share of right answers, where the clips have the model's labels.
    """

    name: str
    clips: int
    agreement: float
    max_abs_error: float
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a conversion may cost.

    Attributes:
        max_drop: Accuracy, in points of top-1, on labelled clips; a single clip lost is forgiven unless this is 0.
        min_agreement: Least share of clips with the trained model's answer.
        max_value_error: Greatest mean error of a value beside the scores, as a share of its span.
    """

    max_drop: float
    min_agreement: float
    max_value_error: float = 0.05

    def broken(self, reference: ProofStage, stage: ProofStage) -> str:
        """Say how a stage breaks the budget.

        Args:
            reference: Float Keras.
            stage: The bundle's stream.

        Returns:
            The reason, or an empty string where it keeps it.
        """
        if stage.agreement < self.min_agreement:
            return f"agreement {stage.agreement:.1%} is below {self.min_agreement:.1%}"
        if stage.accuracy is not None and reference.accuracy is not None:
            drop = 100 * (reference.accuracy - stage.accuracy)
            # One clip of fifty is two points: a loss of a single clip says nothing of a budget above zero. Agreement still counts it.
            if self.max_drop > 0 and round(drop / 100 * stage.clips) <= 1:
                return ""
            # Half a thousandth of a point of slack, for the subtraction's rounding.
            if drop > self.max_drop + 5e-4:
                return f"accuracy drops by {drop:.1f} points, more than {self.max_drop:g}"
        return ""


def unlike_training(trained: ProofStage, classes: int) -> list[str]:
    """Say where the trained model itself guesses: its frames were made otherwise, or the clips are of another kind.

    Args:
        trained: Its answers.
        classes: How many it has.

    Returns:
        A sentence, where its accuracy on labelled clips is within what guessing reaches in one of twenty times; else nothing.
    """
    chance = 1 / classes
    if (
        trained.accuracy is None
        or trained.clips < _FEW_CLIPS
        or trained.accuracy > chance + _ONE_OF_TWENTY * math.sqrt(chance * (1 - chance) / trained.clips)
    ):
        return []
    return [
        f"the trained model itself is right on {trained.accuracy:.0%} of these clips, as guessing would be: "
        "either its frames were made otherwise (--color, --range, --interval, --labels say how), or these are no clips of its kind"
    ]


def measure(name: str, scores: Array, reference: Array, truth: Array | None) -> ProofStage:
    """Hold a stage's scores against float Keras's.

    Args:
        name: The stage.
        scores: (N, classes).
        reference: (N, classes), float Keras on the same clips.
        truth: (N,) class indices, or None where the clips have no labels of the model's.

    Returns:
        The stage.
    """
    answers = scores.argmax(axis=1)
    return ProofStage(
        name=name,
        clips=len(scores),
        agreement=float((answers == reference.argmax(axis=1)).mean()),
        max_abs_error=float(np.abs(scores - reference).max()),
        accuracy=None if truth is None else float((answers == truth).mean()),
    )


def check_split(stage: ProofStage, *, rounding: float = 0.0) -> None:
    """Refuse a split that is not the trained model.

    Args:
        stage: The float split.
        rounding: How far the trained model is from itself, run in another order.

    Raises:
        VerificationFailed: It differs by more than rounding.
    """
    if not stage.max_abs_error <= max(SPLIT_TOLERANCE, 2 * min(rounding, MOST_ROUNDING)):
        raise VerificationFailed(
            expected=f"the split model to be the trained one within {SPLIT_TOLERANCE:g}",
            got=stage.max_abs_error,
            found=f"{stage.max_abs_error:.2g}: a layer was misread",
            hint="No bundle was written. --plan stack, which takes nothing apart, may do.",
        )


def window_scores(bundle: Bundle, windows: Iterable[Array]) -> Array:
    """Run the parts over whole windows with no ring and no state kept: every frame of every window is encoded anew.

    Args:
        bundle: A bundle of plan "window" or "stack".
        windows: Windows (T, *frame) of prepared frames.

    Returns:
        (N, classes) float32.
    """
    runner = _WholeWindow(bundle)
    return np.stack([runner.scores(window) for window in windows])


def stream_answers(bundle: Bundle, streams: Iterable[Array]) -> list[tuple[Array, list[Array]]]:
    """Run the device's engine over streams, frame by frame, from a cleared start each.

    Args:
        bundle: The bundle.
        streams: Streams (N, *frame) of prepared frames, at least a window long.

    Returns:
        For each stream (N - T + 1, classes) float32, one answer for each full window, and (N - T + 1, size) float32 for each value beside them.
    """
    engine = Engine(bundle)
    frames = bundle.manifest.window.frames
    answers = []
    for stream in streams:
        engine.restart()
        rows = [_step(engine, frame) for frame in stream][frames - 1 :]
        beside = [np.stack(column) for column in zip(*(values for _, values in rows), strict=True)]
        answers.append((np.stack([scores for scores, _ in rows if scores is not None]), beside))
    return answers


def _step(engine: Engine, frame: Array) -> tuple[Array | None, list[Array]]:
    np.copyto(engine.input_buffer(), frame)
    return engine.step(), engine.values


class _WholeWindow:
    """A window's answer, written as plainly as it can be: the engine's streaming is held against this."""

    def __init__(self, bundle: Bundle) -> None:
        manifest, backend = bundle.manifest, LiteRt()
        self._models = [backend.load(part, bundle.models[part.file]) for part in manifest.parts]
        self._manifest = manifest
        self._quantize = input_quantizer(manifest.input, manifest.parts[0].inputs[0].params)
        self._probabilities = stored_to_probabilities(manifest.parts[-1].outputs[0].params, manifest.scores)

    def scores(self, window: Array) -> Array:
        manifest = self._manifest
        frames = np.empty(window.shape, manifest.parts[0].inputs[0].dtype)
        for frame, stored in zip(window, frames, strict=True):
            self._quantize(frame, stored)
        if manifest.in_flight:
            return self._real(self._in_flight(self._features(frames)))
        if manifest.plan == "window":
            frames = self._features(frames)[None]
        elif manifest.seen_frames > 1:
            frames = frames[None]
        return self._real(self._run(-1, frames)[0])

    def _real(self, stored: Array) -> Array:
        return np.array(self._probabilities(stored), np.float32)

    def _features(self, frames: Array) -> Array:
        encoder, head = self._manifest.parts
        seen, steps = self._manifest.seen_frames, self._manifest.steps
        join = joiner(encoder.outputs[0].params, head.inputs[0].params)
        features = np.empty((steps, *encoder.outputs[0].shape[1:]), head.inputs[0].dtype)
        for position in range(steps):
            view = frames[position : position + seen]
            join(self._run(0, view if seen == 1 else view[None])[0], features[position])
        return features

    def _in_flight(self, features: Array) -> Array:
        """One window alone, in the first row; the engine has every window in another."""
        head, model = self._manifest.parts[1], self._models[1]
        states = [quantize(np.zeros(tensor.shape), tensor.params) for tensor in head.inputs[1:]]
        for feature in features:
            for index, values in enumerate([feature[None], *states]):
                model.write(index, values)
            model.invoke()
            first = len(head.outputs) - len(states)
            for index, (state, before, after) in enumerate(
                zip(states, head.inputs[1:], head.outputs[first:], strict=True), start=first
            ):
                joiner(after.params, before.params)(model.read(index), state)
        return model.read(0)[0, 0]

    def _run(self, index: int, values: Array) -> Array:
        model = self._models[index]
        model.write(0, values)
        model.invoke()
        return model.read(0)
