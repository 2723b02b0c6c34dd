"""Loads a model file by the framework that wrote it or the other one, as it is or repaired."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from convert.frameworks import fixed_arguments, internals
from convert.frameworks.messages import reason_of
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.graph.arguments import flat
from convert.guard.check import check_weights, configuration_guard, is_refusal
from convert.guard.findings import Finding, unsafe_error
from convert.loading.custom_objects import application_objects, common_aliases, load_objects
from convert.loading.h5_operators import has_operators, load_model
from convert.loading.hard_sigmoid import changes_in_code, pin_hard_sigmoid
from convert.loading.model_config import (
    holds_code,
    lacks_input_shape,
    replacement_names,
    unknown_layers,
    uses_half_precision,
    without_half,
    without_state,
)
from convert.loading.model_file import Header, write_copy
from convert.loading.rebuild import rebuild
from convert.loading.repairs import repair_for, repair_for_cpu, replace_lambdas
from convert.loading.subclassed import to_functional
from convert.loading.weight_names import with_plain_names
from edgevid.errors import ModelError

Framework = Literal["keras", "tf_keras"]
OTHER: dict[Framework, Framework] = {"keras": "tf_keras", "tf_keras": "keras"}
# A repaired model and the same file in the other framework differ by the order of sums.
REPAIR_TOLERANCE = 1e-4
# An unstable model differs from itself as well: where each input changes by less than float32 can resolve.
_NUDGE, _EXPLAINED = 1 + 2**-22, 10
# Messages of `marshal` about code that another version of Python compiled.
_FOREIGN_CODE = ("bad marshal data", "EOF read where object expected", "marshal data too short")


@dataclass(frozen=True)
class Attempt:
    """One way to load a file.

    Attributes:
        framework: The framework that reads the file.
        config: The configuration that replaces the file's own; None to read the file as it is.
        notes: Names of the repairs in `config`.
    """

    framework: Framework
    config: Any
    notes: tuple[str, ...]


class FileLoader:
    """Tries each way to load a file, in order.

    Args:
        path: A `.keras` or HDF5 file.
        header: The file's configuration and version.
        writer: The framework that wrote the file.
        allow_code: Load Lambda layers.
        custom_objects: The user's Python module, or None.
        content: The file to read, if `path` is only the name of it in messages.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        writer: Framework,
        *,
        allow_code: bool,
        custom_objects: Path | None,
        content: Path | None = None,
    ) -> None:
        import_tensorflow()
        self._path, self._header, self._writer = path, header, writer
        self._content = content or path
        self._allow_code, self._module = allow_code, custom_objects
        self._objects: dict[Framework, dict[str, Any]] = {}
        self._renamed: tuple[str, ...] = ()

    def load(self) -> tuple[Any, Framework, tuple[str, ...]]:
        """Load the file in the first way that works.

        Returns:
            The model, the framework that loaded it, and notes.

        Raises:
            ModelError: Every way fails; the message is about the first one. Or a repaired model has
                other answers than the file in the other framework.
        """
        check_weights(self._content)
        attempts, errors = self._safe(self._attempts()), []
        for attempt in attempts:
            try:
                model, notes = self._load(attempt.framework, attempt.config)
            except Exception as error:  # a framework can raise anything
                if not self._allow_code and is_refusal(error):
                    raise self._load_error(error, attempts) from error
                errors.append(error)
            else:
                return model, attempt.framework, (*self._notes(attempt, model), *notes)
        raise self._load_error(errors[0], attempts) from errors[0]

    def _safe(self, attempts: list[Attempt]) -> list[Attempt]:
        """Return the attempts whose configuration names nothing that is not allowed.

        Raises:
            ModelError: There are none.
        """
        safe = [each for each in attempts if not self._findings(each.config)]
        if safe:
            return safe
        # The second attempt has every repair for the framework that wrote the file.
        config = attempts[1].config
        found = self._findings(config)
        strangers = unknown_layers(config, import_framework(self._writer))
        known_by = {name.rpartition(">")[2] for name in strangers}
        if not self._module and all(
            each.kind == "class" and re.split("[.>]", each.name)[-1] in known_by for each in found
        ):
            raise self._strangers_error(strangers)
        raise unsafe_error(found, self._path)

    def _findings(self, config: Any) -> list[Finding]:
        if self._allow_code:
            return []
        guard = configuration_guard(self._custom_objects(self._writer))
        return guard.findings(self._header.config if config is None else config)

    def _strangers_error(self, strangers: Sequence[str]) -> ModelError:
        return ModelError(
            expected="built-in layers",
            found=f"{', '.join(strangers)} in {self._path}",
            hint="Pass the Python file that defines them, or imports them from their package: "
            "--custom-objects module.py",
            path=self._path,
        )

    def _attempts(self) -> list[Attempt]:
        # The user's module runs first: an error in it is not the file's.
        functions = self._custom_objects(self._writer)
        config, cpu_repairs = repair_for_cpu(self._header.config)
        config, replaced = replace_lambdas(config, functions)
        needed = (*cpu_repairs, *replaced)
        frameworks = [self._writer]
        if not changes_in_code(config, self._module):
            frameworks.append(OTHER[self._writer])
        attempts = []
        for framework in frameworks:
            attempts.append(Attempt(framework, config if needed else None, needed))
            repaired, names = repair_for(config, framework)
            attempts.append(Attempt(framework, repaired, (*needed, *names)))
        return attempts

    def _notes(self, attempt: Attempt, model: Any) -> list[str]:
        repairs = (*attempt.notes, *self._renamed)
        notes = [f"repaired to load: {', '.join(repairs)}"] if repairs else []
        if attempt.framework != self._writer:
            notes.append(f"loaded by {attempt.framework}, which did not write it")
        if attempt.config is not None:
            notes += self._compare(model, attempt.framework)
        return notes

    def _custom_objects(self, framework: Framework) -> dict[str, Any]:
        if framework not in self._objects:
            self._objects[framework] = load_objects(self._module, framework) if self._module else {}
        return self._objects[framework]

    def _load(self, framework: Framework, config: Any) -> tuple[Any, tuple[str, ...]]:
        module = import_framework(framework)
        pinned, pin_notes = pin_hard_sigmoid(
            self._header.config if config is None else config, writer=self._writer, reader=framework
        )
        model = self._read(framework, pinned if pin_notes else config)
        if not hasattr(model, "get_config"):
            raise ModelError(expected="a Keras model", found=type(model).__name__)
        model, note = to_functional(model, module)
        if uses_half_precision(self._header.config):
            model = rebuild(model, without_half)
        model, state_notes = _without_state(model)
        return model, (*pin_notes, *((note,) if note else ()), *state_notes)

    def _read(self, framework: Framework, config: Any) -> Any:
        """Read the file by a framework, with another configuration unless it is None."""
        module, safe_mode = import_framework(framework), not self._allow_code
        objects = application_objects(framework)
        objects |= common_aliases(framework) if self._allow_code else {}
        objects |= self._custom_objects(framework)
        effective = self._header.config if config is None else config
        with TemporaryDirectory(prefix="edgevid-load-") as folder:
            # Both frameworks choose their reader by the suffix, which may be wrong: HDF5 is often
            # called `.keras`.
            target = write_copy(self._content, Path(folder), config)
            target, self._renamed = with_plain_names(target, Path(folder))
            ways = [
                lambda: module.models.load_model(
                    str(target), compile=False, safe_mode=safe_mode, custom_objects=objects
                )
            ]
            if framework == "keras" and target.suffix != ".keras" and self._header.version.startswith("3"):
                ways.append(lambda: load_model(target, effective, safe_mode=safe_mode, custom_objects=objects))
            # Keras 3 may read an operator as the layer of its name without an error, so our reader
            # goes first.
            with internals.safe_mode(framework, is_safe=safe_mode), fixed_arguments.restored():
                return _first_success(ways[::-1] if has_operators(effective) else ways)

    def _compare(self, model: Any, framework: Framework) -> list[str]:
        """Compare a repaired model with the unrepaired file, if the other framework can load it."""
        other = OTHER[framework]
        # A repair may have replaced code, which must not run for the comparison.
        if self._findings(None):
            return []
        try:
            original, _ = self._load(other, None)
        # The other framework cannot load most files, and then there is nothing to compare.
        except Exception:  # noqa: BLE001  # a framework can raise anything
            return []
        if _is_keyed(model) or _is_keyed(original):
            return []
        difference = _difference(model, original)
        # Written so that NaN fails too.
        if not difference <= REPAIR_TOLERANCE:
            rounding = _difference(model, model, nudge=_NUDGE)
            if rounding > REPAIR_TOLERANCE and difference <= _EXPLAINED * rounding:
                return [f"not compared with the file in {other}: rounding alone moves its answers by {rounding:.1g}"]
            raise ModelError(
                expected=f"the repaired model to answer as the file does in {other}",
                found=f"a difference of {difference:.2g} in {self._path}",
            )
        return [f"it answers as the file does in {other}, within {difference:.1g}"]

    def _load_error(self, error: Exception, attempts: Sequence[Attempt]) -> ModelError:
        """Return the error for the most likely cause of the first failure."""
        path, config, reason = self._path, self._header.config, reason_of(error)
        if lacks_input_shape(config):
            return ModelError(
                expected="a model with a known input shape",
                found=f"a Sequential without one: {path}",
                hint="Give its first layer a shape and save it again.",
                path=path,
            )
        if holds_code(config) and any(words in reason for words in _FOREIGN_CODE):
            return ModelError(
                expected=f"Lambda layers with the code of Python {sys.version_info.major}.{sys.version_info.minor}",
                found=f"another version's in {path}: compiled code is only for the Python that wrote it",
                hint="Write each function in a Python file, under the name of its layer "
                f"({', '.join(replacement_names(config))}): --custom-objects module.py",
                path=path,
            )
        module = import_framework(self._writer)
        strangers = unknown_layers(config, module)
        if strangers and not self._module:
            return self._strangers_error(strangers)
        other = OTHER[self._writer]
        skipped = (
            ""
            if any(attempt.framework == other for attempt in attempts)
            else f" ({other} was skipped: the code names hard_sigmoid or ConvLSTM, which differ there)"
        )
        return ModelError(
            expected=f"a model that {self._writer} {module.__version__} can load",
            found=f"{path}: {reason}{skipped}",
            path=path,
        )


def import_framework(name: str) -> Any:
    """Import a framework and register edgevid's own layers with it.

    Args:
        name: "keras" or "tf_keras".
    """
    if name == "keras":
        import keras

        # Importing them registers our layers with Keras.
        import convert.frameworks.frame_difference
        import convert.frameworks.temporal_statistics  # noqa: F401

        return keras
    import tf_keras

    return tf_keras


def _first_success(ways: Sequence[Callable[[], Any]]) -> Any:
    """Return the result of the first call that works; if all fail, raise the first error."""
    errors: list[Exception] = []
    for way in ways:
        try:
            return way()
        except Exception as error:  # noqa: BLE001  # a framework can raise anything
            errors.append(error)
    raise errors[0]


def _without_state(model: Any) -> tuple[Any, tuple[str, ...]]:
    """Rebuild a model that has a fixed batch size or keeps states from call to call."""
    layers = internals.all_layers(model)
    stateful = [layer.name for layer in layers if getattr(layer, "stateful", False) is True]
    has_fixed_batch = any(tensor.shape[0] is not None for tensor in getattr(model, "inputs", None) or [])
    if not stateful and not has_fixed_batch:
        return model, ()
    note = (
        f"{', '.join(stateful)} kept its state from call to call in training (stateful=True); "
        "on the device each window begins with zeros"
    )
    return rebuild(model, without_state), (note,) if stateful else ()


def _is_keyed(model: Any) -> bool:
    """Return whether inputs or outputs are dictionaries, which each framework orders differently."""
    names = ("_inputs_struct", "_outputs_struct", "_nested_inputs", "_nested_outputs")
    return any(isinstance(getattr(model, name, None), dict) for name in names)


def _difference(first: Any, second: Any, *, nudge: float = 1.0) -> float:
    """Return the greatest difference between the answers of two models on two windows of noise.

    Args:
        first: A model.
        second: A model with the same inputs.
        nudge: Factor of the second model's inputs.
    """
    rng = np.random.default_rng(0)
    inputs = [rng.random((2, *[size or 4 for size in tensor.shape[1:]])).astype(np.float32) for tensor in first.inputs]
    others = [each * np.float32(nudge) for each in inputs]
    answers = [
        flat(model(given if len(given) > 1 else given[0], training=False))
        for model, given in ((first, inputs), (second, others))
    ]
    return max(float(np.abs(np.asarray(one) - np.asarray(other)).max()) for one, other in zip(*answers, strict=True))
