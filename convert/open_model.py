"""Opens whatever a person brings: a trained model, which is split, or a `.tflite` file, which is taken as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from convert.graph.layer_graph import LayerGraph
from convert.interface.arrange import arrange
from convert.loading.load import LoadedModel, load
from convert.options import Options
from convert.prebuilt import FileReference, PassthroughConverter, adopt
from convert.precision.recipes import Recipe
from convert.quantization.converter import Converter
from convert.splitting.split import Split, split
from convert.tflite_file import check_whole
from convert.verification.reference import Reference
from edgevid.backends.survey import is_tflite
from edgevid.bundle.manifest import Scores
from edgevid.frames.preprocess import InputSpec


@dataclass(frozen=True)
class OpenedModel:
    """A model, ready to be converted.

    Attributes:
        trained: What was loaded.
        graph: Its calls, from one window to one list of scores.
        parts: The same taken apart.
        reference: Makes what every stage is held against, from the parts, the frames and what the scores are.
        notes: What was assumed.
        recipes: The only precision there is, of a file that is converted already; None for a trained model.
    """

    trained: LoadedModel
    graph: LayerGraph
    parts: Split
    reference: Callable[[Split, InputSpec, Scores], Reference]
    notes: tuple[str, ...]
    recipes: tuple[Recipe, ...] | None = None


def converter_for(path: Path) -> Converter:
    """Make what converts the parts of a model.

    Args:
        path: The model.

    Returns:
        TensorFlow's converter in its process, started when it is entered; for a `.tflite` file one that gives it as it is.
    """
    return PassthroughConverter() if is_tflite(path) else Converter()


def open_model(path: Path, options: Options, converter: Converter) -> OpenedModel:
    """Load a model and take it apart.

    Args:
        path: Any model file or folder.
        options: What it cannot say.
        converter: From `converter_for`.

    Returns:
        The model.

    Raises:
        UsageError: There is no such file, or an option does not go with it.
        ModelError: It cannot be loaded, ends its process, or is of a kind that cannot be converted.
    """
    if isinstance(converter, PassthroughConverter):
        # An interpreter that lived through one run of a damaged file may not live through the next (tflite-runtime 2.14), and those are in this process.
        check_whole(path.read_bytes(), str(path))
        adopted = adopt(path, axes=options.axes, frames=options.frames)
        converter.part = adopted.part
        precision = adopted.part.part.precision
        return OpenedModel(
            adopted.loaded,
            adopted.graph,
            adopted.parts,
            lambda _parts, spec, kind: FileReference(adopted.loaded.model, spec, kind),
            adopted.notes,
            (Recipe("as it is", precision, precision),),
        )
    if path.exists():
        converter.load_in_worker(path, allow_code=options.allow_code, custom_objects=options.custom_objects)
    trained = load(path, allow_code=options.allow_code, custom_objects=options.custom_objects)
    arranged = arrange(
        trained.model,
        axes=options.axes,
        frames=options.frames,
        frame_size=options.frame_size,
        output=options.scores,
        scores_only=options.scores_only,
    )
    parts = split(arranged.graph)
    return OpenedModel(
        trained,
        arranged.graph,
        parts,
        lambda parts, spec, kind: Reference(arranged.ask, parts, spec, kind),
        (*trained.notes, *_found(trained, parts), *arranged.notes),
    )


def _found(trained: LoadedModel, parts: Split) -> tuple[str, ...]:
    """What came of a function without layers."""
    if trained.framework != "tensorflow":
        return ()
    better = "the .keras file that it was exported from converts to a faster bundle"
    if parts.encoder is None:
        return (f"it is run whole, every frame of a window again for each answer: {better}",)
    return (
        f"what it does to each frame by itself was found by trying, and is run once a frame; its recurrent layers run over the whole window: {better}",
    )
