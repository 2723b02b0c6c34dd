"""The child process that runs TensorFlow's converter, and runs each converted part once.

The protocol is one JSON object per line: jobs on standard input, answers on standard output. The key "what" of
a job is "load", "layers", or absent for a conversion. The key "error" of an answer is empty, or one line.
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

from convert.clips import evenly_spread
from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.frameworks.release_memory import give_back
from edgevid.backends.litert import LiteRt
from edgevid.quant import FLOAT32, QuantParams, quantize

# Samples for the comparison of layers: their errors hardly differ from one sample to the next.
_COMPARED_SAMPLES = 4
# Sums over a float output and its twin, from which a signal-to-noise ratio and a cosine are computed.
_ENERGIES: dict[str, Callable[[Any, Any], Any]] = {
    "signal": lambda real, _stored: real**2,
    "noise": lambda real, stored: (real - stored) ** 2,
    "product": lambda real, stored: real * stored,
    "stored": lambda _real, stored: stored**2,
}


def main() -> None:
    """Serve jobs until standard input ends."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow prints to standard output. The answers get a descriptor of their own, and 1 becomes the log.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import tensorflow as tf

    for line in sys.stdin:
        job = json.loads(line)
        answer: dict[str, Any] = {"error": ""}
        try:
            answer |= _serve(tf, job)
        except Exception as error:  # noqa: BLE001  # any error of the converter goes to the parent as a message
            answer["error"] = _describe(error)
        answers.write(json.dumps(answer) + "\n")
        give_back()


def _serve(tf: Any, job: dict[str, Any]) -> dict[str, Any]:
    match job.get("what"):
        case "load":
            _load(job)
        case "layers":
            return {"layers": layers(tf, job)}
        case _:
            data = convert(tf, job)
            _run_once(data, job)
            Path(job["out"]).write_bytes(data)
    return {}


def _load(job: dict[str, Any]) -> None:
    """Load a model file and discard it: only whether this process survives matters."""
    from convert.loading.load import load
    from edgevid.errors import EdgevidError

    custom, weights = (Path(each) if each else None for each in (job["custom_objects"], job["weights"]))
    # The parent loads the file too, and reports the framework's errors.
    with contextlib.suppress(EdgevidError):
        load(job["model"], allow_code=job["allow_code"], custom_objects=custom, weights=weights)


def convert(tf: Any, job: dict[str, Any]) -> bytes:
    """Convert one SavedModel.

    Args:
        tf: The module tensorflow.
        job: "saved_model" and "calibration" (paths), "precision" and "edgetpu".

    Returns:
        The `.tflite` file.
    """
    return bytes(_converter(tf, job).convert())


def layers(tf: Any, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure the loss of each operator of one SavedModel.

    Args:
        tf: The module tensorflow.
        job: "saved_model", "calibration" and "made" (paths). If "made" is empty, TensorFlow's QuantizationDebugger
            measures int8.

    Returns:
        One row per operator, for `convert.quantization.layer_errors.rank`.
    """
    samples = list(_representative(job["calibration"])())
    picked = [samples[index] for index in evenly_spread(len(samples), _COMPARED_SAMPLES)]
    return _compare(tf, job, picked) if job["made"] else _debug(tf, job, picked)


def _compare(tf: Any, job: dict[str, Any], samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from convert.quantization.operator_errors import compare_operators

    rows: dict[int, dict[str, Any]] = {}
    floating = convert(tf, {**job, "precision": "float32"})
    for each in compare_operators(tf, floating, Path(job["made"]).read_bytes(), samples):
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


def _debug(tf: Any, job: dict[str, Any], samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    experimental = tf.lite.experimental
    made = experimental.QuantizationDebugger(
        converter=_converter(tf, {**job, "precision": "int8"}),
        debug_dataset=lambda: iter(()),
        debug_options=experimental.QuantizationDebugOptions(fully_quantize=True),
    )
    # A second debugger, from the first one's model: made from a converter, it does not preserve the tensors that
    # it compares, and the arena reuses their memory (TensorFlow 2.21).
    inputs = _inputs(tf, made.quant_model)
    options = experimental.QuantizationDebugOptions(
        layer_direct_compare_metrics={name: _metric(energy) for name, energy in _ENERGIES.items()}
    )
    debugger = experimental.QuantizationDebugger(
        quant_debug_model_content=made.quant_model,
        # Quantised here: from float inputs the debugger skips those whose zero point is 0 (TensorFlow 2.21).
        debug_dataset=lambda: ([quantize(sample[name], params) for name, params in inputs] for sample in samples),
        debug_options=options,
    )
    debugger.run()
    return _rows(debugger)


def _metric(energy: Callable[[Any, Any], Any]) -> Callable[[Any, Any, float, int], float]:
    """Return an energy as a metric of the debugger: a function of a float tensor, its int8 twin and their grid."""

    def metric(floating: Any, stored: Any, scale: float, zero_point: int) -> float:
        return float(np.sum(energy(floating.astype(np.float64), (stored.astype(np.float64) - zero_point) * scale)))

    return metric


def _inputs(tf: Any, model: bytes) -> list[tuple[str, QuantParams]]:
    """Return the names and grids of a model's inputs, in the model's order."""
    details = tf.lite.Interpreter(model_content=model).get_input_details()
    return [(_signature_name(each["name"]), _input_grid(each)) for each in details]


def _signature_name(tensor: str) -> str:
    # `export` named the inputs; TensorFlow adds a prefix and a suffix.
    found = re.search(r"input_\d+", tensor)
    assert found is not None
    return found[0]


def _input_grid(detail: dict[str, Any]) -> QuantParams:
    scale, zero_point = detail["quantization"]
    return QuantParams("int8", float(scale), int(zero_point)) if detail["dtype"] is np.int8 else FLOAT32


def _rows(debugger: Any) -> list[dict[str, Any]]:
    # Only the CSV dump joins the statistics with the names of operators and tensors.
    dump = io.StringIO()
    debugger.layer_statistics_dump(dump)
    numbers = (*_ENERGIES, "max_abs_error")
    rows = csv.DictReader(io.StringIO(dump.getvalue()))
    return [
        {"operator": row["op_name"], "tensor": row["tensor_name"], **{name: float(row[name]) for name in numbers}}
        for row in rows
    ]


def _run_once(data: bytes, job: dict[str, Any]) -> None:
    """Run a converted part, so that a file that cannot run fails here and not in the parent."""
    backend = LiteRt()
    sample = next(_representative(job["calibration"])(), None)
    if sample is None:
        backend.open(data, "the part").invoke()
        return
    # On a sample: uninitialised memory may hold a zero that an integer kernel divides by.
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
    # The Edge TPU's last compiler (16, of 2021) is older than per-channel grids of dense weights (TensorFlow 2.16).
    if job.get("edgetpu"):
        internals.use_one_grid_per_dense_layer(converter)
    if precision in ("int8", "int16x8"):
        converter.representative_dataset = _representative(job["calibration"])
    return converter


def _representative(path: str) -> Callable[[], Iterator[dict[str, Any]]]:
    with np.load(path) as archive:
        arrays = [archive[f"arr_{index}"] for index in range(len(archive.files))]

    def samples() -> Iterator[dict[str, Any]]:
        # The objects that the graph was read from are garbage by now, and calibration needs memory of its own.
        give_back()
        # By name: the converter matches lists by position, and may order inputs differently.
        for row in zip(*arrays, strict=True):
            yield {f"input_{index}": value[None].astype(np.float32) for index, value in enumerate(row)}

    return samples


def _describe(error: Exception) -> str:
    name, reason = type(error).__name__, reason_of(error)
    return name if reason == name else f"{name}: {reason}"


if __name__ == "__main__":
    main()
