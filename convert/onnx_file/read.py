"""Read a `.onnx` file and check it before anything of it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.errors import MissingDependency, ModelError
from edgevid.frames import Array

SUFFIX = ".onnx"
# Models for small boards are megabytes. Protocol Buffers end at 2 GiB.
MOST_BYTES = 2**30
MOST_NODES = 20_000
_OWN_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class OnnxFile:
    """A checked file.

    Attributes:
        path: The file.
        model: Its `ModelProto`, which holds the numbers of its external data.
        sha256: Hash of the file and its external data.
        opset: Version of ONNX's own operators.
        frame: Description of its only input (a `ValueInfoProto`).
        weights: Its numbers, by the name of the tensor.
    """

    path: Path
    model: Any
    sha256: str
    opset: int
    frame: Any
    weights: dict[str, Array]

    @property
    def written_by(self) -> str:
        """The exporter and its version, or "unknown"."""
        return f"{self.model.producer_name} {self.model.producer_version}".strip() or "unknown"

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Shape of the input with the batch; None for an open size."""
        dims = self.frame.type.tensor_type.shape.dim
        return tuple(int(each.dim_value) if each.dim_value > 0 else None for each in dims)


def is_onnx(path: Path) -> bool:
    """Return whether a path names a `.onnx` file, which has no magic number."""
    return path.suffix.lower() == SUFFIX and path.is_file()


def read_onnx(path: Path) -> OnnxFile:
    """Read a `.onnx` file.

    Args:
        path: The file. External data lies in its folder.

    Raises:
        MissingDependency: The `onnx` extra is not installed.
        ModelError: The file is damaged or too large, its external data is missing, it has operators or functions
            of its own, or it has several inputs.
    """
    onnx = import_onnx()
    _check_size(path.stat().st_size, path)
    data = path.read_bytes()
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # Protocol Buffers can raise anything on damaged bytes
        raise _damaged(path) from error
    if not model.graph.node or not model.opset_import or not all(isinstance(each, str) for each in _names(model)):
        raise _damaged(path)
    digest = hashlib.sha256(data)
    for each in _load_external(model, path):
        digest.update(each)
    _check_operators(model, path)
    opset = max((each.version for each in model.opset_import if each.domain in _OWN_DOMAINS), default=0)
    frame = _only_input(model, path)
    return OnnxFile(path, model, digest.hexdigest(), opset, frame, _weights(model, path))


def import_onnx() -> Any:
    """Return the `onnx` package.

    Raises:
        MissingDependency: The `onnx` extra is not installed.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            expected="onnx and onnxruntime for a .onnx file", found="none", hint="Run: pip install 'edgevid[onnx]'."
        ) from error
    return onnx


def _damaged(path: Path) -> ModelError:
    return ModelError(
        expected="a .onnx file",
        found=f"{path}, which is damaged or of another kind",
        hint="Export it again: torch.onnx.export.",
        path=path,
    )


def _names(model: Any) -> Iterator[Any]:
    """Yield every name in a model: strings, or bytes where they are no text."""
    graph = model.graph
    yield from (model.producer_name, model.producer_version)
    for each in (*graph.initializer, *graph.input, *graph.output):
        yield each.name
    for node in graph.node:
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        yield from (each.name for each in node.attribute)


def _check_size(size: int, path: Path) -> None:
    if size > MOST_BYTES:
        raise ModelError(
            expected=f"a model of at most {MOST_BYTES // 2**20} MiB",
            got=size,
            found=f"{size // 2**20} MiB in {path}",
            path=path,
        )


def _check_operators(model: Any, path: Path) -> None:
    """Reject code of the file's own: custom operators and functions."""
    if len(model.graph.node) > MOST_NODES:
        raise ModelError(
            expected=f"a model of at most {MOST_NODES} operators",
            got=len(model.graph.node),
            found=f"{len(model.graph.node)} in {path}",
            path=path,
        )
    custom = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in _OWN_DOMAINS})
    if custom or model.functions:
        found = ", ".join(custom) if custom else "functions of its own"
        raise ModelError(
            expected="operators of ONNX's own set",
            found=f"{found} in {path}",
            hint="Export the model with standard operators only.",
            path=path,
        )


def _only_input(model: Any, path: Path) -> Any:
    """Return the input that is no weight."""
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs) or "none"
        raise ModelError(
            expected="a model with one input, the window",
            got=len(inputs),
            found=f"{len(inputs)} ({names}) in {path}",
            hint="Export it with its states and thresholds inside, as constants or zeros.",
            path=path,
        )
    frame, tensor = inputs[0], inputs[0].type.tensor_type
    if tensor.elem_type not in (1, 10) or not tensor.HasField("shape") or len(tensor.shape.dim) < 2:  # float, float16
        raise ModelError(
            expected="an input of floats with a batch and known axes",
            found=f"{frame.name!r} of another type or shape in {path}",
            hint="Export the model with a float input.",
            path=path,
        )
    if tensor.shape.dim[0].dim_value > 1:
        raise ModelError(
            expected="a batch of 1 or an open one on the first axis",
            got=tensor.shape.dim[0].dim_value,
            found=f"{tensor.shape.dim[0].dim_value} in {path}",
            hint="Export the model for one window.",
            path=path,
        )
    return frame


def _weights(model: Any, path: Path) -> dict[str, Array]:
    onnx, weights = import_onnx(), dict[str, Array]()
    for tensor in model.graph.initializer:
        try:
            array = onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # shape, type and bytes may contradict each other in any way
            raise _damaged(path) from error
        # Infinity is legal: masks of attention hold it.
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ModelError(
                expected="weights that are numbers",
                found=f"NaN in {tensor.name!r}: {path}",
                hint="Either training diverged or the file is damaged.",
                path=path,
            )
        weights[tensor.name] = array
    return weights


def _load_external(model: Any, path: Path) -> Iterator[bytes]:
    """Copy external data into the model's tensors; yield the bytes of each tensor."""
    files: dict[Path, bytes] = {}
    for tensor in _tensors(model):
        if tensor.data_location != tensor.EXTERNAL:
            continue
        entry = {each.key: each.value for each in tensor.external_data}
        source = _external_path(entry.get("location", ""), path)
        if source not in files:
            _check_size(source.stat().st_size + sum(map(len, files.values())), source)
            files[source] = source.read_bytes()
        piece = _piece(files[source], entry)
        if piece is None:
            raise ModelError(
                expected=f"the numbers of {tensor.name!r}",
                found=f"too few bytes in {source}",
                hint="Copy the whole file again.",
                path=path,
            )
        tensor.raw_data, tensor.data_location = piece, tensor.DEFAULT
        del tensor.external_data[:]
        yield piece


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor of a model that may have external data."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _external_path(location: str, path: Path) -> Path:
    """Return the file of external data, which lies in the folder of the model."""
    folder = path.resolve().parent
    found = (folder / location).resolve()
    if not location or Path(location).is_absolute() or not found.is_relative_to(folder):
        raise ModelError(
            expected="external data in the folder of the model",
            found=f"{location!r} in {path}",
            hint="Export the model again, into one folder.",
            path=path,
        )
    if not found.is_file():
        raise ModelError(
            expected=f"the model's numbers in {folder / location}",
            found="no such file",
            hint=f"Copy it next to {path.name}: the exporter wrote both.",
            path=path,
        )
    return found


def _piece(data: bytes, entry: dict[str, str]) -> bytes | None:
    try:
        start = int(entry.get("offset", "0"))
        length = int(entry.get("length", str(len(data) - start)))
    except ValueError:
        return None
    return data[start : start + length] if start >= 0 and length >= 0 and start + length <= len(data) else None
