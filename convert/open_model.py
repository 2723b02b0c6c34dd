"""Opens a model file: a trained model, which is split, or a `.tflite` file, which stays whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.graph.layer_graph import LayerGraph
from convert.interface.task import loss_of
from convert.interface.window_to_scores import ArrangedModel, WindowModel, arrange
from convert.loading.load import LoadedModel, load
from convert.options import Options
from convert.prebuilt import FileReference, PassthroughConverter, PrebuiltModel, adopt
from convert.precision.recipes import Recipe
from convert.quantization.converter import Converter
from convert.quantization.converter_protocol import PartConverter
from convert.splitting.split import Split, split
from convert.stream_file.adopt import adopt_stream, is_stream
from convert.stream_file.model import StreamReference
from convert.tflite_file import check_whole
from convert.tflite_labels import read_label_files
from convert.verification.reference import Reference
from convert.verification.reference_answers import ReferenceAnswers
from edgevid.backends.survey import is_tflite, survey
from edgevid.bundle.manifest import Scores
from edgevid.errors import UsageError
from edgevid.frames.preprocess import InputSpec

# Names of the trained model's own answers in the proof, by framework.
_ORIGINALS = {
    "keras": "float Keras",
    "tf_keras": "float Keras",
    "tensorflow": "float Keras",
    "onnx": "ONNX Runtime",
}


@dataclass(frozen=True)
class OpenedModel:
    """A model that is ready to be converted.

    Attributes:
        trained: The loaded model.
        graph: The model's calls, from one window to one vector of scores.
        parts: The model, split.
        converter: Converts the parts; usable while the model is open.
        reference: From parts, input frame and kind of the scores to the answers that every stage is
            compared with.
        notes: Assumptions about the model, one line each.
        recipes: The only precision of a file that is converted already; None for a trained model.
        loss: Name of the loss of the scores; "" if the file holds none.
        label_files: Lines of each label file that a `.tflite` file carries.
        ask: The trained model, from windows to scores; None for a file that is converted already.
    """

    trained: LoadedModel
    graph: LayerGraph
    parts: Split
    converter: PartConverter
    reference: Callable[[Split, InputSpec, Scores], ReferenceAnswers]
    notes: tuple[str, ...]
    recipes: tuple[Recipe, ...] | None = None
    loss: str = ""
    label_files: tuple[tuple[str, ...], ...] = ()
    ask: WindowModel | None = None


def open_model(path: Path, options: Options) -> AbstractContextManager[OpenedModel]:
    """Open a model file or folder, whose content decides how.

    Args:
        path: Any model file or folder.
        options: Options of the conversion.

    Returns:
        A context manager that loads the model when it is entered and stops its converter when it is
        left. Entering raises a UsageError if there is no such file or an option does not fit the
        model, and a ModelError if the model cannot be loaded, crashes its process or cannot be
        converted.
    """
    return open_prebuilt(path, options) if is_tflite(path) else open_trained(path, options)


@contextmanager
def open_prebuilt(path: Path, options: Options) -> Iterator[OpenedModel]:
    """Open a `.tflite` file that was converted elsewhere.

    Args:
        path: The file.
        options: Only the window's axes and length, and those of a stream's states, are used.

    Yields:
        The file as a model in one part.

    Raises:
        UsageError: `options.regression`, `options.weights`, `options.prune` or `options.look_ahead` is set.
        ModelError: The file is damaged, cannot run on a device, or is not a classifier of one
            window or frame.
    """
    # A damaged file can pass a trial run in a child process and crash this one later
    # (tflite-runtime 2.14).
    check_whole(path.read_bytes(), str(path))
    UsageError.unless(
        not options.regression,
        expected="a trained model for --regression",
        found=f"a .tflite file, which is used unchanged: {path}",
        hint="Convert the trained model (.keras, .h5 or SavedModel) with --regression.",
    )
    UsageError.unless(
        options.weights is None,
        expected="a model's description (.json) as MODEL with --weights",
        found=f"a .tflite file, which has its weights: {path}",
    )
    UsageError.unless(
        options.look_ahead == 0,
        expected="a trained model for --look-ahead",
        found=f"a .tflite file, which is used unchanged: {path}",
    )
    UsageError.unless(
        options.prune is None,
        expected="a trained model for --prune",
        found=f"a .tflite file, which is used unchanged: {path}",
    )
    prebuilt, reference = _adopt(path, options)
    precision = prebuilt.part.part.precision
    yield OpenedModel(
        prebuilt.loaded,
        prebuilt.graph,
        prebuilt.parts,
        PassthroughConverter(prebuilt.part),
        lambda _parts, spec, kind: reference(prebuilt.loaded.model, spec, kind),
        prebuilt.notes,
        (Recipe("as it is", precision, precision),),
        label_files=read_label_files(path),
    )


def _adopt(path: Path, options: Options) -> tuple[PrebuiltModel, type[FileReference]]:
    found = survey(path)
    if is_stream(found):
        return adopt_stream(found, path, options), StreamReference
    UsageError.unless(
        options.states is None and options.initial_states is None,
        expected="no --state and no --initial-states",
        found=f"a file of one input, which has no states: {path}",
    )
    return adopt(found, path, axes=options.axes, frames=options.frames), FileReference


@contextmanager
def open_trained(path: Path, options: Options) -> Iterator[OpenedModel]:
    """Open a trained model and split it.

    Args:
        path: A `.keras`, `.h5` or `.onnx` file, a SavedModel folder, or a description for `options.weights`.
        options: Options of the conversion.

    Yields:
        The model.

    Raises:
        UsageError: There is no such file, or an option does not fit the model.
        ModelError: The model cannot be loaded, crashes its process, or cannot be converted.
    """
    UsageError.unless(
        options.states is None and options.initial_states is None,
        expected="a .tflite file for --state and --initial-states",
        found=f"a trained model: {path}",
    )
    with Converter() as converter:
        # The child loads the file first: HDF5 and TensorFlow can crash on a damaged one.
        if path.exists():
            converter.load_in_worker(
                path, allow_code=options.allow_code, custom_objects=options.custom_objects, weights=options.weights
            )
        trained = load(
            path, allow_code=options.allow_code, custom_objects=options.custom_objects, weights=options.weights
        )
        arranged = arrange_for(trained.model, options)
        parts = split(arranged.graph)
        yield OpenedModel(
            trained,
            arranged.graph,
            parts,
            converter,
            lambda parts, spec, kind: Reference(arranged.ask, parts, spec, kind, name=_ORIGINALS[trained.framework]),
            (*trained.notes, *_export_notes(trained, parts), *arranged.notes),
            loss=loss_of(trained.loss, arranged.ask.outputs.name, arranged.ask.outputs.index),
            ask=arranged.ask,
        )


def arrange_for(model: Any, options: Options) -> ArrangedModel:
    """Arrange a trained model as the options of a conversion state; errors are those of `arrange`."""
    return arrange(
        model,
        axes=options.axes,
        frames=options.frames,
        frame_size=options.frame_size,
        output=options.scores,
        scores_only=options.scores_only,
        regression=options.regression,
        look_ahead=options.look_ahead,
    )


def _export_notes(trained: LoadedModel, parts: Split) -> tuple[str, ...]:
    """Note what a SavedModel without layers costs on the device."""
    if trained.framework != "tensorflow":
        return ()
    better = "the .keras file that it was exported from converts to a faster bundle"
    if parts.encoder is None:
        return (f"it is run whole, every frame of a window again for each answer: {better}",)
    return (
        "its work on each single frame was found by trying, and is run once a frame; "
        f"its recurrent layers run over the whole window: {better}",
    )
