"""Make the parts of a plan in a recipe's precision and join them into a bundle in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from convert.interface.contract import Contract
from convert.precision.recipes import Recipe
from convert.quantization.calibration import Calibration, frame_samples, on_grid, on_own_grid, step_samples
from convert.quantization.calibration_check import InputRange, at_the_ends, check, ranges
from convert.quantization.converter import ConvertedPart
from convert.quantization.layer_errors import LayerError, Losses, Unmeasured
from convert.quantization.logits import LogitsPart
from convert.quantization.part_converter import PartConverter
from convert.splitting.split import PartFunction, Split
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.bundle.golden import Golden
from edgevid.bundle.manifest import PLANS, Manifest, Part, Plan, Precision
from edgevid.errors import ConversionError, ModelError, UsageError
from edgevid.frames import Array
from edgevid.inference.model_input import input_quantizer
from edgevid.quant import dequantize

CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")


@dataclass(frozen=True)
class BuildJob:
    """Everything that stays the same while precisions are tried.

    Attributes:
        parts: The split model.
        plan: How the device runs it.
        contract: What the bundle says of it.
        calibration: Windows that the converter may look at.
        converter: The child process.
        name: The bundle's name.
        golden: Frames of the proof, and float answers; the bundle's own answers are filled in later.
        edgetpu: Whether the first part shall be one that the Edge TPU takes.
    """

    parts: Split
    plan: Plan
    contract: Contract
    calibration: Calibration
    converter: PartConverter
    name: str
    golden: Golden
    edgetpu: bool = False


def choose_plan(parts: Split, asked: str) -> Plan:
    """Choose how the device runs a model.

    Args:
        parts: The split model.
        asked: "auto" or a plan.

    Returns:
        "window" where there is a per-frame prefix, else "stack", or what was asked for.

    Raises:
        ModelError: The model cannot be run by the plan asked for.
    """
    if asked not in ("auto", *PLANS):
        raise UsageError(expected=f"a plan, one of auto, {', '.join(PLANS)}", got=asked)
    if asked == "auto":
        return "stack" if parts.encoder is None else "window"
    if asked != "stack" and parts.encoder is None:
        raise ModelError(
            expected=f"a model with a per-frame prefix for plan {asked!r}",
            got=asked,
            found="one without",
            hint="Use --plan stack.",
        )
    if asked == "stateful" and parts.step is None:
        raise ModelError(
            expected="a causal recurrent model for plan 'stateful'",
            got=asked,
            found=parts.not_causal,
            hint="Use --plan window.",
        )
    return cast("Plan", asked)


def prefetch(
    converter: PartConverter,
    parts: Split,
    *,
    precision: Precision,
    contract: Contract,
    calibration: Calibration,
    edgetpu: bool,
) -> None:
    """Let the converter begin with the encoder, and with what int8 costs its layers, while the float model is asked: neither needs the other.

    Args:
        converter: The child process.
        parts: The split model; nothing is begun of one without an encoder.
        precision: Of the first recipe that will be tried.
        contract: What the bundle says of it.
        calibration: Windows that the converter may look at.
        edgetpu: Whether the part shall be one that the Edge TPU takes.
    """
    if parts.encoder is not None:
        samples = [_encoder_samples(parts, contract, calibration)] if precision in CALIBRATED else _none(parts.encoder)
        converter.prefetch(parts.encoder, precision, samples, edgetpu=edgetpu)
        if precision == "int8":
            converter.prefetch_layer_errors(parts.encoder, samples)


def _encoder_samples(parts: Split, contract: Contract, calibration: Calibration) -> Array:
    return frame_samples(calibration, contract.input, parts.lookback + 1)


@dataclass(frozen=True)
class _Made:
    """A part that was converted, what of, and how to get what it is given in real use."""

    part: ConvertedPart
    function: PartFunction
    samples: Callable[[], list[Array]]


class Builder:
    """Builds bundles of one job; a part that two recipes share is converted once.

    Args:
        job: What to build.

    Attributes:
        ranges: What each quantised part's inputs were calibrated with, of every part converted so far.
    """

    def __init__(self, job: BuildJob) -> None:
        self._job = job
        self.ranges: dict[ConvertedPart, list[InputRange]] = {}
        self._parts: dict[tuple[str, Precision, Precision | None], _Made] = {}
        self._features: dict[Precision, Array] = {}
        self._unfinished = LogitsPart(_tail(job), job.contract.scores)

    def build(self, recipe: Recipe) -> Bundle:
        """Convert what is not yet converted and join it.

        Args:
            recipe: Precision of each part.

        Returns:
            A bundle without a report, its golden answers still the float model's.
        """
        job = self._job
        made = self._stack(recipe) if job.plan == "stack" else self._chain(recipe)
        manifest = Manifest(
            name=job.name,
            plan=job.plan,
            labels=job.contract.labels,
            window=job.contract.window,
            input=job.contract.input,
            parts=tuple(each.part for each in made),
            lookback=0 if job.plan == "stack" else job.parts.lookback,
            scores=self._unfinished.kind if made[-1].part.precision in CALIBRATED else job.contract.scores,
            decision=job.contract.decision,
            values=job.contract.values,
        )
        return Bundle(manifest, {each.part.file: each.data for each in made}, job.golden, {})

    def _stack(self, recipe: Recipe) -> Sequence[ConvertedPart]:
        job, precision = self._job, recipe.precision("whole")
        return [
            self._convert(
                self._last(precision),
                precision,
                lambda: [frame_samples(job.calibration, job.contract.input, job.parts.frames)],
            )
        ]

    def _chain(self, recipe: Recipe) -> Sequence[ConvertedPart]:
        encoder, tail = self._encoder(recipe.precision("encoder")), _tail(self._job)
        precision = recipe.precision(tail.role)
        return [
            encoder,
            self._convert(
                self._last(precision),
                precision,
                lambda: self._tail_samples(encoder, tail),
                after=encoder.part.precision,
            ),
        ]

    def _last(self, precision: Precision) -> PartFunction:
        """The last part; in integers it ends before its activation."""
        return self._unfinished.part if precision in CALIBRATED else _tail(self._job)

    def _encoder(self, precision: Precision) -> ConvertedPart:
        job = self._job
        assert job.parts.encoder is not None
        return self._convert(
            job.parts.encoder, precision, lambda: [_encoder_samples(job.parts, job.contract, job.calibration)]
        )

    def _tail_samples(self, encoder: ConvertedPart, tail: PartFunction) -> list[Array]:
        """What the tail is given in real use: the converted encoder's features, not the float one's."""
        params, precision = encoder.part.outputs[0].params, encoder.part.precision
        if precision not in self._features:
            stored = encode_windows(
                encoder, self._job.calibration.windows, self._job.contract, self._job.parts.lookback + 1
            )
            self._features[precision] = dequantize(stored, params)
        features = self._features[precision]
        inputs = [features] if len(tail.input_shapes) == 1 else step_samples(tail, features)
        inputs[0] = on_grid(inputs[0], params)
        return inputs if len(inputs) == 1 else on_own_grid(tail, inputs)

    def _convert(
        self,
        function: PartFunction,
        precision: Precision,
        given: Callable[[], list[Array]],
        after: Precision | None = None,
    ) -> ConvertedPart:
        key = (function.role, precision, after if precision in CALIBRATED else None)
        if key not in self._parts:
            samples = given() if precision in CALIBRATED else _none(function)
            made = self._job.converter.convert(
                function, precision, samples, edgetpu=self._job.edgetpu and after is None
            )
            if precision in CALIBRATED:
                self.ranges[made] = ranges(made, samples)
                if self._job.converter.calibrates:
                    check(self.ranges[made])
            self._parts[key] = _Made(made, function, (lambda: samples) if precision in CALIBRATED else given)
        return self._parts[key].part

    def losses(self, shown: Sequence[Part] = ()) -> Losses:
        """Measure what its precision costs the layers of every part that was converted; float32 costs nothing.

        Args:
            shown: Parts that the report tells of: where one was made twice in a precision, these are measured.

        Returns:
            The layers, worst first, and the parts that could not be measured: that never fails a conversion.
        """
        tried = sorted(self._parts.values(), key=lambda made: made.part.part in shown)
        chosen = {
            (made.part.part.role, made.part.part.precision): made
            for made in tried
            if made.part.part.precision != "float32"
        }
        found: list[LayerError] = []
        unmeasured: list[Unmeasured] = []
        for (role, precision), made in chosen.items():
            try:
                found += self._measure(made)
            except ConversionError as error:
                unmeasured.append(Unmeasured(part=role, precision=precision, reason=str(error)))
        return Losses(tuple(sorted(found, key=lambda error: error.snr_db)), tuple(unmeasured))

    def _measure(self, made: _Made) -> list[LayerError]:
        job = self._job
        if not job.converter.calibrates:
            raise ConversionError(
                expected="a float model to hold the layers against", found="a file that was converted already"
            )
        output = (
            next(iter(job.parts.hoisted or job.parts.prefix_layers[-1:]), "")
            if made.function.role == "encoder"
            else "the answer"
        )
        return job.converter.part_errors(made.part, made.function, made.samples(), output=output)

    def at_the_ends(self, encoder: Part, data: bytes, windows: Array) -> float | None:
        """Tell how many of a quantised encoder's features lie at the ends of their grid.

        Args:
            encoder: The part.
            data: Its file.
            windows: (N, T, *frame) prepared frames.

        Returns:
            A share; None where features are in float.
        """
        params = encoder.outputs[0].params
        if params.is_float or not len(windows):
            return None
        return at_the_ends(
            encode_windows(ConvertedPart(encoder, data), windows, self._job.contract, self._job.parts.lookback + 1),
            params,
        )


def _tail(job: BuildJob) -> PartFunction:
    tail = {"window": job.parts.head, "stateful": job.parts.step, "stack": job.parts.whole}[job.plan]
    assert tail is not None
    return tail


def _none(function: PartFunction) -> list[Array]:
    """No samples: a precision that needs no calibration."""
    return [np.zeros((0, *shape[1:]), np.float32) for shape in function.input_shapes]


def encode_windows(encoder: ConvertedPart, windows: Array, contract: Contract, seen: int) -> Array:
    """Run a converted encoder over windows.

    Args:
        encoder: The part.
        windows: (N, T, *frame) prepared frames.
        contract: The model's frames.
        seen: Frames that it sees at once.

    Returns:
        (N, T - seen + 1, F) of the type of its output.
    """
    model = LiteRt().load(encoder.part, encoder.data)
    quantize = input_quantizer(contract.input, encoder.part.inputs[0].params)
    steps = windows.shape[1] - seen + 1
    features = np.empty((len(windows), steps, *encoder.part.outputs[0].shape[1:]), encoder.part.outputs[0].dtype)
    stored = np.empty(windows.shape[1:], encoder.part.inputs[0].dtype)
    for window, rows in zip(windows, features, strict=True):
        for frame, out in zip(window, stored, strict=True):
            quantize(frame, out)
        for start, row in enumerate(rows):
            frames = stored[start : start + seen]
            model.write(0, frames if seen == 1 else frames[None])
            model.invoke()
            row[...] = model.read(0)[0]
    return features
