"""The child process that runs TensorFlow's converter, and runs each converted part once.

The protocol is one JSON object per line: jobs on standard input, answers on standard output. The key "what" of
a job is "load", "layers", or absent for a conversion. The key "error" of an answer is empty, or one line.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convert.clips import evenly_spread
from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.frameworks.release_memory import give_back
from convert.sample_file import read_samples
from edgevid.backends.litert import LiteRt
from edgevid.quant import quantize

if TYPE_CHECKING:
    from convert.quantization.operator_errors import OperatorOutputs

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
    from convert.onnx_file.model import OnnxModel
    from edgevid.errors import EdgevidError

    custom, weights = (Path(each) if each else None for each in (job["custom_objects"], job["weights"]))
    # The parent loads the file too, and reports the framework's errors.
    with contextlib.suppress(EdgevidError):
        model = load(job["model"], allow_code=job["allow_code"], custom_objects=custom, weights=weights).model
        if isinstance(model, OnnxModel):
            # Its translation and its runtime start when the axes are known.
            model.with_layout(axes=None, frames=None, size=None)


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
    # Counted first, and then only the picked ones are held.
    count = sum(1 for _ in read_samples(job["calibration"]))
    wanted = set(evenly_spread(count, _COMPARED_SAMPLES))
    picked = [sample for index, sample in enumerate(_representative(job["calibration"])()) if index in wanted]
    return _compare(tf, job, picked) if job["made"] else _debug(tf, job, picked)


def _compare(tf: Any, job: dict[str, Any], samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from convert.quantization.operator_errors import compare_operators

    floating = convert(tf, {**job, "precision": "float32"})
    return _rows(compare_operators(tf, floating, Path(job["made"]).read_bytes(), samples), max)


def _debug(tf: Any, job: dict[str, Any], samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from convert.quantization.operator_errors import compare_twins

    experimental = tf.lite.experimental
    debugged = experimental.QuantizationDebugger(
        converter=_converter(tf, {**job, "precision": "int8"}),
        debug_dataset=lambda: iter(()),
        debug_options=experimental.QuantizationDebugOptions(fully_quantize=True),
    ).quant_model
    # Calibration is over, and the comparison needs memory of its own.
    give_back()
    return _rows(compare_twins(tf, debugged, samples), statistics.fmean)


def _rows(outputs: Iterable[OperatorOutputs], over_samples: Callable[[list[float]], float]) -> list[dict[str, Any]]:
    """Return one row per operator.

    Args:
        outputs: Of every operator, sample by sample.
        over_samples: From the largest error on each sample to the one in the row.
    """
    rows: dict[int, dict[str, Any]] = {}
    errors: dict[int, list[float]] = {}
    for each in outputs:
        start = {"operator": each.operator, "tensor": each.tensor, **dict.fromkeys(_ENERGIES, 0.0)}
        row, worst = rows.setdefault(each.number, start), 0.0
        for floating, stored in each.numbers():
            for name, energy in _ENERGIES.items():
                row[name] += float(np.sum(energy(floating, stored)))
            worst = max(worst, float(np.abs(floating - stored).max(initial=0.0)))
        errors.setdefault(each.number, []).append(worst)
    return [rows[number] | {"max_abs_error": over_samples(errors[number])} for number in sorted(rows)]


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
    def samples() -> Iterator[dict[str, Any]]:
        # The objects that the graph was read from are garbage by now, and calibration needs memory of its own.
        give_back()
        # By name: the converter matches lists by position, and may order inputs differently.
        for sample in read_samples(path):
            yield {f"input_{index}": values[None] for index, values in enumerate(sample)}

    return samples


def _describe(error: Exception) -> str:
    name, reason = type(error).__name__, reason_of(error)
    return name if reason == name else f"{name}: {reason}"


if __name__ == "__main__":
    main()
