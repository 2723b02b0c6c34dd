"""Make the parts of a plan in a recipe's precision and join them into a bundle in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from convert.answers import Unfinished
from convert.calibrate import Calibration, frame_samples, on_grid, step_samples
from convert.coverage import InputRange, at_the_ends, check, ranges
from convert.layer_errors import LayerError
from convert.quantize import ConvertedPart, Converter
from convert.recipes import Recipe
from convert.reference import Reference
from convert.settings import Contract
from convert.split import PartFunction, Split
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle, Golden
from edgevid.errors import ConversionError, ModelError, UsageError
from edgevid.frame import Array
from edgevid.intake import input_quantizer
from edgevid.manifest import PLANS, Manifest, Part, Plan, Precision
from edgevid.quant import dequantize

CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")


@dataclass(frozen=True)
class Job:
    """Everything that stays the same while precisions are tried.

    Attributes:
        parts: The split model.
        plan: How the device runs it.
        contract: What the bundle says of it.
        calibration: Windows that the converter may look at.
        reference: The float model.
        converter: The child process.
        name: The bundle's name.
        golden: Frames of the proof, and float answers; the bundle's own answers are filled in later.
        edgetpu: Whether the first part shall be one that the Edge TPU takes.
    """

    parts: Split
    plan: Plan
    contract: Contract
    calibration: Calibration
    reference: Reference
    converter: Converter
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
        raise UsageError(f"Expected a plan, one of auto, {', '.join(PLANS)}, got {asked!r}.", expected=("auto", *PLANS), got=asked)
    if asked == "auto":
        return "stack" if parts.encoder is None else "window"
    if asked != "stack" and parts.encoder is None:
        raise ModelError(f"Expected a model with a per-frame prefix for plan {asked!r}, got one without. Use --plan stack.", got=asked)
    if asked == "stateful" and parts.step is None:
        raise ModelError(f"Expected a causal recurrent model for plan 'stateful': {parts.not_causal}. Use --plan window.", got=asked)
    return cast("Plan", asked)


def begin(converter: Converter, parts: Split, *, precision: Precision, contract: Contract, calibration: Calibration, edgetpu: bool) -> None:
    """Let the converter begin with the encoder, while the float model is asked: neither needs the other.

    Args:
        converter: The child process.
        parts: The split model; nothing is begun of one without an encoder.
        precision: Of the first recipe that will be tried.
        contract: What the bundle says of it.
        calibration: Windows that the converter may look at.
        edgetpu: Whether the part shall be one that the Edge TPU takes.
    """
    if parts.encoder is not None:
        converter.begin(parts.encoder, precision, [_encoder_samples(parts, contract, calibration, precision)], edgetpu=edgetpu)


def _encoder_samples(parts: Split, contract: Contract, calibration: Calibration, precision: Precision) -> Array:
    assert parts.encoder is not None
    return frame_samples(calibration, contract.input, parts.lookback + 1) if precision in CALIBRATED else _none(parts.encoder)


class Builder:
    """Builds bundles of one job; a part that two recipes share is converted once.

    Args:
        job: What to build.

    Attributes:
        ranges: What each quantised part's inputs were calibrated with, of every part converted so far.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self.ranges: dict[ConvertedPart, list[InputRange]] = {}
        self._shown: dict[str, tuple[PartFunction, list[Array]]] = {}
        self._parts: dict[tuple[str, Precision, Precision | None], ConvertedPart] = {}
        self._features: dict[Precision, Array] = {}
        self._unfinished = Unfinished(_tail(job), job.contract.scores)

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
        samples = frame_samples(job.calibration, job.contract.input, job.parts.frames) if precision in CALIBRATED else _none(job.parts.whole)
        return [self._convert(self._last(precision), precision, [samples])]

    def _chain(self, recipe: Recipe) -> Sequence[ConvertedPart]:
        job = self._job
        encoder = self._encoder(recipe.precision("encoder"))
        tail = _tail(job)
        precision = recipe.precision(tail.role)
        samples = self._tail_samples(encoder, tail) if precision in CALIBRATED else [_none(tail, index) for index in range(len(tail.input_shapes))]
        return [encoder, self._convert(self._last(precision), precision, samples, after=encoder.part.precision)]

    def _last(self, precision: Precision) -> PartFunction:
        """The last part; in integers it ends before its activation."""
        return self._unfinished.part if precision in CALIBRATED else _tail(self._job)

    def _encoder(self, precision: Precision) -> ConvertedPart:
        job = self._job
        assert job.parts.encoder is not None
        return self._convert(job.parts.encoder, precision, [_encoder_samples(job.parts, job.contract, job.calibration, precision)])

    def _tail_samples(self, encoder: ConvertedPart, tail: PartFunction) -> list[Array]:
        """What the tail is given in real use: the converted encoder's features, not the float one's."""
        params, precision = encoder.part.outputs[0].params, encoder.part.precision
        if precision not in self._features:
            stored = encode_windows(encoder, self._job.calibration.windows, self._job.contract, self._job.parts.lookback + 1)
            self._features[precision] = dequantize(stored, params)
        features = self._features[precision]
        inputs = [features] if len(tail.input_shapes) == 1 else step_samples(tail, features)
        return [on_grid(inputs[0], params), *inputs[1:]]

    def _convert(self, function: PartFunction, precision: Precision, samples: list[Array], after: Precision | None = None) -> ConvertedPart:
        key = (function.role, precision, after if precision in CALIBRATED else None)
        if key not in self._parts:
            edgetpu = self._job.edgetpu and after is None
            made = self._job.converter.convert(function, precision, samples, edgetpu=edgetpu)
            if precision in CALIBRATED:
                self.ranges[made] = ranges(made, samples)
                if self._job.converter.calibrates:
                    check(self.ranges[made])
            if precision == "int8":
                self._shown.setdefault(function.role, (function, samples))
            self._parts[key] = made
        return self._parts[key]

    def layer_errors(self) -> list[LayerError]:
        """Measure what int8 costs the layers of every part that was converted to it.

        Returns:
            The layers, worst first; none of a part that cannot be measured: that never fails a conversion.
        """
        found: list[LayerError] = []
        for role, (function, samples) in self._shown.items():
            output = next(iter(self._job.parts.hoisted or self._job.parts.prefix_layers[-1:]), "") if role == "encoder" else "the answer"
            with contextlib.suppress(ConversionError):
                found += self._job.converter.layer_errors(function, samples, output=output)
        return sorted(found, key=lambda error: error.snr_db)

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
        return at_the_ends(encode_windows(ConvertedPart(encoder, data), windows, self._job.contract, self._job.parts.lookback + 1), params)


def _tail(job: Job) -> PartFunction:
    tail = {"window": job.parts.head, "stateful": job.parts.step, "stack": job.parts.whole}[job.plan]
    assert tail is not None
    return tail


def _none(function: PartFunction, index: int = 0) -> Array:
    """No samples: a precision that needs no calibration."""
    return np.zeros((0, *function.input_shapes[index][1:]), np.float32)


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
