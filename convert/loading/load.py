"""Loads a trained model of Keras 2 or 3: a `.keras` or HDF5 file, or a SavedModel folder.

Each file is read by the framework that wrote it. Keras 3 rejects most files of Keras 2
(`time_major`, layers inside TimeDistributed) and tf_keras rejects those of Keras 3 (`batch_shape`).
The suffix does not identify the writer, since HDF5 is often called `.keras`, so the content is
inspected first. A file that its framework rejects is repaired (`convert.loading.repairs`), and
finally passed to the other framework.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from convert.frameworks import fixed_arguments, internals
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.guard.check import check_saved_model, check_weights
from convert.loading import saved_model
from convert.loading.attempts import FileLoader, Framework
from convert.loading.custom_objects import load_objects
from convert.loading.model_file import Header, join_weights, layers_with_weights, read_description, weights_only_error
from convert.loading.model_file import read as read_header
from convert.onnx_file.model import OnnxModel
from convert.onnx_file.read import is_onnx, read_onnx
from edgevid.errors import ModelError, UsageError

# Messages of tf_keras and of Keras 3 about a variable that a file holds in another shape.
_MISFITS = (
    re.compile(
        r"variable '(?P<variable>[^']+?)(?::0)?': Shape mismatch\.\s*The variable shape (?P<expected>\([^)]*\)), "
        r"and the assigned value shape (?P<stored>\([^)]*\))"
    ),
    re.compile(
        r"variable\.shape=(?P<expected>\([^)]*\)), Received: value\.shape=(?P<stored>\([^)]*\))\. "
        r"Target variable: <Variable path=(?P<variable>[^,]+)"
    ),
)


@dataclass(frozen=True)
class LoadedModel:
    """A trained model in memory.

    Attributes:
        model: The Keras model, of `framework`.
        framework: "keras" (version 3) or "tf_keras" (version 2); "tensorflow" for a SavedModel
            without layers, "onnx" for an ONNX file, and "tflite" for a file that is converted already.
        path: The file or folder.
        sha256: Hash of the file, or of all files of the folder.
        written_by: Version of Keras that wrote the file, or "unknown".
        notes: Repairs and assumptions, one line each.
        loss: The loss that the model was compiled with, as the file describes it; None for none.
    """

    model: Any
    framework: str
    path: Path
    sha256: str
    written_by: str
    notes: tuple[str, ...] = ()
    loss: Any = None


def load(
    path: str | Path, *, allow_code: bool = False, custom_objects: Path | None = None, weights: Path | None = None
) -> LoadedModel:
    """Load a trained model with its weights.

    Args:
        path: A `.keras`, `.h5` or `.onnx` file, or a SavedModel folder.
        allow_code: Load Lambda layers, which run code from the file.
        custom_objects: A Python module that defines the model's own layers and functions; it is
            run.
        weights: The HDF5 file of the weights, if `path` is the model's description in JSON.

    Raises:
        UsageError: There is no such file, or `weights` belongs to no description.
        ModelError: The file holds no model, holds code that is not allowed, or cannot be loaded.
    """
    path = Path(path)
    if weights is not None:
        return _load_joined(path, Path(weights), allow_code=allow_code, custom_objects=custom_objects)
    if is_onnx(path):
        return _load_onnx(path)
    if saved_model.is_saved_model(path):
        return _load_folder(path, allow_code=allow_code, custom_objects=custom_objects)
    if path.is_dir() and next(path.glob("*.index"), None) is not None:
        raise weights_only_error(path, "is a checkpoint of TensorFlow")
    if not path.is_file():
        raise UsageError(
            expected="a .keras, .h5 or .onnx model file or a SavedModel folder",
            found=f"{'a directory' if path.is_dir() else 'nothing'} at {path}",
            path=path,
        )
    header = read_header(path)
    loader = FileLoader(path, header, _writer(header), allow_code=allow_code, custom_objects=custom_objects)
    model, framework, notes = loader.load()
    _check_weights(model, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LoadedModel(model, framework, path, digest, header.version, notes, header.loss)


def _load_onnx(path: Path) -> LoadedModel:
    file = read_onnx(path)
    note = "the answers of the trained model are those of ONNX Runtime on the file"
    return LoadedModel(OnnxModel(file), "onnx", path, file.sha256, file.written_by, (note,))


def _writer(header: Header) -> Framework:
    return "keras" if header.version.startswith("3") else "tf_keras"


def _load_joined(path: Path, weights: Path, *, allow_code: bool, custom_objects: Path | None) -> LoadedModel:
    """Load a model from its description in JSON and a file of its weights."""
    _check_pair(path, weights)
    header = read_description(path)
    # Before the weights are copied, which would follow a link to another file.
    check_weights(weights)
    with TemporaryDirectory(prefix="edgevid-join-") as folder, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        whole, name = join_weights(header, weights, Path(folder)), Path(f"{path} with {weights.name}")
        loader = FileLoader(
            name, header, _writer(header), allow_code=allow_code, custom_objects=custom_objects, content=whole
        )
        try:
            model, framework, notes = loader.load()
        except ModelError as error:
            raise _misfit(error, path, weights) from error
    # Keras 3 leaves layers that it does not find in the file as they were drawn, with a warning.
    skipped = [str(each.message) for each in warned if "freshly-initialized" in str(each.message)]
    if skipped:
        raise ModelError(expected=f"all weights of {path} in {weights}", found=skipped[0], path=weights)
    _check_weights(model, weights)
    strangers = {*layers_with_weights(weights)} - {layer.name for layer in internals.all_layers(model)}
    if strangers:
        names = ", ".join(sorted(strangers))
        notes = (*notes, f"{path.name} has no layer {names}: weights were assigned in the order of the layers")
    digest = hashlib.sha256(path.read_bytes() + weights.read_bytes()).hexdigest()
    return LoadedModel(model, framework, path, digest, header.version, notes)


def _check_pair(path: Path, weights: Path) -> None:
    import h5py

    UsageError.unless(
        path.suffix == ".json" and path.is_file(),
        expected="a model's description (.json) as MODEL with --weights",
        got=path,
        found=f"{'another file' if path.exists() else 'nothing'} at {path}",
    )
    UsageError.unless(
        weights.is_file() and bool(h5py.is_hdf5(weights)),
        expected="--weights to name an HDF5 file (.h5 or .weights.h5)",
        got=weights,
        found=f"{'another kind of file' if weights.exists() else 'nothing'} at {weights}",
    )


def _misfit(error: ModelError, path: Path, weights: Path) -> ModelError:
    """Return an error of loading as one about the layer and the shapes, if weights do not fit."""
    found = next(filter(None, (each.search(str(error.__cause__)) for each in _MISFITS)), None)
    if found is None:
        return error
    return ModelError(
        expected=f"weights of the model in {path}, with {found['expected']} for {found['variable'].strip()}",
        found=f"{found['stored']} in {weights}",
        hint="Pass the description and the weights of one model.",
        path=weights,
    )


def _load_folder(path: Path, *, allow_code: bool, custom_objects: Path | None) -> LoadedModel:
    import_tensorflow()
    objects = load_objects(custom_objects, "tf_keras") if custom_objects else {}
    rejected = () if allow_code else check_saved_model(path, custom=objects)
    with internals.safe_mode("tf_keras", is_safe=not allow_code), fixed_arguments.restored():
        model, framework, version, notes = saved_model.load(path, objects, rejected_layers=rejected)
    _check_weights(model, path)
    loss = internals.saved_loss(model)
    return LoadedModel(model, framework, path, saved_model.hash_folder(path), version, notes, loss)


def _check_weights(model: Any, path: Path) -> None:
    """Reject weights that are NaN or infinite."""
    # HDF5 has no checksum by default, and Keras saves the weights of a training that diverged.
    for weight, values in zip(model.weights, model.get_weights(), strict=True):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            name = getattr(weight, "path", weight.name)
            lost = int((~np.isfinite(values)).sum())
            raise ModelError(
                expected="weights that are numbers",
                found=f"{lost} of {values.size} in {name} that are NaN or infinite: {path}",
                hint="Either training diverged or the file is damaged.",
                path=path,
            )
