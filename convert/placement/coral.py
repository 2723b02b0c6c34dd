"""Add a twin for the Edge TPU to the first part of a bundle, if Google's compiler is installed.

The head stays on the CPU. The compiler fails on recurrent layers over many features
(https://github.com/google-coral/edgetpu/issues/598), and a head is by far the smaller part. Nothing here fails a
conversion: a bundle without a twin runs everywhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convert.placement.edgetpu_table import check, mapped, table
from convert.tflite_file import TfliteFile, read_tflite
from edgevid.bundle import Bundle
from edgevid.bundle.parts import Part
from edgevid.errors import ModelError

# The compiler replaces all operators that it maps by one with this name.
CUSTOM_OPERATOR = "edgetpu-custom-op"
_LIMIT_S = 600
_COUNTS = re.compile(r"Number of operations that will run on (Edge TPU|CPU): (\d+)")
# Characters of the compiler's log in a warning; its error comes last.
_LONGEST_LOG = 300


@dataclass(frozen=True)
class Coral:
    """The result of adding a twin.

    Attributes:
        bundle: With the twin, or unchanged.
        report: Checks and counts of operators; JSON-ready.
        warning: Why there is no twin; empty if there is one.
    """

    bundle: Bundle
    report: dict[str, Any]
    warning: str


def add_twin(bundle: Bundle) -> Coral:
    """Compile the first part of a bundle for the Edge TPU, if the compiler is on PATH.

    Args:
        bundle: A bundle whose first part is in int8.

    Returns:
        The bundle with the twin; or the same bundle, with a warning that says why and what to do.
    """
    part = bundle.manifest.parts[0]
    data = bundle.models[part.file]
    report = _checked(part, read_tflite(data, part.file))
    program = shutil.which(table()["compiler"]["program"])
    if program is None:
        warning = _missing_compiler()
        return Coral(bundle, {**report, "compiled": False, "message": warning}, warning)
    compiled, log = _compile(program, data, part.file)
    problem = (
        f"{Path(program).name} failed on {part.file}: {log[-_LONGEST_LOG:]}"
        if compiled is None
        else _mismatch(part, compiled)
    )
    counts = {name: int(count) for name, count in _COUNTS.findall(log)}
    report |= {
        "on_edgetpu": counts.get("Edge TPU"),
        "on_cpu": counts.get("CPU"),
        "compiled": not problem,
        "message": problem,
    }
    if compiled is None or problem:
        return Coral(bundle, report, f"{problem}. The bundle has no part for the Edge TPU and runs on the CPU")
    return Coral(_with_twin(bundle, part, compiled), {**report, "bytes": len(compiled)}, "")


def join_twin(bundle: Bundle, compiled: bytes) -> Coral:
    """Add a twin that was compiled elsewhere.

    Args:
        bundle: A bundle whose first part is in int8.
        compiled: The compiler's output for that part.

    Returns:
        The bundle with the twin and an updated report; or the same bundle, with a warning that says why the bytes
        are no twin of its first part.
    """
    part = bundle.manifest.parts[0]
    problem = _mismatch(part, compiled)
    if problem:
        return Coral(bundle, {}, problem)
    report = _checked(part, read_tflite(bundle.models[part.file], part.file))
    report |= {"on_edgetpu": None, "on_cpu": None, "compiled": True, "message": "", "bytes": len(compiled)}
    joined = _with_twin(bundle, part, compiled)
    return Coral(replace(joined, report=_updated_report(bundle.report, report)), report, "")


def _missing_compiler() -> str:
    compiler = table()["compiler"]
    return (
        f"no {compiler['program']} on PATH, so the bundle has no part for the Edge TPU and runs on the CPU. "
        f"{compiler['how_to_get']}, then convert again"
    )


def _updated_report(report: Mapping[str, Any], edgetpu: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bundle's report with its twin, without the warning that there is none."""
    before = (report.get("edgetpu") or {}).get("message", "")
    warnings = [each for each in report.get("warnings", []) if not before or not each.startswith(before)]
    return {**report, "edgetpu": dict(edgetpu), "warnings": warnings}


def _checked(part: Part, file: TfliteFile) -> dict[str, Any]:
    """Return what the table predicts for a part, JSON-ready."""
    verdicts = check(file)
    refused = Counter((each.operator, each.reason) for each in verdicts if each.reason)
    return {
        "part": part.role,
        "operators": len(verdicts),
        "expected_on_edgetpu": mapped(verdicts),
        "refused": [
            {"operator": operator, "reason": reason, "count": count}
            for (operator, reason), count in refused.most_common()
        ],
    }


def _compile(program: str, data: bytes, file: str) -> tuple[bytes | None, str]:
    """Run the compiler; return its output file, or None if it failed, and its log on one line."""
    with tempfile.TemporaryDirectory(prefix="edgevid-coral-") as folder:
        source = Path(folder) / file
        source.write_bytes(data)
        try:
            # -s lists the operators, from which `add_twin` reads their counts.
            done = subprocess.run(
                [program, "-s", "-o", folder, str(source)],
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, f"it took longer than {_LIMIT_S} s"
        except OSError as error:
            return None, str(error)
        log = " ".join(f"{done.stdout} {done.stderr}".split()) or f"exit code {done.returncode}"
        # The compiler names its output after its input.
        output = source.with_name(f"{source.stem}_edgetpu.tflite")
        return (output.read_bytes() if done.returncode == 0 and output.is_file() else None), log


def _mismatch(part: Part, compiled: bytes) -> str:
    """Return why compiled bytes are no twin of a part; empty if they are one."""
    try:
        file = read_tflite(compiled, "its output")
    except ModelError as error:
        return str(error).rstrip(".")
    if all(each.kind != CUSTOM_OPERATOR for each in file.operators):
        return f"no operator of {part.file} is mapped to the Edge TPU"
    # The device feeds either file with the same bytes, so names, shapes and grids have to agree.
    if (_interface(file, file.inputs), _interface(file, file.outputs)) != (_wanted(part.inputs), _wanted(part.outputs)):
        return f"its inputs or outputs are not those of {part.file}"
    return ""


def _interface(file: TfliteFile, numbers: tuple[int, ...]) -> set[tuple[Any, ...]]:
    tensors = [file.tensors[number] for number in numbers]
    return {(each.name, each.shape, each.dtype, each.scales, each.zero_points) for each in tensors}


def _wanted(tensors: tuple[Any, ...]) -> set[tuple[Any, ...]]:
    return {(each.name, each.shape, each.dtype, (each.scale,), (each.zero_point,)) for each in tensors}


def _with_twin(bundle: Bundle, part: Part, compiled: bytes) -> Bundle:
    file = f"{Path(part.file).stem}_edgetpu.tflite"
    parts = (replace(part, edgetpu=file), *bundle.manifest.parts[1:])
    return replace(bundle, manifest=replace(bundle.manifest, parts=parts), models={**bundle.models, file: compiled})


def describe(report: dict[str, Any]) -> str:
    """Return a line of text for the report of a `Coral`."""
    refused = "; ".join(f"{each['count']} {each['operator']} {each['reason']}" for each in report["refused"])
    counts = f"{report['expected_on_edgetpu']} of {report['operators']} operators"
    line = f"{report['part']}: the Edge TPU's table takes {counts}" + (f" ({refused})" if refused else "")
    if not report["compiled"]:
        return f"{line}; not compiled"
    # Only a compiler that ran here reports its counts.
    if report["on_edgetpu"] is None:
        return f"{line}; compiled elsewhere"
    return f"{line}; compiled, {report['on_edgetpu']} on the Edge TPU"
