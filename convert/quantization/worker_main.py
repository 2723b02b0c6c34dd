"""The child process that holds TensorFlow's converter and tries what it makes.

One JSON job a line on standard input, one JSON answer a line on standard output.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from convert.frameworks.memory import give_back
from edgevid.backends.litert import LiteRt
from edgevid.quant import FLOAT32, QuantParams, quantize

# Samples that layers are compared on: their errors hardly differ from one to the next.
_SHOWN = 4
# Of a float answer and what its twin stands for; their sums are what a signal-to-noise ratio and a cosine are made of.
_ENERGIES: dict[str, Callable[[Any, Any], Any]] = {
    "signal": lambda real, _given: real**2,
    "noise": lambda real, given: (real - given) ** 2,
    "product": lambda real, given: real * given,
    "stored": lambda _real, given: given**2,
}


def _metric(energy: Callable[[Any, Any], Any]) -> Callable[[Any, Any, float, int], float]:
    """Give an energy in the form that the debugger takes: of a float tensor and its int8 twin."""

    def metric(floating: Any, stored: Any, scale: float, zero_point: int) -> float:
        return float(np.sum(energy(floating.astype(np.float64), (stored.astype(np.float64) - zero_point) * scale)))

    return metric


def main() -> None:
    """Serve jobs until standard input ends."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow prints to standard output; the answers get a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import tensorflow as tf

    for line in sys.stdin:
        job = json.loads(line)
        answer: dict[str, Any] = {"error": ""}
        try:
            if job.get("what") == "load":
                _load(job)
            elif job.get("what") == "layers":
                answer["layers"] = layers(tf, job)
            else:
                data = convert(tf, job)
                _run_once(data, job)
                Path(job["out"]).write_bytes(data)
        except Exception as reason:  # noqa: BLE001  # whatever the converter raises goes to the parent as a message
            answer["error"] = _one_line(reason)
        answers.write(json.dumps(answer) + "\n")
        give_back()


def _load(job: dict[str, Any]) -> None:
    """Load a model file and let it go: whether this process survives is the answer, and what a framework says against the file is its parent's to tell."""
    from convert.loading.load import load
    from edgevid.errors import EdgevidError

    custom = job["custom_objects"]
    with contextlib.suppress(EdgevidError):
        load(job["model"], allow_code=job["allow_code"], custom_objects=Path(custom) if custom else None)


def convert(tf: Any, job: dict[str, Any]) -> bytes:
    """Convert one SavedModel.

    Args:
        tf: The module tensorflow.
        job: "saved_model", "calibration" (paths), "precision" and "edgetpu".

    Returns:
        The `.tflite` file.
    """
    return bytes(_converter(tf, job).convert())


def layers(tf: Any, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure what a precision costs each operator of one SavedModel.

    Args:
        tf: The module tensorflow.
        job: "saved_model", "calibration" and "made" (paths); where "made" is empty, int8 is measured, by TensorFlow's QuantizationDebugger.

    Returns:
        One row an operator, as `convert.quantization.layer_errors.rank` takes them.
    """
    samples = list(_representative(job["calibration"])())
    shown = [
        samples[index] for index in np.unique(np.linspace(0, len(samples) - 1, min(_SHOWN, len(samples))).astype(int))
    ]
    return _compared(tf, job, shown) if job["made"] else _debugged(tf, job, shown)


def _compared(tf: Any, job: dict[str, Any], shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from convert.quantization.operator_errors import compare_operators

    rows: dict[int, dict[str, Any]] = {}
    floating = convert(tf, {**job, "precision": "float32"})
    for each in compare_operators(tf, floating, Path(job["made"]).read_bytes(), shown):
        start = {
            "operator": each.operator,
            "tensor": each.tensor,
            "max_abs_error": 0.0,
            **dict.fromkeys(_ENERGIES, 0.0),
        }
        row = rows.setdefault(each.number, start)
        for name, energy in _ENERGIES.items():
            row[name] += float(np.sum(energy(each.floating, each.stored)))
        row["max_abs_error"] = max(row["max_abs_error"], float(np.abs(each.floating - each.stored).max(initial=0.0)))
    return list(rows.values())


def _debugged(tf: Any, job: dict[str, Any], shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    experimental = tf.lite.experimental
    made = experimental.QuantizationDebugger(
        converter=_converter(tf, {**job, "precision": "int8"}),
        debug_dataset=lambda: iter(()),
        debug_options=experimental.QuantizationDebugOptions(fully_quantize=True),
    )
    # A debugger that is made of a converter does not keep the tensors that it compares (TensorFlow 2.21: the arena gives their memory to
    # others), one that is made of a model does.
    fed = _fed(tf, made.quant_model)
    options = experimental.QuantizationDebugOptions(
        layer_direct_compare_metrics={name: _metric(energy) for name, energy in _ENERGIES.items()}
    )
    debugger = experimental.QuantizationDebugger(
        quant_debug_model_content=made.quant_model,
        debug_dataset=lambda: ([quantize(sample[name], params) for name, params in fed] for sample in shown),
        debug_options=options,
    )
    debugger.run()
    return _rows(debugger)


def _fed(tf: Any, model: bytes) -> list[tuple[str, QuantParams]]:
    """Names and grids of a model's inputs in its own order. Given in float, the debugger does not quantise those whose zero point is 0 (TensorFlow 2.21)."""
    inputs = tf.lite.Interpreter(model_content=model).get_input_details()
    found = [(re.search(r"input_\d+", each["name"])[0], each["dtype"], each["quantization"]) for each in inputs]  # type: ignore[index]  # the names are ours
    return [
        (name, QuantParams("int8", float(grid[0]), int(grid[1])) if dtype is np.int8 else FLOAT32)
        for name, dtype, grid in found
    ]


def _rows(debugger: Any) -> list[dict[str, Any]]:
    dump = io.StringIO()
    debugger.layer_statistics_dump(dump)
    wanted = (*_ENERGIES, "max_abs_error")
    rows = csv.DictReader(io.StringIO(dump.getvalue()))
    return [
        {"operator": row["op_name"], "tensor": row["tensor_name"], **{name: float(row[name]) for name in wanted}}
        for row in rows
    ]


def _run_once(data: bytes, job: dict[str, Any]) -> None:
    """Run a part, because a file that cannot run is none: in integers on its first sample, for memory as it comes may ask for a division by zero."""
    backend = LiteRt()
    sample = next(_representative(job["calibration"])(), None)
    if sample is None:
        backend.open(data, "the part").invoke()
        return
    inputs, _ = backend.describe(data)
    run = backend.open(data, "the part").get_signature_runner()
    run(**{name: quantize(sample[name], tensor.params) for name, tensor in inputs.items()})


def _converter(tf: Any, job: dict[str, Any]) -> Any:
    converter = tf.lite.TFLiteConverter.from_saved_model(job["saved_model"])
    precision = job["precision"]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if precision == "int16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.inference_input_type = converter.inference_output_type = tf.int16
    # Dense weights with a grid for every channel came after the Edge TPU's last compiler (TensorFlow 2.16; compiler 16 is of 2021).
    converter._experimental_disable_per_channel_quantization_for_dense_layers = bool(job.get("edgetpu"))
    if precision in ("int8", "int16x8"):
        converter.representative_dataset = _representative(job["calibration"])
    return converter


def _representative(path: str) -> Callable[[], Iterator[dict[str, Any]]]:
    """Give samples by signature name: lists are matched by position, and the converter may order inputs otherwise."""
    with np.load(path) as archive:
        arrays = [archive[f"arr_{index}"] for index in range(len(archive.files))]

    def samples() -> Iterator[dict[str, Any]]:
        # What the graph was read from is garbage by now, and calibration takes memory of its own.
        give_back()
        for row in zip(*arrays, strict=True):
            yield {f"input_{index}": value[None].astype(np.float32) for index, value in enumerate(row)}

    return samples


def _one_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:400]}" if lines else type(error).__name__


if __name__ == "__main__":
    main()
