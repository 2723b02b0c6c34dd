"""Wraps a stream that was converted elsewhere as a model of one part."""

from __future__ import annotations

import hashlib
from pathlib import Path

from convert.graph.arguments import positional
from convert.graph.layer_graph import Call, LayerGraph
from convert.loading.load import LoadedModel
from convert.options import Options
from convert.prebuilt import ITS_OWN_REFERENCE, PrebuiltModel, check_runs, precision_of
from convert.quantization.converter import ConvertedPart
from convert.splitting.split import PartFunction, Split
from convert.stream_file.initial import read_initial, zeros
from convert.stream_file.model import StreamModel
from convert.stream_file.pairs import StreamTensors, describe, find_pairs, frame_of, width_of
from edgevid.backends.litert import LiteRt
from edgevid.backends.survey import Survey
from edgevid.bundle.manifest import STATES
from edgevid.bundle.parts import Part
from edgevid.bundle.states import states_bytes
from edgevid.errors import ModelError, UsageError
from edgevid.quant import passes

FILE = "step.tflite"
# A stream has no window. So many frames of each clip are run unless --frames states another number.
FRAMES = 16


def is_stream(found: Survey) -> bool:
    """Return whether a file has inputs besides the frame, which then are states."""
    return len(found.inputs) > 1


def adopt_stream(found: Survey, path: Path, options: Options) -> PrebuiltModel:
    """Wrap a `.tflite` file with states as a model.

    Args:
        found: The file's survey.
        path: The file.
        options: `states`, `initial_states` and `frames` are used.

    Raises:
        UsageError: A stated pair or initial state does not fit, or `options.axes` is set.
        ModelError: The file cannot run on a device, a state has no partner, or frame or scores have
            another shape.
    """
    check_runs(found, path)
    UsageError.unless(
        options.axes is None, expected="no --axes for a stream, which takes one frame at a time", got=options.axes
    )
    data = path.read_bytes()
    inputs, outputs = LiteRt().describe(data, path.name)
    tensors = find_pairs(inputs, outputs, stated=options.states or (), file=str(path))
    frame, classes = _sizes(tensors, path)
    window = (options.frames or FRAMES, *frame)
    converted, model = _load(found, data, tensors, options)
    call = Call(model, (0,), (1,), positional((0,)), (None, classes))
    step = PartFunction("step", model.as_outputs, tuple(each.shape for each in converted.part.inputs))
    whole = PartFunction("whole", model.as_outputs, ((1, *window),))
    return PrebuiltModel(
        LoadedModel(model, "tflite", path, hashlib.sha256(data).hexdigest(), "a .tflite file"),
        LayerGraph((call,), 0, 1, window),
        Split(window[0], frame, 0, None, None, step, whole, (), ()),
        converted,
        tuple(_notes(tensors, options)),
    )


def _sizes(tensors: StreamTensors, path: Path) -> tuple[tuple[int, ...], int]:
    """Return the shape of a frame and the number of classes."""
    frame, classes = frame_of(tensors.frame), width_of(tensors.scores)
    if frame is None:
        raise ModelError(
            expected="a stream that takes one frame (H, W, 1 or 3) or row (F) at a time",
            found=f"{describe(tensors.frame.name, tensors.frame)} in {path}",
            path=path,
        )
    if classes is None:
        raise ModelError(
            expected="a classifier with an output of (classes)",
            found=f"{describe(tensors.scores.name, tensors.scores)} in {path}",
            path=path,
        )
    return frame, classes


def _load(found: Survey, data: bytes, tensors: StreamTensors, options: Options) -> tuple[ConvertedPart, StreamModel]:
    is_started = options.initial_states is not None
    part = Part(
        role="step",
        file=FILE,
        precision=precision_of(found),
        inputs=(tensors.frame, *(state.before for state in tensors.states)),
        outputs=(tensors.scores, *(state.after for state in tensors.states)),
        initial_states=STATES if is_started else "",
    )
    initial = zeros(tensors.states)
    if options.initial_states is not None:
        initial = read_initial(options.initial_states, tensors.states)
    converted = ConvertedPart(part, data, states_bytes(initial) if is_started else b"")
    return converted, StreamModel(converted, initial)


def _notes(tensors: StreamTensors, options: Options) -> list[str]:
    start = "as zeros" if options.initial_states is None else f"as {options.initial_states.name} says"
    notes = [
        ITS_OWN_REFERENCE,
        f"states ({len(tensors.states)}) are carried from frame to frame; they start {start}, and again after a gap",
    ]
    if tensors.by_shape:
        pairs = ", ".join(f"{before}={after}" for before, after in tensors.by_shape)
        notes.append(f"states paired by their shapes: {pairs}; pass --state INPUT=OUTPUT if they are others")
    moved = [state.name for state in tensors.states if not passes(state.after.params, state.before.params)]
    if moved:
        notes.append(
            f"states that come back on another grid than they go in ({', '.join(moved)}) are quantized again; "
            "a loop that feeds their bytes back answers otherwise"
        )
    if options.frames is None:
        notes.append(f"{FRAMES} frames of each clip are run; pass --frames N for as many as in training")
    return notes
