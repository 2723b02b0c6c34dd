"""What a bundle says about itself: frozen dataclasses that refuse impossible values, and their JSON.

`docs/bundle-format.md` specifies each field in prose. Reading is strict: an unknown field, a missing one or a wrong type is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from edgevid import schema
from edgevid.errors import ManifestInvalid, PartsDoNotJoin
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec
from edgevid.frames.sampling import MAX_INTERVAL_S, MIN_INTERVAL_S
from edgevid.quant import Dtype, QuantParams
from edgevid.schema import optional

Plan = Literal["window", "stateful", "stack"]
Role = Literal["encoder", "head", "step", "whole"]
Precision = Literal["int8", "int16x8", "float16", "float32"]
Scores = Literal["softmax", "logits", "sigmoid", "sigmoid_logits"]
Sampling = Literal["interval", "uniform"]
PLANS: tuple[Plan, ...] = get_args(Plan)
PLAN_ROLES: dict[Plan, tuple[Role, ...]] = {
    "window": ("encoder", "head"),
    "stateful": ("encoder", "step"),
    "stack": ("whole",),
}

FORMAT = "edgevid-bundle"
VERSION = 1
MAX_FRAMES = 4096
MAX_VALUES = 4096
# A label is a line of `labels.txt` and goes to terminals: no control characters, no line separators.
_LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,92}\.tflite")


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output of a part.

    Attributes:
        name: The tensor's name in the `.tflite` file; an interpreter may list tensors in any order.
        shape: Static shape; the first axis is the batch of 1.
        dtype: Storage type.
        scale: Quantisation scale; 1 for float32.
        zero_point: Quantisation zero point; 0 for float32.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        _ = self.params
        ManifestInvalid.unless(
            len(self.shape) >= 2 and self.shape[0] == 1 and (min(self.shape) >= 1),
            expected="a static shape with a batch of 1",
            got=self.shape,
        )

    @property
    def params(self) -> QuantParams:
        """The tensor's grid."""
        return QuantParams(self.dtype, self.scale, self.zero_point)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One `.tflite` file of a bundle.

    Attributes:
        role: What the plan uses it for.
        file: Member name.
        precision: How it was quantised.
        inputs: In order. A "step", and a "head" of windows in flight, has the feature first, then its states.
        outputs: In order. Of the last part's the scores first, then the values, then the states.
        edgetpu: Member name of its twin: the same part compiled for the Edge TPU, with the same tensors; empty where there is none.
    """

    role: Role
    file: str
    precision: Precision
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    edgetpu: str = optional("")


@dataclass(frozen=True, kw_only=True)
class Window:
    """How much of the past a decision sees.

    Attributes:
        frames: Frames of one window, as trained.
        interval_s: Time between two of them.
        sampling: "interval" if training took frames this far apart; "uniform" if it took them at equal steps over whole clips, and
            `interval_s` is the median such step of the clips the model was converted with.
    """

    frames: int
    interval_s: float
    sampling: Sampling = "interval"

    def __post_init__(self) -> None:
        ManifestInvalid.unless(
            1 <= self.frames <= MAX_FRAMES, expected=f"a window of 1 to {MAX_FRAMES} frames", got=self.frames
        )
        ManifestInvalid.unless(
            MIN_INTERVAL_S <= self.interval_s <= MAX_INTERVAL_S,
            expected=f"an interval of {MIN_INTERVAL_S} to {MAX_INTERVAL_S:.0f} s",
            got=self.interval_s,
        )
        ManifestInvalid.unless(
            self.sampling in get_args(Sampling), expected="a sampling of 'interval' or 'uniform'", got=self.sampling
        )


@dataclass(frozen=True, kw_only=True)
class Value:
    """Numbers that the model gives beside its scores, such as the corners of a box.

    Attributes:
        name: The model's own for this output.
        size: How many numbers it is.
    """

    name: str
    size: int

    def __post_init__(self) -> None:
        ManifestInvalid.unless(
            _LABEL.fullmatch(self.name) is not None,
            expected="a value's name in one line of text without control characters",
            got=self.name,
        )
        ManifestInvalid.unless(
            1 <= self.size <= MAX_VALUES, expected=f"a value of 1 to {MAX_VALUES} numbers", got=self.size
        )


@dataclass(frozen=True, kw_only=True)
class Member:
    """Size and hash of one file in the bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything the device must know of a converted model.

    Attributes:
        name: What people call it.
        plan: How frames become scores.
        labels: One a class, in the order of the scores.
        window: The model's view of time.
        input: What it expects of one frame.
        lookback: Frames before the newest that the encoder also sees; the encoder's input is `lookback + 1` frames.
        parts: The `.tflite` files, in the order they run.
        scores: What the last part's output is.
        decision: How scores become events.
        values: What the last part gives beside its scores, in its order.
        members: Every other file of the bundle, by name.
        versions: Software that made it, name to version.
        provenance: Where the model came from: source file, its hash, the command, free text.
    """

    name: str
    plan: Plan
    labels: tuple[str, ...]
    window: Window
    input: InputSpec
    parts: tuple[Part, ...]
    lookback: int = 0
    scores: Scores = "softmax"
    decision: DecisionRule = field(default_factory=DecisionRule)
    values: tuple[Value, ...] = optional(())
    members: Mapping[str, Member] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    format: str = FORMAT
    version: int = VERSION

    def __post_init__(self) -> None:
        ManifestInvalid.unless(self.plan in PLANS, expected="a plan", choices=PLANS, got=self.plan)
        ManifestInvalid.unless(
            self.scores in get_args(Scores), expected="scores", choices=get_args(Scores), got=self.scores
        )
        ManifestInvalid.unless(
            len(self.labels) >= 2 and len(set(self.labels)) == len(self.labels),
            expected="at least two labels, all different",
            got=self.labels,
        )
        ManifestInvalid.unless(
            all(map(_LABEL.fullmatch, self.labels)),
            expected="labels that are one line of text without control characters",
            got=self.labels,
        )
        unknown = (set(self.decision.background) | {each.label for each in self.decision.thresholds}) - set(self.labels)
        ManifestInvalid.unless(
            not unknown, expected="background and threshold labels that are labels", got=sorted(unknown)
        )
        names = [value.name for value in self.values]
        ManifestInvalid.unless(len(set(names)) == len(names), expected="values of different names", got=names)
        _join(self)

    @property
    def seen_frames(self) -> int:
        """Frames in the first part's input: `lookback + 1`, or the whole window for plan "stack"."""
        return self.window.frames if self.plan == "stack" else self.lookback + 1

    @property
    def files(self) -> tuple[str, ...]:
        """Every `.tflite` member, in the order of the parts, a twin behind its part."""
        return tuple(file for part in self.parts for file in (part.file, part.edgetpu) if file)

    @property
    def steps(self) -> int:
        """Features in the head's window: one for each position of the encoder in a window."""
        return self.window.frames - self.lookback

    @property
    def in_flight(self) -> bool:
        """Whether the head moves all windows that have begun by one step a frame, instead of running over a ring of features."""
        return self.plan == "window" and len(self.parts[-1].inputs) > 1

    def part(self, role: Role) -> Part:
        """Give the part with a role.

        Args:
            role: One of the plan's roles.

        Returns:
            The part.
        """
        return next(part for part in self.parts if part.role == role)


def from_json(data: object) -> Manifest:
    """Read a manifest from parsed JSON.

    Args:
        data: What `json.loads` gave.

    Returns:
        The manifest.

    Raises:
        ManifestInvalid: A field is missing, unknown, of a wrong type or has an illegal value.
        PartsDoNotJoin: Shapes or types of the parts do not fit.
    """
    return schema.from_json(Manifest, data, "manifest")


def _join(manifest: Manifest) -> None:
    """Refuse parts whose tensors do not fit the manifest or each other."""
    roles = tuple(part.role for part in manifest.parts)
    ManifestInvalid.unless(
        roles == PLAN_ROLES[manifest.plan],
        expected=f"parts {PLAN_ROLES[manifest.plan]} for plan {manifest.plan!r}",
        got=roles,
    )
    files = manifest.files
    ManifestInvalid.unless(
        len(set(files)) == len(files) and all(map(_FILE.fullmatch, files)),
        expected="a .tflite file of its own for each part",
        got=files,
    )
    floating = [part.edgetpu for part in manifest.parts if part.edgetpu and part.precision != "int8"]
    ManifestInvalid.unless(not floating, expected="an Edge TPU twin for parts in int8 only", got=floating)
    ManifestInvalid.unless(
        0 <= manifest.lookback < manifest.window.frames,
        expected="a lookback of 0 to window - 1 frames",
        got=manifest.lookback,
    )
    ManifestInvalid.unless(
        manifest.plan != "stack" or manifest.lookback == 0,
        expected="no lookback for plan 'stack', which sees the whole window",
        got=manifest.lookback,
    )
    first, last = manifest.parts[0], manifest.parts[-1]
    _fit("the frame input", (1, *_stacked(manifest.seen_frames, manifest.input.shape)), first.inputs)
    _fit_count("inputs of the first part", 1, len(first.inputs))
    if manifest.plan != "stack":
        _fit_count("outputs of the encoder", 1, len(first.outputs))
        features = first.outputs[0].shape[1:]
        ring = manifest.plan == "window" and not manifest.in_flight
        _fit("the features", (1, manifest.steps, *features) if ring else (1, *features), last.inputs)
    if manifest.plan == "stateful" or manifest.in_flight:
        _join_states(manifest, last)
    else:
        _fit_count("inputs of the last part", 1, len(last.inputs))
        _fit_count("outputs of the last part", 1 + len(manifest.values), len(last.outputs))
    for what, size, tensors in (("the scores", _width(manifest, last), last.outputs), *_named_values(manifest, last)):
        _fit(what, (1, manifest.steps, size) if manifest.in_flight else (1, size), tensors)


def _width(manifest: Manifest, last: Part) -> int:
    """Numbers that the last part gives for the labels: one each, or one for two labels of which the score says the second's."""
    one = (
        manifest.scores.startswith("sigmoid")
        and len(manifest.labels) == 2
        and last.outputs != ()
        and last.outputs[0].shape[-1] == 1
    )
    return 1 if one else len(manifest.labels)


def _named_values(manifest: Manifest, last: Part) -> list[tuple[str, int, tuple[Tensor, ...]]]:
    return [
        (f"the value {value.name!r}", value.size, last.outputs[place:])
        for place, value in enumerate(manifest.values, start=1)
    ]


def _join_states(manifest: Manifest, last: Part) -> None:
    """Refuse states that do not go back in as they came out, or that are not one a window in flight."""
    own = 1 + len(manifest.values)
    for before, after in zip(last.inputs[1:], last.outputs[own:], strict=False):
        _fit("a state", before.shape, (after,))
        if manifest.in_flight:
            _fit("a state of windows in flight", (1, manifest.steps, *before.shape[2:]), (before,))
    _fit_count("scores, values and states", len(last.inputs) + len(manifest.values), len(last.outputs))


def _stacked(count: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if count == 1 else (count, *shape)


def _fit(what: str, expected: tuple[int, ...], tensors: tuple[Tensor, ...]) -> None:
    got = tensors[0].shape if tensors else None
    if got != expected:
        raise PartsDoNotJoin(expected=f"{what} to have shape {expected}", got=got, found=f"{got}")


def _fit_count(what: str, expected: int, got: int) -> None:
    if expected != got:
        raise PartsDoNotJoin(expected=f"{expected} {what}", got=got, found=f"{got}")
