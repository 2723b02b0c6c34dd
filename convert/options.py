"""The options of `edgevid convert`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from edgevid.bundle.framing import Follow, FramingChoice
from edgevid.bundle.manifest import Plan
from edgevid.errors import UsageError
from edgevid.events.rule import ClassThresholds
from edgevid.frames import Color
from edgevid.frames.keypoint_rows import Keypoints, Normalise
from edgevid.frames.orientation import Flip, Rotation
from edgevid.frames.preprocess import Interpolation, ResizeRule
from edgevid.frames.region import Region
from edgevid.frames.sampling import MIN_INTERVAL_S

# The value of `interval` for T frames at equal steps over each clip.
UNIFORM = "uniform"
XNNPACK, CORAL = "xnnpack", "coral"
DELEGATES = (XNNPACK, CORAL)
# Passes over the clips with which a pruned model is fine-tuned.
PRUNE_EPOCHS = 30
# A camera at one frame a minute: longer intervals are typing errors, such as milliseconds.
_MAX_INTERVAL_S = 60


@dataclass(frozen=True, kw_only=True)
class FramingOptions:
    """What a model sees of the pictures. None leaves it to what training left in the model file.

    Attributes:
        rotate: Degrees clockwise by which pictures are turned: 0, 90, 180 or 270.
        flip: "horizontal", "vertical", "both" or "none", after that.
        region: (x, y, width, height) of the turned pictures: in shares of them with a float, else in pixels.
        mask: Polygons (x1, y1, x2, y2, x3, y3, ...) of them, outside of which all is black.
        follow: "person" for a square around a person in that part, or "none".

    Raises:
        UsageError: A value is not legal.
    """

    rotate: Rotation | None = None
    flip: Flip | None = None
    region: tuple[float, ...] | None = None
    mask: tuple[tuple[float, ...], ...] = ()
    follow: Follow | None = None

    def __post_init__(self) -> None:
        _ = self.framing

    @property
    def framing(self) -> FramingChoice:
        """All five."""
        region = Region(box=self.region, masks=self.mask) if self.region or self.mask else None
        return FramingChoice(rotate=self.rotate, flip=self.flip, region=region, follow=self.follow)


@dataclass(frozen=True, kw_only=True)
class Options(FramingOptions):
    """The options of a conversion, one for each option of `edgevid convert`.

    None leaves a choice to the model file, to what training left in it, or to the default.

    Attributes:
        labels: Text file with one label a line, in the order of the scores.
        color: Order of the channels in training: "rgb", "bgr" or "gray".
        range: The numbers that pixels 0 and 255 were in training.
        resize: "stretch", "crop" or "letterbox".
        interpolation: OpenCV's name in lower case, such as "linear".
        interval: Seconds between frames, or "uniform" for equal steps over each clip.
        frames: Length of the window, of a model that leaves it open.
        axes: Meaning of the input's axes, one of `convert.interface.axes.AXES`.
        scores: Name or number of the output that holds the scores, of a model with several.
        scores_only: Drop the other outputs.
        look_ahead: Frames between the newest and the one whose answer is delivered, of a model with an
            answer for each frame of the window; each has seen so many frames after it.
        regression: Deliver the numbers of the output `scores` as values; the bundle names no class.
        max_value_error: Limit for the mean error of each other output, as a share (0 to 1) of its
            span on the clips.
        frame_size: (height, width) in pixels, of a model that accepts frames of any size.
        plan: "auto", "window", "stateful" or "stack".
        precision: "auto" or the name of a recipe.
        target: Processor whose int8 kernels the encoder is optimised for, one of
            `convert.quantization.space_to_depth.targets`.
        measure_on: "host", or a host for ssh: every recipe within the budget is timed there, and the
            fastest is taken. None takes the first within the budget.
        max_drop: Limit for the loss of top-1 accuracy, in points (0 to 100).
        min_agreement: Least share (0 to 1) of clips on which bundle and trained model agree.
        prune: Share (0 to 1) of the encoder's multiply-accumulates that may be left: channels are removed, and
            what is left is fine-tuned to the trained model's answers on a part of the clips. None removes none.
        prune_epochs: With `prune`, passes over these clips; None for 30.
        streams: Folder of long recordings on which events are compared too; None for none.
        truth: What happens in them, a table of events; needs `streams`.
        max_missed_events: Limit for the events that the trained model finds and the bundle does not;
            None for no limit. Needs `streams`.
        max_extra_false_per_hour: Limit for the false alarms an hour beyond those of the trained model;
            None for no limit. Needs `streams`.
        keypoints: Key points of pictures that make the rows of a model of features: "pose", "hands" or
            "holistic"; the bundle names them. None for other rows.
        normalise: With `keypoints`, their normalisation in training: "none", "hip", "box" or "wrist".
        background: Labels that never start an event.
        thresholds: Thresholds of single classes.
        unknown_below: Decisions with a lower top score name no class.
        name: Name in the bundle's manifest; None for the name of the model file.
        allow_code: Load Lambda layers, which run code from the model file.
        custom_objects: Python file that defines the model's own layers and functions; it is run.
        weights: The HDF5 file of the weights, of a model that is a description in JSON.
        states: Pairs of an input's and an output's name, for the states of a `.tflite` stream that
            their names and shapes do not pair.
        initial_states: `.npz` file with the values that states of a `.tflite` stream start with.
        report: The HTML report; None for a file next to the bundle.
        videos: Folder that a list's paths are relative to; None for the folder of the list.
        fps: Pictures per second in folders of pictures; None assumes 25, or the rate of a data set.
        delegate: "xnnpack" or "coral", whose placement of operators is printed. "coral" also
            compiles the first part for the Edge TPU.
    """

    labels: Path | None = None
    color: Color | None = None
    range: tuple[float, float] | None = None
    resize: ResizeRule | None = None
    interpolation: Interpolation | None = None
    interval: float | str | None = None
    frames: int | None = None
    axes: str | None = None
    scores: str | None = None
    scores_only: bool = False
    look_ahead: int = 0
    regression: bool = False
    max_value_error: float = 0.05
    frame_size: tuple[int, int] | None = None
    plan: Plan | str = "auto"
    precision: str = "auto"
    target: str = "any"
    measure_on: str | None = None
    max_drop: float = 1.0
    min_agreement: float = 0.98
    prune: float | None = None
    prune_epochs: int | None = None
    streams: Path | None = None
    truth: Path | None = None
    max_missed_events: int | None = None
    max_extra_false_per_hour: float | None = None
    keypoints: Keypoints | None = None
    normalise: Normalise = "none"
    background: tuple[str, ...] | None = None
    thresholds: tuple[ClassThresholds, ...] | None = None
    unknown_below: float | None = None
    name: str | None = None
    allow_code: bool = False
    custom_objects: Path | None = None
    weights: Path | None = None
    states: tuple[tuple[str, str], ...] | None = None
    initial_states: Path | None = None
    report: Path | None = None
    videos: Path | None = None
    fps: float | None = None
    delegate: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        UsageError.unless(
            self.range is None or self.range[0] < self.range[1],
            expected="a --range LOW,HIGH with LOW below HIGH",
            got=self.range,
        )
        UsageError.unless(0 <= self.max_drop <= 100, expected="--max-drop in points, 0 to 100", got=self.max_drop)
        UsageError.unless(
            0 <= self.min_agreement <= 1, expected="--min-agreement as a share, 0 to 1", got=self.min_agreement
        )
        UsageError.unless(self.frames is None or self.frames >= 1, expected="--frames of at least 1", got=self.frames)
        UsageError.unless(
            self.frame_size is None or min(self.frame_size) >= 1,
            expected="--frame-size HEIGHT,WIDTH of at least 1,1",
            got=self.frame_size,
        )
        UsageError.unless(
            0 <= self.max_value_error <= 1, expected="--max-value-error as a share, 0 to 1", got=self.max_value_error
        )
        UsageError.unless(
            self.delegate in (None, *DELEGATES), expected="--delegate", choices=DELEGATES, got=self.delegate
        )
        UsageError.unless(
            self.keypoints is not None or self.normalise == "none",
            expected="--keypoints with --normalise",
            found="none",
        )
        self._check_events()
        self._check_pruning()

    def _check_pruning(self) -> None:
        """Reject options of pruning that mean nothing."""
        if self.prune is None:
            UsageError.unless(
                self.prune_epochs is None, expected="--prune SHARE with --prune-epochs", got=self.prune_epochs
            )
            return
        # Written so that NaN fails too.
        UsageError.unless(0 < self.prune < 1, expected="--prune as a share between 0 and 1", got=self.prune)
        UsageError.unless(
            self.prune_epochs is None or self.prune_epochs >= 1,
            expected="--prune-epochs of at least 1",
            got=self.prune_epochs,
        )
        UsageError.unless(not self.regression, expected="a model of classes for --prune", got="--regression")

    def _check_events(self) -> None:
        """Reject a budget of events that cannot be measured."""
        if self.streams is None:
            names = ("truth", "max_missed_events", "max_extra_false_per_hour")
            given = [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]
            UsageError.unless(not given, expected="--streams DIR with options of its events", got=", ".join(given))
            return
        UsageError.unless(self.truth is not None, expected="--truth EVENTS.csv with --streams", found="none")
        UsageError.unless(not self.regression, expected="a model of classes for --streams", got="--regression")
        missed, extra = self.max_missed_events, self.max_extra_false_per_hour
        UsageError.unless(missed is None or missed >= 0, expected="--max-missed-events of 0 or more", got=missed)
        UsageError.unless(
            extra is None or 0 <= extra < math.inf,
            expected="--max-extra-false-per-hour of 0 or more",
            got=extra,
        )


def seconds(interval: float | str) -> float:
    """Parse a sampling interval.

    Args:
        interval: A number of seconds, as a number or as text.

    Raises:
        UsageError: The interval is not a number, or out of range.
    """
    try:
        value = float(interval)
    except ValueError:
        value = 0.0
    # Written so that NaN fails too.
    UsageError.unless(
        MIN_INTERVAL_S <= value <= _MAX_INTERVAL_S,
        expected=f"--interval in seconds ({MIN_INTERVAL_S} to {_MAX_INTERVAL_S}) or 'uniform'",
        got=interval,
    )
    return value
