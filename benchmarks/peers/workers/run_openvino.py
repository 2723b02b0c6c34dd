"""OpenVINO on the whole window, or on an encoder and a head around a cache of features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
from frame_windows import Array, Push, feature_cache, pixels_to_input, whole_window

# Latency of single requests, one thread; float32 as trained, where the processor has bfloat16 too.
_OPTIONS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
    "ENABLE_CPU_PINNING": False,
}


def peer(job: dict[str, Any]) -> Push:
    """Return the peer that the job names."""
    runtime = openvino.Core()
    prepare = pixels_to_input(np.float32, 1.0, 0)
    if job["kind"] == "window":
        return whole_window(_request(runtime, job["files"]["whole"]), prepare, length=job["window"])
    encoder, head = (_request(runtime, job["files"][part]) for part in ("encoder", "head"))
    return feature_cache(lambda frame: encoder(prepare(frame)[None]), head, length=job["window"])


def _request(runtime: Any, path: str) -> Callable[[Array], Array]:
    request = runtime.compile_model(path, "CPU", _OPTIONS).create_infer_request()
    given, result = request.get_input_tensor(0), request.get_output_tensor(0)

    def run(values: Array) -> Array:
        # Into the request's own tensors: a dictionary of arrays costs several times as much.
        given.data[:] = values
        request.infer()
        return result.data[0].copy()

    return run
