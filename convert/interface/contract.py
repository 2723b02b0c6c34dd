"""What the device must know and a model file cannot say: settled once, from the options, from what training left in the file, or by custom.

Options win over the file. What is assumed is said, as a note that the report carries.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convert.clips import Clip, ClipSet
from convert.graph.layer_graph import LayerGraph
from convert.interface.pixel_range import takes_bytes
from convert.interface.scores import scores_of
from convert.options import UNIFORM, Options, seconds
from convert.training_info import TrainingInfo
from edgevid.bundle.manifest import Sampling, Scores, Value, Window
from edgevid.errors import ClipsError, ModelError, UsageError
from edgevid.events.rule import DecisionRule
from edgevid.frames import Color
from edgevid.frames.preprocess import InputSpec
from edgevid.frames.sampling import MIN_INTERVAL_S

BYTES = (0.0, 255.0)
_CHANNEL_COLORS: dict[int, tuple[Color, ...]] = {1: ("gray",), 3: ("rgb", "bgr")}


@dataclass(frozen=True)
class Contract:
    """What the bundle will say of the model.

    Attributes:
        labels: One a class.
        input: What it expects of a frame.
        window: Its view of time.
        scores: What its output is.
        decision: How scores become events.
        labelled: Whether the clips' classes are the model's, so that accuracy means something.
        notes: What was assumed.
        values: What it gives beside its scores.
    """

    labels: tuple[str, ...]
    input: InputSpec
    window: Window
    scores: Scores
    decision: DecisionRule
    labelled: bool
    notes: tuple[str, ...]
    values: tuple[Value, ...] = ()


def input_spec(
    graph: LayerGraph, frame_shape: tuple[int, ...], options: Options, info: TrainingInfo | None
) -> InputSpec:
    """Settle what the model expects of a frame.

    Args:
        graph: The model; one that divides by 255 itself takes pixels as they are.
        frame_shape: (H, W, C) or (F,).
        options: What was said.
        info: What training left.

    Returns:
        The specification.

    Raises:
        UsageError: A color that does not go with the channels.
        ModelError: Frames with another number of channels than 1 or 3.
    """
    if len(frame_shape) == 1:
        return InputSpec(kind="features", height=1, width=1, channels=frame_shape[0], color="none")
    height, width, channels = frame_shape
    if channels not in _CHANNEL_COLORS:
        raise ModelError(
            expected="frames of 1 or 3 channels, channels last", got=frame_shape, found=f"shape {frame_shape}"
        )
    legal = _CHANNEL_COLORS[channels]
    known = info is not None and info.input.shape == frame_shape
    custom = InputSpec(
        height=height, width=width, channels=channels, color=legal[0], range=BYTES if takes_bytes(graph) else (0.0, 1.0)
    )
    given = info.input if info is not None and known else custom
    if options.color is not None and options.color not in legal:
        raise UsageError(
            expected=f"--color {' or '.join(legal)} for a model of {channels} channel(s)",
            got=options.color,
            found=f"{options.color}",
        )
    said = {
        "color": options.color,
        "range": options.range,
        "resize": options.resize,
        "interpolation": options.interpolation,
    }
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    return replace(given, **changes)


def contract(
    graph: LayerGraph,
    frames: int,
    *,
    spec: InputSpec,
    clips: ClipSet,
    options: Options,
    info: TrainingInfo | None,
    notes: tuple[str, ...] = (),
) -> Contract:
    """Settle the rest.

    Args:
        graph: The model.
        frames: Its window.
        spec: Its frames.
        clips: The user's clips, for their classes and, with "uniform" sampling, their lengths.
        options: What was said.
        info: What training left.
        notes: What was assumed before.

    Returns:
        The contract.

    Raises:
        UsageError: A labels file that is not there, or an illegal interval.
        ClipsError: Some of the clips' classes are the model's and some are not.
        ModelError: The model's output is no list of classes.
    """
    scores, width = scores_of(graph)
    said = [*notes, *_range_notes(graph, spec, options, info)]
    labels, assumed = _labels(max(width, 2), clips, options, info)
    said += assumed
    window, assumed = _window(frames, clips.clips, options, info)
    said += assumed
    labelled = _labelled(labels, clips, said)
    values = tuple(Value(name=each.name, size=each.size) for each in graph.values)
    return Contract(labels, spec, window, scores, _decision(labels, options, info), labelled, tuple(said), values)


def _range_notes(graph: LayerGraph, spec: InputSpec, options: Options, info: TrainingInfo | None) -> list[str]:
    if spec.kind == "features" or info is not None or not takes_bytes(graph):
        return []
    if options.range is None:
        return [
            "pixels are given as 0 to 255, because the model scales them itself; give --range LOW,HIGH if training scaled them before"
        ]
    low, high = options.range
    return (
        []
        if options.range == BYTES
        else [
            f"the model scales pixels itself, and is given {low:g} to {high:g}: make sure that training scaled them twice"
        ]
    )


def _decision(labels: tuple[str, ...], options: Options, info: TrainingInfo | None) -> DecisionRule:
    rule = info.decision if info is not None else DecisionRule()
    background = (
        options.background
        if options.background is not None
        else tuple(label for label in rule.background if label in labels)
    )
    thresholds = (
        options.thresholds
        if options.thresholds is not None
        else tuple(each for each in rule.thresholds if each.label in labels)
    )
    for label in background:
        UsageError.unless(label in labels, expected="--background", choices=labels, got=label)
    for each in thresholds:
        UsageError.unless(each.label in labels, expected=f"--threshold of one of {', '.join(labels)}", got=each.label)
    unknown_below = rule.unknown_below if options.unknown_below is None else options.unknown_below
    return replace(rule, background=background, thresholds=thresholds, unknown_below=unknown_below)


def _labels(
    count: int, clips: ClipSet, options: Options, info: TrainingInfo | None
) -> tuple[tuple[str, ...], list[str]]:
    if options.labels is not None:
        return _read_labels(options.labels, count), []
    if info is not None and len(info.labels) == count:
        return info.labels, []
    if len(clips.labels) == count:
        return clips.labels, [
            f"labels taken from the folders' names in sorted order: {', '.join(clips.labels)}; give --labels FILE if training ordered them otherwise"
        ]
    return tuple(f"class_{index}" for index in range(count)), [
        f"the model's {count} labels are unknown; give --labels FILE"
    ]


def _read_labels(path: Path, count: int) -> tuple[str, ...]:
    try:
        labels = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            expected="a text file with one label a line", found=f"{path}, which cannot be read: {error}", path=path
        ) from error
    if len(labels) != count or len(set(labels)) != count:
        raise UsageError(
            expected=f"{count} different labels for the model's outputs",
            got=len(labels),
            found=f"{len(set(labels))} in {path}",
            path=path,
        )
    return labels


def _labelled(labels: tuple[str, ...], clips: ClipSet, notes: list[str]) -> bool:
    found = set(clips.labels)
    if found and found <= set(labels):
        return True
    if found & set(labels):
        strangers = ", ".join(sorted(found - set(labels)))
        raise ClipsError(
            expected=f"the clips' classes to be the model's ({', '.join(labels)})",
            got=strangers,
            found=f"{strangers}",
            hint="Rename or remove these folders.",
        )
    notes.append("the clips' classes are not the model's: agreement is counted, not accuracy")
    return False


def _window(
    frames: int, clips: Sequence[Clip], options: Options, info: TrainingInfo | None
) -> tuple[Window, list[str]]:
    notes: list[str] = []
    interval = options.interval
    if interval is None and info is not None and info.window.frames == frames:
        return info.window, notes
    if interval is None:
        interval = UNIFORM
        notes.append(
            "sampling assumed to be uniform, as in the usual tutorials; give --interval SECONDS if training took frames a fixed time apart"
        )
    if interval != UNIFORM:
        return Window(frames=frames, interval_s=seconds(interval)), notes
    sampling: Sampling = "uniform"
    step_s = statistics.median(_uniform_step_s(clip, frames) for clip in clips)
    return Window(frames=frames, interval_s=round(step_s, 6), sampling=sampling), notes


def _uniform_step_s(clip: Clip, frames: int) -> float:
    count = len(clip.frames)
    step_s = clip.duration_s / count if count > 1 else 0.04
    return max(step_s * max(count // frames, 1), MIN_INTERVAL_S)
