"""Load what people have: Keras 3 and Keras 2 files and SavedModel folders, each by the framework that wrote it.

Keras 3 refuses most files of Keras 2 (`time_major`, layers inside TimeDistributed) and tf_keras refuses those of Keras 3 (`batch_shape`),
so the file is looked at before either is asked. A file name says little: HDF5 under a `.keras` name is common. What a framework refuses is tried
again with a repaired configuration (`convert.loading.repairs`), and then with the other framework.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.graph.arguments import flat
from convert.loading import saved_model
from convert.loading.custom_objects import common_aliases, defined_in, of_applications
from convert.loading.h5_operators import has_operators, load_model
from convert.loading.hard_sigmoid import changes_in_code, pin_hard_sigmoid
from convert.loading.lambda_layers import code_in, lambdas_in
from convert.loading.model_config import (
    lacks_input_shape,
    unknown_layers,
    uses_half_precision,
    without_half,
    without_state,
)
from convert.loading.model_file import Header, weights_only, write_copy
from convert.loading.model_file import read as read_header
from convert.loading.rebuild import rebuilt
from convert.loading.repairs import repaired, runnable, with_functions
from convert.loading.subclassed import laid_out
from edgevid.errors import ModelError, UsageError

Framework = Literal["keras", "tf_keras"]
# What Python says of compiled code that another version of it wrote.
_NO_CODE = ("bad marshal data", "EOF read where object expected", "marshal data too short")
OTHER: dict[Framework, Framework] = {"keras": "tf_keras", "tf_keras": "keras"}
# A repaired model and the same file in another framework differ by the order of sums.
REPAIR_TOLERANCE = 1e-4


@dataclass(frozen=True)
class LoadedModel:
    """A trained model in memory.

    Attributes:
        model: The Keras model; belongs to `framework`.
        framework: "keras" (version 3) or "tf_keras" (version 2); "tensorflow" for a SavedModel without Keras's own description.
        path: The file.
        sha256: Its hash; of a folder that of all its files.
        written_by: Keras version that wrote the file, or "unknown".
        notes: What was done to load it.
    """

    model: Any
    framework: str
    path: Path
    sha256: str
    written_by: str
    notes: tuple[str, ...] = ()


def load(path: str | Path, *, allow_code: bool = False, custom_objects: Path | None = None) -> LoadedModel:
    """Load a trained model.

    Args:
        path: A `.keras` or `.h5` file, or a SavedModel folder.
        allow_code: Load Lambda layers, which run code from the file.
        custom_objects: A Python module that defines the file's own layers and functions; it is run.

    Returns:
        The model with its weights.

    Raises:
        UsageError: There is no such file.
        ModelError: It holds no model, holds code, or its framework refuses it.
    """
    path = Path(path)
    if saved_model.is_one(path):
        return _load_folder(path, allow_code=allow_code, custom_objects=custom_objects)
    if path.is_dir() and next(path.glob("*.index"), None) is not None:
        raise weights_only(path, "is a checkpoint of TensorFlow")
    if not path.is_file():
        raise UsageError(
            expected="a .keras or .h5 model file or a SavedModel folder",
            found=f"{('a directory' if path.is_dir() else 'nothing')} at {path}",
            path=path,
        )
    header = read_header(path)
    _refuse_code(header, path, allow_code=allow_code)
    framework: Framework = "keras" if header.version.startswith("3") else "tf_keras"
    model, used, notes = _Attempts(path, header, framework, allow_code=allow_code, custom_objects=custom_objects).load()
    _refuse_lost_numbers(model, path)
    return LoadedModel(model, used, path, hashlib.sha256(path.read_bytes()).hexdigest(), header.version, notes)


def _load_folder(path: Path, *, allow_code: bool, custom_objects: Path | None) -> LoadedModel:
    import_tensorflow()
    if not allow_code and saved_model.holds_code(path):
        raise _code_refused(path)
    objects = defined_in(custom_objects, "tf_keras") if custom_objects else {}
    model, framework, version, notes = saved_model.load(path, objects)
    _refuse_lost_numbers(model, path)
    return LoadedModel(model, framework, path, saved_model.sha256(path), version, notes)


def _refuse_lost_numbers(model: Any, path: Path) -> None:
    """HDF5 has no checksum by default, and a training that diverged saves as well as any: both are told by their weights alone."""
    for weight, values in zip(model.weights, model.get_weights(), strict=True):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            name = getattr(weight, "path", weight.name)
            raise ModelError(
                expected="weights that are numbers",
                found=f"{int((~np.isfinite(values)).sum())} of {values.size} in {name} that are NaN or infinite: {path}",
                hint="Either training diverged or the file is damaged.",
                path=path,
            )


def _refuse_code(header: Header, path: Path, *, allow_code: bool) -> None:
    if not allow_code and code_in(runnable(header.config)[0]):
        raise _code_refused(path)


def _code_refused(path: Path) -> ModelError:
    return ModelError(
        expected="a model without code",
        found=f"a Lambda layer in {path}: loading it would run Python from the file",
        hint="Replace it by a built-in layer, or pass --allow-code if you trust the file.",
        path=path,
    )


class _Attempts:
    """Ways to load one file, in their order; the first refusal is the one that is told."""

    def __init__(
        self, path: Path, header: Header, writer: Framework, *, allow_code: bool, custom_objects: Path | None
    ) -> None:
        import_tensorflow()
        self._path, self._header, self._writer, self._allow_code, self._custom = (
            path,
            header,
            writer,
            allow_code,
            custom_objects,
        )
        self._objects: dict[Framework, dict[str, Any]] = {}
        self._own_only = False

    def load(self) -> tuple[Any, Framework, tuple[str, ...]]:
        """Give the model, the framework that took it, and what was done."""
        framework, other = self._writer, OTHER[self._writer]
        # A person's own module is run first: what is wrong with it is not the file's fault.
        config, needed = runnable(self._header.config)
        config, given = with_functions(config, self._defined(framework))
        needed = (*needed, *given)
        plain = config if needed else None
        ways = [
            (framework, plain, needed),
            (framework, *repaired(config, framework)),
            (other, plain, needed),
            (other, *repaired(config, other)),
        ]
        # Code cannot be told in other words, as a configuration can.
        self._own_only = changes_in_code(config, self._custom)
        refusal: Exception | None = None
        for used, changed, done in ways[: 2 if self._own_only else None]:
            try:
                model, more = self._load(used, changed)
            except Exception as error:  # noqa: BLE001  # a framework raises anything at all on a file that it does not like
                refusal = refusal or error
                continue
            notes = [f"repaired to load: {', '.join(done)}"] if done else []
            notes += [f"loaded by {used}, which did not write it"] if used != framework else []
            notes += self._compared(model, used) if changed is not None else ()
            return model, used, (*notes, *more)
        assert refusal is not None
        raise self._refusal(framework, refusal) from refusal

    def _defined(self, framework: Framework) -> dict[str, Any]:
        if framework not in self._objects:
            self._objects[framework] = defined_in(self._custom, framework) if self._custom else {}
        return self._objects[framework]

    def _load(self, framework: Framework, config: Any) -> tuple[Any, tuple[str, ...]]:
        module = framework_of(framework)
        config, meant = self._meant(framework, config)
        with TemporaryDirectory(prefix="edgevid-load-") as folder:
            # A copy whose suffix tells the truth: both frameworks choose their reader by the name.
            target = write_copy(self._path, Path(folder), config)
            objects = (
                of_applications(framework)
                | (common_aliases(framework) if self._allow_code else {})
                | self._defined(framework)
            )
            held = self._header.config if config is None else config
            ways = [
                lambda: module.models.load_model(
                    str(target), compile=False, safe_mode=not self._allow_code, custom_objects=objects
                )
            ]
            if framework == "keras" and target.suffix != ".keras" and self._header.version.startswith("3"):
                ways.append(lambda: load_model(target, held, safe_mode=not self._allow_code, custom_objects=objects))
            model = _first_that_works(ways[::-1] if has_operators(held) else ways)
        if not hasattr(model, "get_config"):
            raise ModelError(expected="a Keras model", found=f"{type(model).__name__}")
        model, note = laid_out(model, module)
        model, notes = _plain(rebuilt(model, without_half) if uses_half_precision(self._header.config) else model)
        return model, (*meant, *((note,) if note else ()), *notes)

    def _meant(self, framework: Framework, config: Any) -> tuple[Any, tuple[str, ...]]:
        """What the file says, in the words of the framework that is to read it."""
        held = self._header.config if config is None else config
        told, done = pin_hard_sigmoid(held, writer=self._writer, reader=framework)
        return (told if done else config), done

    def _compared(self, model: Any, used: Framework) -> tuple[str, ...]:
        """Hold a repaired model against the file as another framework reads it unrepaired, where one does."""
        try:
            other, _ = self._load(OTHER[used], None)
        except Exception:  # noqa: BLE001  # most files are refused by the other framework; then there is nothing to compare
            return ()
        if _is_keyed(model) or _is_keyed(other):
            return ()
        difference = _difference(model, other)
        if not difference <= REPAIR_TOLERANCE:
            raise ModelError(
                expected=f"the repaired model to answer as the file does in {OTHER[used]}",
                found=f"a difference of {difference:.2g} in {self._path}",
            )
        return (f"it answers as the file does in {OTHER[used]}, within {difference:.1g}",)

    def _refusal(self, framework: Framework, error: Exception) -> ModelError:
        module, reason = framework_of(framework), reason_of(error)
        if lacks_input_shape(self._header.config):
            return ModelError(
                expected="a model with a known input shape",
                found=f"a Sequential without one: {self._path}",
                hint="Give its first layer a shape and save it again.",
                path=self._path,
            )
        if code_in(self._header.config) and any(words in reason for words in _NO_CODE):
            return ModelError(
                expected=f"Lambda layers with the code of Python {sys.version_info.major}.{sys.version_info.minor}",
                found=f"another version's in {self._path}: compiled code is only for the Python that wrote it",
                hint=f"Write each function in a Python file, under the name of its layer ({', '.join(lambdas_in(self._header.config))}): --custom-objects module.py",
                path=self._path,
            )
        strangers = unknown_layers(self._header.config, module)
        if strangers and not self._custom:
            return ModelError(
                expected="built-in layers",
                found=f"{', '.join(strangers)} in {self._path}",
                hint="Give the Python file that defines them, or imports them from their package: --custom-objects module.py",
                path=self._path,
            )
        more = (
            f" {OTHER[framework]} was not asked: the code names hard_sigmoid or ConvLSTM, which mean something else there."
            if self._own_only
            else ""
        )
        return ModelError(
            expected=f"a model that {framework} {module.__version__} can load",
            found=f"{self._path}: {reason}{more}",
            path=self._path,
        )


def _first_that_works(ways: Sequence[Callable[[], Any]]) -> Any:
    """Give what the first way gives that raises nothing; where all do, raise what the first one raised."""
    refusals: list[Exception] = []
    for way in ways:
        try:
            return way()
        except Exception as error:  # noqa: BLE001  # a framework raises anything at all on a file that it does not like
            refusals.append(error)
    raise refusals[0]


def _plain(model: Any) -> tuple[Any, tuple[str, ...]]:
    """Give a model that takes any batch and begins each window with zeros."""
    layers = internals.all_layers(model)
    stateful = [layer.name for layer in layers if getattr(layer, "stateful", False) is True]
    fixed = [tensor.shape[0] for tensor in getattr(model, "inputs", None) or [] if tensor.shape[0] is not None]
    if not stateful and not fixed:
        return model, ()
    note = f"{', '.join(stateful)} kept states from call to call in training (stateful=True); here each window begins with zeros"
    return rebuilt(model, without_state), (note,) if stateful else ()


def _is_keyed(model: Any) -> bool:
    """Whether inputs or outputs are dictionaries, which the frameworks list in orders of their own."""
    names = ("_inputs_struct", "_outputs_struct", "_nested_inputs", "_nested_outputs")
    return any(isinstance(getattr(model, name, None), dict) for name in names)


def _difference(first: Any, second: Any) -> float:
    rng = np.random.default_rng(0)
    inputs = [rng.random((2, *[size or 4 for size in tensor.shape[1:]])).astype(np.float32) for tensor in first.inputs]
    answers = [flat(model(inputs if len(inputs) > 1 else inputs[0], training=False)) for model in (first, second)]
    return max(float(np.abs(np.asarray(one) - np.asarray(other)).max()) for one, other in zip(*answers, strict=True))


def framework_of(name: str) -> Any:
    """Import a framework.

    Args:
        name: "keras" or "tf_keras".

    Returns:
        The module, with the layers of edgevid's own registered.
    """
    if name == "keras":
        import keras

        import convert.frameworks.layers  # noqa: F401  # registers our layers with Keras

        return keras
    import tf_keras

    return tf_keras
