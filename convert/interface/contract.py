"""Resolves the bundle's contract: labels, window, decision rule.

Options win over training metadata, and metadata over defaults. Each assumption becomes a note in
the report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from convert.clips import ClipSet
from convert.clips.row_checks import check_row_intervals
from convert.graph.layer_graph import LayerGraph
from convert.interface.input_frame import range_notes, resolve_keypoints
from convert.interface.scores import scores_of
from convert.interface.task import class_notes
from convert.interface.window_sampling import resolve_window, short_notes
from convert.options import FramingOptions, Options
from convert.training_info import TrainingInfo
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Scores, Value, Window
from edgevid.errors import ClipsError, UsageError
from edgevid.events.rule import ClassDelay, DecisionRule
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.frames.preprocess import InputSpec

# Labels of a bundle without classes: the first is constant, and none starts an event.
NO_CLASSES = ("value", "no value")


@dataclass(frozen=True)
class Contract:
    """The model's side of a bundle's manifest.

    Attributes:
        labels: One label for each class, in the order of the scores.
        input: The model's input frame.
        window: Length and sampling of the window.
        scores: Kind of the model's output.
        decision: Rule from scores to events.
        labelled: Whether the clips' classes are the model's, so that accuracy can be measured.
        notes: Assumptions, one line each.
        values: The outputs that are delivered with the scores.
        keypoints: Key points of pictures that make the rows of the input; None for other inputs.
        framing: What the model saw of the pictures in training.
    """

    labels: tuple[str, ...]
    input: InputSpec
    window: Window
    scores: Scores
    decision: DecisionRule
    labelled: bool
    notes: tuple[str, ...]
    values: tuple[Value, ...] = ()
    keypoints: KeypointRows | None = None
    framing: Framing = PLAIN


def resolve_contract(
    graph: LayerGraph,
    frames: int,
    *,
    spec: InputSpec,
    clips: ClipSet,
    options: Options,
    info: TrainingInfo | None,
    notes: tuple[str, ...] = (),
    loss: str = "",
    label_files: tuple[tuple[str, ...], ...] = (),
) -> Contract:
    """Resolve everything else that the bundle states about the model.

    Args:
        graph: The model.
        frames: Length of the window.
        spec: The input frame, from `resolve_input`.
        clips: The user's clips, for their classes and, with "uniform" sampling, their lengths.
        options: Options of the conversion.
        info: Training metadata, if the model file has any.
        notes: Earlier assumptions, which come first in the contract's notes.
        loss: Name of the loss of the scores; "" if the file holds none.
        label_files: Lines of each label file that the model file carries.

    Raises:
        UsageError: The labels file cannot be read or does not fit, or an option is out of range.
        ClipsError: Some of the clips' classes are the model's and some are not.
        ModelError: The model's output is not a vector of classes, or its loss is a regression's.
    """
    scores, width = scores_of(graph)
    task_notes = class_notes(scores, width, loss, options, info)
    # One sigmoid distinguishes two classes.
    labels, label_notes = _labels(max(width, 2), clips, options, info, label_files)
    window, window_notes = resolve_window(frames, clips.clips, options, info)
    if window.sampling != "uniform":
        check_row_intervals([clip.ref for clip in clips.clips] if spec.kind == "features" else [], window.interval_s)
    is_labelled, clip_notes = _labelled(labels, clips)
    return Contract(
        labels,
        spec,
        window,
        scores,
        _with_delays(_decision(labels, options, info), labels, graph, window),
        is_labelled,
        (
            *notes,
            *task_notes,
            *range_notes(graph, spec, options, info),
            *label_notes,
            *window_notes,
            *short_notes(window, clips.clips),
            *clip_notes,
            *framing_notes(options, PLAIN if info is None else info.framing),
        ),
        tuple(Value(name=each.name, size=each.size) for each in graph.values),
        resolve_keypoints(spec, options, info, clips.keypoints),
        resolve_framing(options, info),
    )


def resolve_framing(options: FramingOptions, info: TrainingInfo | None) -> Framing:
    """Return what the model sees of the pictures: what the options say, else what its training saw.

    Args:
        options: Options of the command.
        info: Training metadata, if the model file has any.
    """
    return options.framing.over(PLAIN if info is None else info.framing)


def framing_notes(options: FramingOptions, trained: Framing) -> tuple[str, ...]:
    """Return a note if the model sees of the pictures what its training saw.

    Args:
        options: Options of the command.
        trained: What the training saw.
    """
    used = options.framing.left_to(trained)
    return () if used.is_plain else (f"pictures are seen as in training: {used}",)


def _decision(labels: tuple[str, ...], options: Options, info: TrainingInfo | None) -> DecisionRule:
    rule = info.decision if info is not None else DecisionRule()
    # Options have to name the model's labels. Metadata is filtered instead: --labels may rename a
    # class.
    background = options.background
    if options.regression and background is None:
        background = labels
    if background is None:
        background = tuple(label for label in rule.background if label in labels)
    thresholds = options.thresholds
    if thresholds is None:
        thresholds = tuple(each for each in rule.thresholds if each.label in labels)
    for label in background:
        UsageError.unless(label in labels, expected="--background", choices=labels, got=label)
    for each in thresholds:
        UsageError.unless(each.label in labels, expected="--threshold", choices=labels, got=each.label)
    unknown_below = rule.unknown_below if options.unknown_below is None else options.unknown_below
    delays = tuple(each for each in rule.delays if each.label in labels)
    return replace(rule, background=background, thresholds=thresholds, unknown_below=unknown_below, delays=delays)


def _with_delays(rule: DecisionRule, labels: tuple[str, ...], graph: LayerGraph, window: Window) -> DecisionRule:
    """State how late the answer of a single frame is: not half of a window, as that of a whole one."""
    maker = next((call for call in graph.calls if graph.output in call.outputs), None)
    behind = getattr(getattr(maker, "layer", None), "frames_behind", None)
    if behind is None:
        return rule
    measured, late_s = {each.label for each in rule.delays}, behind * window.interval_s
    stated = [ClassDelay(label=each, start_s=late_s, end_s=late_s) for each in labels if each not in measured]
    return replace(rule, delays=(*rule.delays, *stated))


def _labels(
    count: int,
    clips: ClipSet,
    options: Options,
    info: TrainingInfo | None,
    label_files: tuple[tuple[str, ...], ...],
) -> tuple[tuple[str, ...], list[str]]:
    if options.regression:
        UsageError.unless(options.labels is None, expected="no --labels with --regression", got=str(options.labels))
        return NO_CLASSES, []
    if options.labels is not None:
        return _read_labels(options.labels, count), []
    if info is not None and len(info.labels) == count:
        return info.labels, []
    carried = [lines for lines in label_files if len(lines) == len(set(lines)) == count]
    if len(carried) == 1:
        return carried[0], ["labels read from the model file's metadata"]
    if len(clips.labels) == count:
        return clips.labels, [
            f"labels read from the folders' names in sorted order: {', '.join(clips.labels)}; "
            "pass --labels FILE if training ordered them otherwise"
        ]
    return tuple(f"class_{index}" for index in range(count)), [
        f"the model's {count} labels are unknown; pass --labels FILE"
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


def _labelled(labels: tuple[str, ...], clips: ClipSet) -> tuple[bool, list[str]]:
    """Return whether accuracy can be measured, with a note if it cannot."""
    classes, known = set(clips.labels), set(labels)
    if classes and classes <= known:
        return True, []
    if classes & known:
        strangers = ", ".join(sorted(classes - known))
        raise ClipsError(
            expected=f"the clips' classes to be the model's ({', '.join(labels)})",
            got=strangers,
            found=strangers,
            hint="Rename or remove these folders.",
        )
    return False, ["the clips' classes are not the model's: agreement is counted, not accuracy"]
