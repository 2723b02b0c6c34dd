"""The proof: four stages on the user's own clips, each compared with the trained float model.

1. float Keras: the model as it was loaded.
2. float split: the same model in parts, in TensorFlow. It must agree up to rounding; otherwise the split
   is wrong and no later stage counts.
3. bundle, whole window: the parts in the interpreter. Every frame of the window is encoded anew.
4. bundle, stream: the device's own engine, frame by frame. It must equal stage 3 bit for bit. For plan
   "stateful", which has no stage 3, it is compared at the end of the first window.
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

# A float32 sum of a few hundred terms in another order differs by about 1e-6; a wrong split by more than 1e-2.
SPLIT_TOLERANCE = 1e-4
# A model that differs from itself by more than this is no reference for a split.
MAX_ROUNDING = 5e-3
# Rounding moves a stable model by about 1e-6. Beyond this it explains a split that is off by up to ten times as much.
_UNSTABLE = 1e-3
_EXPLAINED = 10
SPLIT_HINT = "No bundle was written. Try --plan stack, which does not split the model."
# One-sided 95 % quantile of the normal distribution: guessing exceeds it once in twenty times.
_ONE_IN_TWENTY = 1.645
# With fewer clips, accuracy cannot tell a guess from an answer.
_MIN_CLIPS = 10


@dataclass(frozen=True, kw_only=True)
class ProofStage:
    """The result of one stage over the clips.

    Attributes:
        name: The stage.
        clips: Number of clips.
        agreement: Share of clips with the same top-1 class as float Keras.
        max_abs_error: Largest difference of a probability from float Keras.
        accuracy: Share of clips with the true class; None if the clips have no labels of the model.
    """

    name: str
    clips: int
    agreement: float
    max_abs_error: float
    accuracy: float | None


def unlike_training(trained: ProofStage, classes: int) -> list[str]:
    """Return a warning if the trained model itself seems to guess on labelled clips.

    Then its frames were prepared differently in training, or the clips show something else.

    Args:
        trained: The stage of the trained model.
        classes: Number of its classes.

    Returns:
        One sentence if guessing reaches the model's accuracy at least once in twenty times; else none.
    """
    chance = 1 / classes
    if trained.accuracy is None or trained.clips < _MIN_CLIPS:
        return []
    if trained.accuracy > chance + _ONE_IN_TWENTY * math.sqrt(chance * (1 - chance) / trained.clips):
        return []
    return [
        f"the trained model itself is right on only {trained.accuracy:.0%} of these clips, no better than guessing: "
        "either training prepared its frames differently (set --color, --range, --interval or --labels), "
        "or these clips show something else"
    ]


def measure(name: str, scores: Array, reference: Array, truth: Array | None) -> ProofStage:
    """Compare a stage's scores with those of float Keras.

    Args:
        name: The stage.
        scores: (N, classes).
        reference: (N, classes), float Keras on the same clips.
        truth: Class indices (N,); None if the clips have no labels of the model.
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
    """Reject a split that is not the trained model.

    Args:
        stage: The float split.
        rounding: Largest difference of the trained model from itself, run in another order.

    Raises:
        VerificationFailed: The split differs by more than rounding, or the model is too unstable to be compared.
    """
    # Written with `not … <=`, because a NaN must fail too.
    if not stage.max_abs_error <= max(SPLIT_TOLERANCE, 2 * min(rounding, MAX_ROUNDING)):
        if is_unstable(stage.max_abs_error, rounding, limit=_UNSTABLE):
            raise unstable_error("probabilities", stage.max_abs_error, rounding)
        raise VerificationFailed(
            expected=f"the split model to equal the trained one within {SPLIT_TOLERANCE:g}",
            got=stage.max_abs_error,
            found=f"a difference of {stage.max_abs_error:.2g}: a layer was misread",
            hint=SPLIT_HINT,
        )


def is_unstable(difference: float, rounding: float, *, limit: float) -> bool:
    """Return whether the rounding of a model explains that its split differs.

    Args:
        difference: How far the split is off.
        rounding: How far the model is off from itself, run in another order.
        limit: The most rounding of a stable model.
    """
    return rounding > limit and difference <= _EXPLAINED * rounding


def unstable_error(what: str, difference: float, rounding: float) -> VerificationFailed:
    """Return the error for a model whose answers depend on rounding.

    Args:
        what: The numbers that move, such as "probabilities".
        difference: How far the split is off.
        rounding: How far the model is off from itself, run in another order.
    """
    return VerificationFailed(
        expected="a model whose answers do not depend on rounding",
        got=rounding,
        found=f"an unstable one: input changes of 2e-7 of their size move its own {what} by {rounding:.2g} "
        f"(the split model differs by {difference:.2g})",
        hint="No bundle was written. Train its recurrent layers with tanh instead of relu, "
        "or with smaller recurrent weights.",
    )


def window_scores(bundle: Bundle, windows: Iterable[Array]) -> Array:
    """Run the parts over whole windows, without a ring or a state: every frame of every window is encoded anew.

    Args:
        bundle: A bundle of plan "window" or "stack".
        windows: Windows (T, *frame) of prepared frames.

    Returns:
        (N, classes) float32.
    """
    runner = _WholeWindow(bundle)
    return np.stack([runner.scores(window) for window in windows])


def stream_answers(bundle: Bundle, streams: Iterable[Array]) -> list[tuple[Array, list[Array]]]:
    """Run the device's engine over streams, frame by frame. It is restarted before each stream.

    Args:
        bundle: The bundle.
        streams: Streams (N, *frame) of prepared frames, at least one window long.

    Returns:
        For each stream the scores (N - T + 1, classes) float32, one row per full window, and for each
        auxiliary output its values (N - T + 1, size) float32.
    """
    engine = Engine(bundle)
    frames = bundle.manifest.window.frames
    answers = []
    for stream in streams:
        engine.restart()
        # Before the window is full there is no answer.
        rows = [_step(engine, frame) for frame in stream][frames - 1 :]
        values = [np.stack(column) for column in zip(*(values for _, values in rows), strict=True)]
        answers.append((np.stack([scores for scores, _ in rows if scores is not None]), values))
    return answers


def _step(engine: Engine, frame: Array) -> tuple[Array | None, list[Array]]:
    np.copyto(engine.input_buffer(), frame)
    return engine.step(), engine.values


class _WholeWindow:
    """The scores of a window, computed as plainly as possible: the reference for the engine's stream."""

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
            return self._real(self._run_in_flight(self._features(frames)))
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

    def _run_in_flight(self, features: Array) -> Array:
        """Run a head of windows in flight with this window alone, in the first row."""
        head, model = self._manifest.parts[1], self._models[1]
        states = [quantize(np.zeros(tensor.shape), tensor.params) for tensor in head.inputs[1:]]
        # The states are the last outputs, after the scores and the auxiliary outputs.
        first = len(head.outputs) - len(states)
        for feature in features:
            for index, values in enumerate([feature[None], *states]):
                model.write(index, values)
            model.invoke()
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
