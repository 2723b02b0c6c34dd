"""What a person may say of a conversion: the options of `edgevid convert`, one to one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevid.bundle.manifest import Plan
from edgevid.errors import UsageError
from edgevid.events.rule import ClassThresholds
from edgevid.frames import Color
from edgevid.frames.preprocess import Interpolation, ResizeRule
from edgevid.frames.sampling import MIN_INTERVAL_S

UNIFORM = "uniform"


XNNPACK, CORAL = "xnnpack", "coral"


DELEGATES = (XNNPACK, CORAL)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person may say of a conversion; None means not said.

    Attributes:
        labels: File with one label a line.
        color: "rgb", "bgr" or "gray".
        range: What pixels 0 and 255 were in training.
        resize: "stretch", "crop" or "letterbox".
        interpolation: OpenCV's name, lower case.
        interval: Seconds between frames, or "uniform".
        frames: Window of a model that leaves it open.
        axes: What the axes of its input are, one of `convert.interface.axes.AXES`.
        scores: Name or number of the output that gives the scores, of several.
        scores_only: Leave the other outputs out.
        max_value_error: Greatest mean error of a value beside the scores, as a share of the trained model's span on the clips.
        frame_size: (height, width) of a model that takes frames of any size.
        plan: "auto" or a plan.
        precision: "auto" or a recipe's name.
        target: Processor whose int8 kernels the encoder is laid out for; one of `convert.quantization.space_to_depth.targets`.
        max_drop: Accuracy that may be lost, in points of top-1.
        min_agreement: Least share of clips with the trained model's answer.
        background: Labels that are never events.
        thresholds: Classes with thresholds of their own.
        unknown_below: Score below which a decision names no class.
        name: What the bundle is called.
        allow_code: Load Lambda layers.
        custom_objects: Python file that defines the model's own layers.
        report: Where to write the page; beside the bundle where None.
        delegate: What to tell of beyond the report: "xnnpack" or "coral"; "coral" also makes the first part's twin for the Edge TPU.
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
    max_value_error: float = 0.05
    frame_size: tuple[int, int] | None = None
    plan: Plan | str = "auto"
    precision: str = "auto"
    target: str = "any"
    max_drop: float = 1.0
    min_agreement: float = 0.98
    background: tuple[str, ...] | None = None
    thresholds: tuple[ClassThresholds, ...] | None = None
    unknown_below: float | None = None
    name: str | None = None
    allow_code: bool = False
    custom_objects: Path | None = None
    report: Path | None = None
    delegate: str | None = None

    def __post_init__(self) -> None:
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


def seconds(interval: float | str) -> float:
    """Read a sampling interval.

    Args:
        interval: What was said.

    Returns:
        Seconds.

    Raises:
        UsageError: It is no number, or out of range.
    """
    try:
        value = float(interval)
    except ValueError:
        value = 0.0
    if not MIN_INTERVAL_S <= value <= 60:
        raise UsageError(expected=f"--interval in seconds ({MIN_INTERVAL_S} to 60) or 'uniform'", got=interval)
    return value
