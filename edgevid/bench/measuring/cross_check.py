"""LiteRT's own benchmark tool on each part, as a check of the harness in the same session."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from edgevid.bench.figures import Estimate
from edgevid.bundle import Bundle
from edgevid.errors import EdgevidError

# A part of the device's wheel, run as a program: `pip show -f ai-edge-litert`.
_TOOL = "ai_edge_litert.tools.benchmark_litert_model"
_RUNS, _WARM_UP_RUNS, _LIMIT_S = 1000, 100, 600


def cross_check(bundle: Bundle, *, threads: int) -> dict[str, Estimate]:
    """Time the parts of a bundle.

    Args:
        bundle: The bundle.
        threads: Interpreter threads.

    Returns:
        By role the median in ms, between p5 and p95; the tool rounds to 0.01 ms.

    Raises:
        EdgevidError: The tool is not installed, or fails on a part.
    """
    with tempfile.TemporaryDirectory(prefix="edgevid-bench-") as folder:
        found: dict[str, Estimate] = {}
        for part in bundle.manifest.parts:
            model, answer = Path(folder) / "part.tflite", Path(folder) / "answer.json"
            model.write_bytes(bundle.models[part.file])
            found[part.role] = _time(model, answer, threads=threads)
    return found


def _time(model: Path, answer: Path, *, threads: int) -> Estimate:
    command = [sys.executable, "-P", "-m", _TOOL, f"--model={model}", f"--result_json={answer}"]
    amounts = [f"--num_threads={threads}", f"--num_runs={_RUNS}", f"--warmup_runs={_WARM_UP_RUNS}"]
    last = "no answer in time"
    try:
        done = subprocess.run([*command, *amounts], capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        latency = json.loads(answer.read_text())["latency"]
        return Estimate(value=latency["median_ms"], low=latency["p5_ms"], high=latency["p95_ms"])
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        raise EdgevidError(
            expected="LiteRT's own benchmark tool to time a part",
            found=last,
            hint="Leave --cross-check out, or install ai-edge-litert 2.3 or later.",
        ) from error
