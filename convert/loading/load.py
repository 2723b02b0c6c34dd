"""Loads a trained model of Keras 2 or 3: a `.keras` or HDF5 file, or a SavedModel folder.

Each file is read by the framework that wrote it. Keras 3 rejects most files of Keras 2
(`time_major`, layers inside TimeDistributed) and tf_keras rejects those of Keras 3 (`batch_shape`).
The suffix does not identify the writer, since HDF5 is often called `.keras`, so the content is
inspected first. A file that its framework rejects is repaired (`convert.loading.repairs`), and
finally passed to the other framework.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.frameworks import fixed_arguments, internals
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.guard.check import check_saved_model
from convert.loading import saved_model
from convert.loading.attempts import FileLoader, Framework
from convert.loading.custom_objects import load_objects
from convert.loading.model_file import read as read_header
from convert.loading.model_file import weights_only_error
from edgevid.errors import ModelError, UsageError


@dataclass(frozen=True)
class LoadedModel:
    """A trained model in memory.

    Attributes:
        model: The Keras model, of `framework`.
        framework: "keras" (version 3) or "tf_keras" (version 2); "tensorflow" for a SavedModel
            without layers, and "tflite" for a file that is converted already.
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


def load(path: str | Path, *, allow_code: bool = False, custom_objects: Path | None = None) -> LoadedModel:
    """Load a trained model with its weights.

    Args:
        path: A `.keras` or `.h5` file, or a SavedModel folder.
        allow_code: Load Lambda layers, which run code from the file.
        custom_objects: A Python module that defines the model's own layers and functions; it is
            run.

    Raises:
        UsageError: There is no such file.
        ModelError: The file holds no model, holds code that is not allowed, or cannot be loaded.
    """
    path = Path(path)
    if saved_model.is_saved_model(path):
        return _load_folder(path, allow_code=allow_code, custom_objects=custom_objects)
    if path.is_dir() and next(path.glob("*.index"), None) is not None:
        raise weights_only_error(path, "is a checkpoint of TensorFlow")
    if not path.is_file():
        raise UsageError(
            expected="a .keras or .h5 model file or a SavedModel folder",
            found=f"{'a directory' if path.is_dir() else 'nothing'} at {path}",
            path=path,
        )
    header = read_header(path)
    writer: Framework = "keras" if header.version.startswith("3") else "tf_keras"
    loader = FileLoader(path, header, writer, allow_code=allow_code, custom_objects=custom_objects)
    model, framework, notes = loader.load()
    _check_weights(model, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LoadedModel(model, framework, path, digest, header.version, notes, header.loss)


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
