"""Makes ONNX files with tf2onnx, and quantises them with ONNX Runtime's own tools.

Run by `chores.run`, in the environment `tensorflow` of the requirements.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.doing import do_all


def converted(chore: dict[str, Any], out: Path) -> None:
    """Convert a SavedModel with tf2onnx's command line."""
    command = ["-m", "tf2onnx.convert", "--saved-model", chore["saved"], "--output", str(out), "--opset", "17"]
    done = subprocess.run([sys.executable, *command], check=False, capture_output=True, text=True)
    if done.returncode or not out.exists():
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise ValueError(lines[-1] if lines else f"tf2onnx ended with status {done.returncode}")


def quantised(chore: dict[str, Any], out: Path) -> None:
    """Quantise an ONNX file statically, weights by channel, as ONNX Runtime's documentation advises."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = out.with_suffix(".ready.onnx")
    quant_pre_process(chore["source"], str(ready), skip_symbolic_shape=True)
    name = onnx.load(str(ready)).graph.input[0].name
    quantization.quantize_static(
        str(ready), str(out), _Examples(np.load(chore["examples"]), name),
        quant_format=quantization.QuantFormat.QDQ, per_channel=True,
    )  # fmt: skip
    ready.unlink()


class _Examples:
    """ONNX Runtime's `CalibrationDataReader`: dictionaries until there are no more."""

    def __init__(self, values: np.ndarray[Any, Any], name: str) -> None:
        self._left: Iterator[dict[str, Any]] = ({name: each} for each in values)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._left, None)


if __name__ == "__main__":
    sys.exit(do_all({"float": converted, "int8": quantised}))
