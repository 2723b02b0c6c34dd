"""Convert the parts of a model in a recipe's precisions and assemble them into a bundle in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from convert.frameworks.release_memory import give_back
from convert.interface.contract import Contract
from convert.precision.recipes import Recipe
from convert.quantization.calibration import Calibration, frame_samples, on_grid, on_own_grid, step_samples
from convert.quantization.calibration_check import InputRange, check, ranges, share_at_ends
from convert.quantization.converter import ConvertedPart
from convert.quantization.converter_protocol import PartConverter
from convert.quantization.layer_errors import LayerError, Losses, Unmeasured
from convert.quantization.logits import LogitsPart
from convert.rows import AnyRows, Rows, Store
from convert.splitting.split import PartFunction, Split
from edgevid.backends.litert import LiteRt
from edgevid.bundle import Bundle
from edgevid.bundle.golden import Golden
from edgevid.bundle.manifest import PLANS, Manifest, Plan
from edgevid.bundle.parts import Part, Precision
from edgevid.errors import ConversionError, ModelError, UsageError
from edgevid.frames import Array
from edgevid.inference.model_input import input_quantizer
from edgevid.quant import dequantize

# Precisions whose grids come from calibration samples.
CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")


@dataclass(frozen=True)
class BuildJob:
    """Everything a bundle is built from, except the precision.

    Attributes:
        parts: The split model.
        plan: How the device runs it.
        contract: Labels, input, window and decision rule of the bundle.
        calibration: Windows that the converter may observe.
        converter: Converts parts in a child process.
        name: The bundle's name.
        golden: Frames of the self-test with the float model's scores. The search replaces the scores with the bundle's.
        edgetpu: Whether the first part must suit the Edge TPU's compiler.
    """

    parts: Split
    plan: Plan
    contract: Contract
    calibration: Calibration
    converter: PartConverter
    name: str
    golden: Golden
    edgetpu: bool = False

    @property
    def tail(self) -> PartFunction:
        """The part that gives the scores."""
        tail = {"window": self.parts.head, "stateful": self.parts.step, "stack": self.parts.whole}[self.plan]
        assert tail is not None
        return tail


def choose_plan(parts: Split, requested: str) -> Plan:
    """Choose how the device runs a model.

    Args:
        parts: The split model.
        requested: A plan, or "auto": "window" for a model with a per-frame prefix, else "stack".

    Raises:
        UsageError: There is no such plan.
        ModelError: The model does not support the requested plan.
    """
    if requested not in ("auto", *PLANS):
        raise UsageError(expected="a plan", choices=("auto", *PLANS), got=requested)
    if parts.is_stream:
        UsageError.unless(
            requested in ("auto", "stateful"), expected="--plan stateful for a stream with states", got=requested
        )
        return "stateful"
    if requested == "auto":
        return "stack" if parts.encoder is None else "window"
    if requested != "stack" and parts.encoder is None:
        raise ModelError(
            expected=f"a model with a per-frame prefix for plan {requested!r}",
            got=requested,
            found="one without",
            hint="Use --plan stack.",
        )
    if requested == "stateful" and parts.step is None:
        raise ModelError(
            expected="a causal recurrent model for plan 'stateful'",
            got=requested,
            found=parts.not_causal,
            hint="Use --plan window.",
        )
    return cast("Plan", requested)


def prefetch(
    converter: PartConverter,
    parts: Split,
    *,
    precision: Precision,
    contract: Contract,
    calibration: Calibration,
    edgetpu: bool,
) -> None:
    """Start to convert the encoder, and to measure its layers in int8, in the child process.

    The caller runs the float model meanwhile. Without an encoder nothing is started.

    Args:
        converter: Converts parts in a child process.
        parts: The split model.
        precision: The encoder's precision in the first recipe.
        contract: Its `input` is the format of the frames.
        calibration: Windows that the converter may observe.
        edgetpu: Whether the encoder must suit the Edge TPU's compiler.
    """
    if parts.encoder is None:
        return
    is_calibrated = precision in CALIBRATED
    samples = [_encoder_samples(parts, contract, calibration)] if is_calibrated else _no_samples(parts.encoder)
    converter.prefetch(parts.encoder, precision, samples, edgetpu=edgetpu)
    if precision == "int8":
        converter.prefetch_layer_errors(parts.encoder, samples)


def _encoder_samples(parts: Split, contract: Contract, calibration: Calibration) -> Rows:
    return frame_samples(calibration, contract.input, parts.lookback + 1)


def _no_samples(function: PartFunction) -> list[AnyRows]:
    return [np.zeros((0, *shape[1:]), np.float32) for shape in function.input_shapes]


@dataclass(frozen=True)
class _BuiltPart:
    """A converted part, its float function, and a way to get its representative inputs."""

    part: ConvertedPart
    function: PartFunction
    samples: Callable[[], list[AnyRows]]


class Builder:
    """Builds the bundles of one job. Recipes share the parts that they have in common.

    Args:
        job: What to build.

    Attributes:
        ranges: For each quantised part converted so far, the range of samples and grid of each input.
    """

    def __init__(self, job: BuildJob) -> None:
        self._job = job
        self.ranges: dict[ConvertedPart, list[InputRange]] = {}
        self._parts: dict[tuple[str, Precision, Precision | None], _BuiltPart] = {}
        self._features: dict[Precision, Rows] = {}
        self._logits = LogitsPart(job.tail, job.contract.scores)

    def build(self, recipe: Recipe) -> Bundle:
        """Convert the parts that earlier recipes did not convert, and assemble a bundle.

        Returns:
            A bundle without a report. Its golden scores are still the float model's.
        """
        job = self._job
        parts = self._chain(recipe) if job.parts.encoder is not None and job.plan != "stack" else self._alone(recipe)
        manifest = Manifest(
            name=job.name,
            plan=job.plan,
            labels=job.contract.labels,
            window=job.contract.window,
            input=job.contract.input,
            parts=tuple(each.part for each in parts),
            lookback=0 if job.plan == "stack" else job.parts.lookback,
            # `LogitsPart` knows its kind once the part has been traced, as the conversion above did.
            scores=self._logits.kind if parts[-1].part.precision in CALIBRATED else job.contract.scores,
            decision=job.contract.decision,
            values=job.contract.values,
            keypoints=job.contract.keypoints,
            framing=job.contract.framing,
        )
        models = {each.part.file: each.data for each in parts}
        models |= {each.part.initial_states: each.initial_states for each in parts if each.initial_states}
        return Bundle(manifest, models, job.golden, {})

    def _alone(self, recipe: Recipe) -> Sequence[ConvertedPart]:
        """Convert a model of one part: over the whole window, or over each frame and states."""
        job, precision = self._job, recipe.precision("whole")
        seen_frames = job.parts.frames if job.plan == "stack" else 1

        def make_samples() -> list[AnyRows]:
            return [frame_samples(job.calibration, job.contract.input, seen_frames)]

        return [self._convert(self._last_part(precision), precision, make_samples)]

    def _chain(self, recipe: Recipe) -> Sequence[ConvertedPart]:
        encoder = self._encoder(recipe.precision("encoder"))
        precision = recipe.precision(self._job.tail.role)
        tail = self._convert(
            self._last_part(precision),
            precision,
            lambda: self._tail_samples(encoder),
            encoder_precision=encoder.part.precision,
        )
        return [encoder, tail]

    def _last_part(self, precision: Precision) -> PartFunction:
        return self._logits.part if precision in CALIBRATED else self._job.tail

    def _encoder(self, precision: Precision) -> ConvertedPart:
        job = self._job
        assert job.parts.encoder is not None
        return self._convert(
            job.parts.encoder, precision, lambda: [_encoder_samples(job.parts, job.contract, job.calibration)]
        )

    def _tail_samples(self, encoder: ConvertedPart) -> list[AnyRows]:
        """Return representative inputs of the head or step."""
        tail, params = self._job.tail, encoder.part.outputs[0].params
        # The converted encoder's features, not the float encoder's: the device sees only those.
        features = self._converted_features(encoder)
        inputs: list[AnyRows] = [features] if len(tail.input_shapes) == 1 else [*step_samples(tail, features)]
        inputs[0] = on_grid(inputs[0], params)
        return inputs if len(inputs) == 1 else on_own_grid(tail, inputs)

    def _converted_features(self, encoder: ConvertedPart) -> Rows:
        precision, job = encoder.part.precision, self._job
        if precision not in self._features:
            encoded = encode_windows(encoder, job.calibration.windows, job.contract, job.parts.lookback + 1)
            params = encoder.part.outputs[0].params
            self._features[precision] = Rows.of(Store().add(encoded)).map(lambda stored: dequantize(stored, params))
        return self._features[precision]

    def _convert(
        self,
        function: PartFunction,
        precision: Precision,
        make_samples: Callable[[], list[AnyRows]],
        encoder_precision: Precision | None = None,
    ) -> ConvertedPart:
        is_calibrated = precision in CALIBRATED
        # A quantised tail is calibrated on the features of one encoder, so each encoder has its own.
        key = (function.role, precision, encoder_precision if is_calibrated else None)
        if key not in self._parts:
            samples = make_samples() if is_calibrated else _no_samples(function)
            edgetpu = self._job.edgetpu and encoder_precision is None
            part = self._job.converter.convert(function, precision, samples, edgetpu=edgetpu)
            if is_calibrated:
                self.ranges[part] = ranges(part, samples)
                # The clips may exceed the grids of a file that someone else calibrated. That is only a warning.
                if self._job.converter.calibrates:
                    check(self.ranges[part])
            # A float part needs samples only if its layers are measured, so they are made on demand.
            self._parts[key] = _BuiltPart(part, function, (lambda: samples) if is_calibrated else make_samples)
        return self._parts[key].part

    def losses(self, reported: Sequence[Part] = ()) -> Losses:
        """Measure the loss of each layer in every converted part except those in float32.

        A part that cannot be measured is listed with its reason; it never fails a conversion.

        Args:
            reported: The parts of the bundle in the report. Of several parts with the same role and
                precision, only the reported part is measured.

        Returns:
            The layers, worst first, and the parts that could not be measured.
        """
        # The float model has run its last window, and the child process needs memory to measure.
        give_back()
        # Reported parts are sorted last, so that they replace their doubles in the dict.
        ordered = sorted(self._parts.values(), key=lambda built: built.part.part in reported)
        chosen = {(built.part.part.role, built.part.part.precision): built for built in ordered}
        layers: list[LayerError] = []
        unmeasured: list[Unmeasured] = []
        for (role, precision), built in chosen.items():
            if precision == "float32":
                continue
            try:
                layers += self._measure(built)
            except ConversionError as error:
                unmeasured.append(Unmeasured(part=role, precision=precision, reason=str(error)))
        return Losses(tuple(sorted(layers, key=lambda layer: layer.snr_db)), tuple(unmeasured))

    def _measure(self, built: _BuiltPart) -> list[LayerError]:
        job = self._job
        output = "the answer"
        if built.function.role == "encoder":
            output = next(iter(job.parts.hoisted or job.parts.prefix_layers[-1:]), "")
        return job.converter.part_errors(built.part, built.function, built.samples(), output=output)

    def share_at_grid_ends(self, encoder: Part, data: bytes, windows: AnyRows) -> float | None:
        """Return the share of a quantised encoder's features at the ends of their grid.

        Args:
            encoder: The part.
            data: Its file.
            windows: Prepared frames (N, T, *frame).

        Returns:
            0 to 1; None for float features or no windows.
        """
        params = encoder.outputs[0].params
        if params.is_float or not len(windows):
            return None
        job = self._job
        features = encode_windows(ConvertedPart(encoder, data), windows, job.contract, job.parts.lookback + 1)
        return share_at_ends(features, params)


def encode_windows(encoder: ConvertedPart, windows: AnyRows, contract: Contract, seen_frames: int) -> Iterator[Array]:
    """Run a converted encoder over windows.

    Args:
        encoder: The part.
        windows: Prepared frames (N, T, *frame).
        contract: Its `input` is the format of the frames.
        seen_frames: Number of frames in one input of the encoder.

    Yields:
        The features (T - seen_frames + 1, F) of each window, in the dtype of the encoder's output.
    """
    model = LiteRt().load(encoder.part, encoder.data)
    quantize = input_quantizer(contract.input, encoder.part.inputs[0].params)
    steps, output = windows.shape[1] - seen_frames + 1, encoder.part.outputs[0]
    stored = np.empty(windows.shape[1:], encoder.part.inputs[0].dtype)
    for window in windows:
        for frame, out in zip(window, stored, strict=True):
            quantize(frame, out)
        rows = np.empty((steps, *output.shape[1:]), output.dtype)
        for start, row in enumerate(rows):
            frames = stored[start : start + seen_frames]
            model.write(0, frames if seen_frames == 1 else frames[None])
            model.invoke()
            row[...] = model.read(0)[0]
        yield rows
