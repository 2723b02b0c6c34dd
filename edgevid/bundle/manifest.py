"""The manifest of a bundle: frozen dataclasses that reject impossible values, and their JSON.

`docs/reference/bundle-format.md` specifies each field. Reading is strict: an unknown field, a missing field
or a wrong type is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from edgevid import schema
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.parts import Part, Role
from edgevid.bundle.plans import PlanSizes, check_tensors
from edgevid.errors import ContractError, ManifestInvalid, UsageError
from edgevid.events.rule import DecisionRule
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.frames.preprocess import InputSpec
from edgevid.frames.sampling import MAX_INTERVAL_S, MIN_INTERVAL_S
from edgevid.schema import optional

Plan = Literal["window", "stateful", "stack"]
Scores = Literal["softmax", "logits", "sigmoid", "sigmoid_logits"]
Sampling = Literal["interval", "uniform"]
PLANS: tuple[Plan, ...] = get_args(Plan)
PLAN_ROLES: dict[Plan, tuple[Role, ...]] = {
    "window": ("encoder", "head"),
    "stateful": ("encoder", "step"),
    "stack": ("whole",),
}
# Plan "stateful" of a file that someone else converted: the step sees the frame itself.
ONE_STEP: tuple[Role, ...] = ("step",)

FORMAT = "edgevid-bundle"
VERSION = 1
MAX_FRAMES = 4096
MAX_VALUES = 4096
# A label is one line of `labels.txt` and is printed to terminals: no control characters, no line separators.
_LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# A plain member name (at most 100 characters, see `archive`) that ends in .tflite.
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,92}\.tflite")
# The only legal name of the member with initial states.
STATES = "states.npz"


@dataclass(frozen=True, kw_only=True)
class Window:
    """The frames that one decision sees.

    Attributes:
        frames: Frames in a window, as in training: 1 to `MAX_FRAMES`.
        interval_s: Time between two of them in seconds.
        sampling: "interval" if training took frames `interval_s` apart. "uniform" if it took frames
            at equal steps over whole clips; `interval_s` is then the median step of the clips used
            for the conversion.
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
            self.sampling in get_args(Sampling), expected="a sampling", choices=get_args(Sampling), got=self.sampling
        )

    @property
    def span_s(self) -> float:
        """Time from the first frame of a window to its last, in seconds."""
        return (self.frames - 1) * self.interval_s


@dataclass(frozen=True, kw_only=True)
class Value:
    """An output besides the scores, such as the corners of a box.

    Attributes:
        name: The model's name for this output.
        size: Number of values: 1 to `MAX_VALUES`.
    """

    name: str
    size: int

    def __post_init__(self) -> None:
        ManifestInvalid.unless(
            _LABEL.fullmatch(self.name) is not None,
            expected="a value's name as one line of text without control characters",
            got=self.name,
        )
        ManifestInvalid.unless(
            1 <= self.size <= MAX_VALUES, expected=f"a value of 1 to {MAX_VALUES} numbers", got=self.size
        )


@dataclass(frozen=True, kw_only=True)
class Member:
    """Size in bytes and SHA-256, in lower-case hexadecimal digits, of a member."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that a device needs to run a converted model.

    Attributes:
        name: Display name of the model.
        plan: Procedure from frames to scores: "window", "stateful" or "stack".
        labels: One label per class, in the order of the scores; at least two.
        window: The frames that one decision sees.
        input: Size, colour and range of one frame.
        lookback: Earlier frames in the encoder's input, 0 to `window.frames` - 1; the input has
            `lookback` + 1 frames.
        parts: The `.tflite` files, in the order they run.
        scores: Kind of the scores that the last part returns.
        decision: The rule from scores to events.
        values: Outputs of the last part besides its scores, in order.
        keypoints: Key points of pictures that make a row of the input; None for pictures and other rows.
        framing: What the model saw of the pictures of its training: turned, cut, around a person. A run
            shows it the same part, unless its user chooses another one.
        members: Size and hash of every other member, by name.
        versions: Versions of the software that made the bundle, by name; for people.
        provenance: Origin of the model, such as its file, hash and command; for people.
        format: Always `FORMAT`.
        version: Always `VERSION`.
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
    keypoints: KeypointRows | None = optional(None)  # noqa: RUF009  # it returns a field
    framing: Framing = optional(PLAIN)  # noqa: RUF009  # it returns a field
    members: Mapping[str, Member] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    format: str = FORMAT
    version: int = VERSION

    def __post_init__(self) -> None:
        ManifestInvalid.unless(self.plan in PLANS, expected="a plan", choices=PLANS, got=self.plan)
        ManifestInvalid.unless(
            self.scores in get_args(Scores), expected="a kind of scores", choices=get_args(Scores), got=self.scores
        )
        _check_labels(self)
        names = [value.name for value in self.values]
        ManifestInvalid.unless(len(set(names)) == len(names), expected="values of different names", got=names)
        _check_keypoints(self)
        _check_framing(self)
        _check_parts(self)
        _check_lookback(self)
        # Last: it relies on the roles and the lookback.
        check_tensors(self.parts, self._sizes())

    @property
    def seen_frames(self) -> int:
        """Frames in the first part's input: `lookback` + 1, or the whole window for plan "stack"."""
        return self.window.frames if self.plan == "stack" else self.lookback + 1

    @property
    def files(self) -> tuple[str, ...]:
        """The `.tflite` members in the order of the parts, each twin after its part."""
        return tuple(file for part in self.parts for file in (part.file, part.edgetpu) if file)

    @property
    def steps(self) -> int:
        """Features in a window: one per position of the encoder."""
        return self.window.frames - self.lookback

    @property
    def is_one_step(self) -> bool:
        """Whether plan "stateful" is one part: each frame and the states, to the scores and the next states."""
        return self.plan == "stateful" and len(self.parts) == 1

    @property
    def in_flight(self) -> bool:
        """Whether each frame advances all begun windows by one step, instead of a run over a ring of features."""
        return self.plan == "window" and len(self.parts[-1].inputs) > 1

    def _sizes(self) -> PlanSizes:
        frames, frame = self.seen_frames, self.input.shape
        return PlanSizes(
            plan="in flight" if self.in_flight else "one step" if self.is_one_step else self.plan,
            frame=frame if frames == 1 else (frames, *frame),
            steps=self.steps,
            labels=len(self.labels),
            is_sigmoid=self.scores.startswith("sigmoid"),
            values={value.name: value.size for value in self.values},
        )

    def part(self, role: Role) -> Part:
        """Return the part with a role.

        Args:
            role: One of the plan's roles, see `PLAN_ROLES` and `ONE_STEP`.
        """
        return next(part for part in self.parts if part.role == role)


def from_json(data: object) -> Manifest:
    """Build a manifest from parsed JSON.

    Args:
        data: The value that `json.loads` returned.

    Raises:
        ManifestInvalid: If a field is missing, unknown, of a wrong type or has an illegal value.
        PartsDoNotJoin: If the tensors of the parts do not match.
    """
    return schema.from_json(Manifest, data, "manifest")


def _check_labels(manifest: Manifest) -> None:
    labels, decision = manifest.labels, manifest.decision
    ManifestInvalid.unless(
        len(labels) >= 2 and len(set(labels)) == len(labels),
        expected="at least two labels, all different",
        got=labels,
    )
    ManifestInvalid.unless(
        all(map(_LABEL.fullmatch, labels)),
        expected="labels that are one line of text without control characters",
        got=labels,
    )
    named = {*(each.label for each in decision.thresholds), *(each.label for each in decision.delays)}
    unknown = {*decision.background, *named} - set(labels)
    ManifestInvalid.unless(
        not unknown,
        expected="labels of background, thresholds and delays that are among the labels",
        got=sorted(unknown),
    )


def _check_keypoints(manifest: Manifest) -> None:
    if manifest.keypoints is None:
        return
    ManifestInvalid.unless(
        manifest.input.kind == "features", expected="key points for an input of features only", got=manifest.input.kind
    )
    try:
        manifest.keypoints.check(manifest.input.channels)
    except ContractError as error:
        raise ManifestInvalid(str(error), expected=error.expected, got=error.got) from error


def _check_framing(manifest: Manifest) -> None:
    ManifestInvalid.unless(
        manifest.framing.is_plain or manifest.input.kind == "frames",
        expected="a framing of pictures only",
        got=manifest.input.kind,
    )
    try:
        manifest.framing.check_shares()
    except UsageError as error:
        raise ManifestInvalid(str(error), expected=error.expected, got=error.got) from error


def _check_parts(manifest: Manifest) -> None:
    roles = tuple(part.role for part in manifest.parts)
    ManifestInvalid.unless(
        roles == PLAN_ROLES[manifest.plan] or (manifest.plan == "stateful" and roles == ONE_STEP),
        expected=f"parts {PLAN_ROLES[manifest.plan]} for plan {manifest.plan!r}",
        got=roles,
    )
    files = manifest.files
    ManifestInvalid.unless(
        len(set(files)) == len(files) and all(map(_FILE.fullmatch, files)),
        expected="a .tflite file of its own for each part",
        got=files,
    )
    initial = {part.initial_states for part in manifest.parts if part.initial_states}
    ManifestInvalid.unless(initial <= {STATES}, expected=f"initial states in {STATES}", got=sorted(initial))
    # The Edge TPU compiler takes int8 models only.
    twins = [part.edgetpu for part in manifest.parts if part.edgetpu and part.precision != "int8"]
    ManifestInvalid.unless(not twins, expected="an Edge TPU twin for parts in int8 only", got=twins)


def _check_lookback(manifest: Manifest) -> None:
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
