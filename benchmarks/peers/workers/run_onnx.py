"""ONNX Runtime on the whole window, or on an encoder and a head around a cache of features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from frame_windows import Array, Push, feature_cache, pixels_to_input, whole_window


def peer(job: dict[str, Any]) -> Push:
    """Return the peer that the job names."""
    prepare = pixels_to_input(np.float32, 1.0, 0)
    if job["kind"] == "window":
        return whole_window(_session(job["files"]["whole"]), prepare, length=job["window"])
    encoder, head = _session(job["files"]["encoder"]), _session(job["files"]["head"])
    return feature_cache(lambda frame: encoder(prepare(frame)[None]), head, length=job["window"])


def _session(path: str) -> Callable[[Array], Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, wanted = session.get_inputs()[0].name, [session.get_outputs()[0].name]
    return lambda values: session.run(wanted, {name: values})[0][0]
