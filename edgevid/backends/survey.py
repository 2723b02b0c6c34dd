"""Survey any `.tflite` file: its operators and tensors, and whether this machine can run it.

    python -m edgevid.backends.survey FILE.tflite

The survey runs in a child process, because an interpreter can crash on a file that it cannot run.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevid.backends.litert import LiteRt
from edgevid.errors import BackendError, UsageError
from edgevid.schema import to_json

# The flatbuffer's file identifier, after the offset of its root table.
MAGIC, MAGIC_OFFSET = b"TFL3", 4
EDGE_TPU = "edgetpu-custom-op"
_FLEX = "Flex"
_TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The content of one `.tflite` file.

    Attributes:
        operators: Number of occurrences by operator name.
        flex: TensorFlow's own operators among them, which no device runtime has.
        edgetpu: Whether the file was compiled for the Edge TPU.
        inputs, outputs: "name", "shape" (-1 for an open size), "dtype", "scale" and "zero_point" of
            each tensor.
        runs: Whether the interpreter on this machine runs it once.
        reason: Reason why not; empty if it runs.
    """

    operators: dict[str, int]
    flex: tuple[str, ...]
    edgetpu: bool
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    runs: bool
    reason: str

    @property
    def dynamic(self) -> bool:
        """Whether a size other than the batch is open."""
        return any(-1 in each["shape"][1:] for each in (*self.inputs, *self.outputs))


def is_tflite(path: str | Path) -> bool:
    """Return whether a file's first bytes are those of a `.tflite` model."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return handle.read(MAGIC_OFFSET + len(MAGIC))[MAGIC_OFFSET:] == MAGIC


def survey(path: str | Path) -> Survey:
    """Survey a `.tflite` file in a child process.

    Raises:
        UsageError: The file does not exist.
        BackendError: The file is not a `.tflite` model, or the interpreter crashes on it.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(expected="a .tflite file", found=f"none at {path}", path=path)
    # -P keeps the working directory off sys.path: a file in it could replace a module that the
    # child imports.
    command = [sys.executable, "-P", "-m", "edgevid.backends.survey", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BackendError(
            expected=f"the interpreter to finish with {path} within {_TIMEOUT_S:.0f} s", found="no answer", path=path
        ) from error
    if done.returncode != 0:
        raise BackendError(
            expected="a .tflite model that does not crash the interpreter",
            found=f"{path}, which {_death(done.returncode)}",
            path=path,
        )
    # The interpreter itself may print to stdout, so read only the last line.
    result = json.loads(done.stdout.splitlines()[-1])
    if "error" in result:
        raise BackendError(result["error"], path=path)
    # JSON turned the tuples into lists.
    lists = {name: tuple(result[name]) for name in ("flex", "inputs", "outputs")}
    return Survey(**{**result, **lists})


def _death(code: int) -> str:
    if code < 0:
        return f"ended its process by {signal.Signals(-code).name}"
    return f"ended its process with status {code}"


def _survey_in_process(path: Path) -> Survey:
    backend, data = LiteRt(), path.read_bytes()
    operators = backend.operators(data, path.name)
    inputs, outputs = backend.tensors(data, path.name)
    flex = tuple(name for name in operators if name.startswith(_FLEX))
    reason = ""
    try:
        backend.open(data, path.name).invoke()
    except (BackendError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
    return Survey(
        operators=operators,
        flex=flex,
        edgetpu=EDGE_TPU in operators,
        inputs=inputs,
        outputs=outputs,
        runs=not reason,
        reason=reason,
    )


def main() -> int:
    """Print the survey of the file in the first argument as one line of JSON."""
    try:
        result: Any = to_json(_survey_in_process(Path(sys.argv[1])))
    except BackendError as error:
        result = {"error": str(error)}
    sys.stdout.write(f"{json.dumps(result)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
