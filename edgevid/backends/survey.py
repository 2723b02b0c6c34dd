"""What a `.tflite` file from anywhere holds, and whether this machine can run it.

The looking is done in a process of its own: an interpreter can end its process on a file that it cannot take, and the file may be anyone's.

    python -m edgevid.backends.survey FILE.tflite
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

MAGIC, MAGIC_OFFSET = b"TFL3", 4
EDGE_TPU = "edgetpu-custom-op"
_FLEX = "Flex"
_TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Survey:
    """One `.tflite` file.

    Attributes:
        operators: Names, and how often each occurs.
        flex: Of these, TensorFlow's own, which no device runtime has.
        edgetpu: Whether it was compiled for the Edge TPU.
        inputs, outputs: Name, shape (-1 for an open size), type, scale and zero point of each.
        runs: Whether the interpreter here runs it once.
        reason: Why not.
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
        """Whether a size other than the batch is left open."""
        return any(-1 in each["shape"][1:] for each in (*self.inputs, *self.outputs))


def is_tflite(path: str | Path) -> bool:
    """Tell whether a file is a `.tflite` model by its first bytes.

    Args:
        path: Any file.

    Returns:
        Whether it is.
    """
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return handle.read(MAGIC_OFFSET + len(MAGIC))[MAGIC_OFFSET:] == MAGIC


def survey(path: str | Path) -> Survey:
    """Look at a `.tflite` file in a process of its own.

    Args:
        path: The file.

    Returns:
        What was found.

    Raises:
        UsageError: There is no such file.
        BackendError: It is no `.tflite` model, or the interpreter dies of it.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(expected="a .tflite file", found=f"none at {path}", path=path)
    command = [sys.executable, "-P", "-m", "edgevid.backends.survey", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BackendError(
            expected=f"the interpreter to be done with {path} within {_TIMEOUT_S:.0f} s",
            found="no answer; it was ended",
            path=path,
        ) from error
    if done.returncode != 0:
        death = (
            f"was ended by {signal.Signals(-done.returncode).name}"
            if done.returncode < 0
            else f"ended with status {done.returncode}"
        )
        raise BackendError(
            expected="a .tflite model that the interpreter survives", found=f"{path}: its process {death}", path=path
        )
    found = json.loads(done.stdout.splitlines()[-1])
    if "error" in found:
        raise BackendError(found["error"], path=path)
    return Survey(
        **{**found, "flex": tuple(found["flex"]), "inputs": tuple(found["inputs"]), "outputs": tuple(found["outputs"])}
    )


def _look(path: Path) -> Survey:
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
        found: Any = to_json(_look(Path(sys.argv[1])))
    except BackendError as error:
        found = {"error": str(error)}
    sys.stdout.write(f"{json.dumps(found)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
