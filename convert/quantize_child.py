"""The child process that holds TensorFlow's converter and tries what it makes.

One JSON job a line on standard input, one JSON answer a line on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.backends.litert import LiteRt


def main() -> None:
    """Serve jobs until standard input ends."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow prints to standard output; the answers get a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import tensorflow as tf

    for line in sys.stdin:
        job = json.loads(line)
        error = ""
        try:
            data = convert(tf, job)
            LiteRt().open(data, "the part").invoke()
            Path(job["out"]).write_bytes(data)
        except Exception as reason:  # noqa: BLE001  # whatever the converter raises goes to the parent as a message
            error = _one_line(reason)
        answers.write(json.dumps({"error": error}) + "\n")


def convert(tf: Any, job: dict[str, str]) -> bytes:
    """Convert one SavedModel.

    Args:
        tf: The module tensorflow.
        job: "saved_model", "calibration" (paths) and "precision".

    Returns:
        The `.tflite` file.
    """
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
        converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int16
    if precision in ("int8", "int16x8"):
        converter.representative_dataset = _representative(job["calibration"])
    return bytes(converter.convert())


def _representative(path: str) -> Callable[[], Iterator[dict[str, Any]]]:
    """Give samples by signature name: lists are matched by position, and the converter may order inputs otherwise."""
    with np.load(path) as archive:
        arrays = [archive[f"arr_{index}"] for index in range(len(archive.files))]

    def samples() -> Iterator[dict[str, Any]]:
        for row in zip(*arrays, strict=True):
            yield {f"input_{index}": value[None].astype(np.float32) for index, value in enumerate(row)}

    return samples


def _one_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:400]}" if lines else type(error).__name__


if __name__ == "__main__":
    main()
