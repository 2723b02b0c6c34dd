"""Gives the first part of a bundle a twin for the Edge TPU: held against the published table, then compiled by Google's compiler where it is installed.

The head stays on the CPU: the compiler fails on recurrent layers over many features (https://github.com/google-coral/edgetpu/issues/598), and a head
is the smaller part by far. Nothing here fails a conversion: a bundle without a twin runs everywhere.
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
from edgevid.bundle.manifest import Part
from edgevid.errors import ModelError

CUSTOM_OPERATOR = "edgetpu-custom-op"
_LIMIT_S = 600
_COUNTS = re.compile(r"Number of operations that will run on (Edge TPU|CPU): (\d+)")
_WORDS = 300


@dataclass(frozen=True)
class Coral:
    """What came of it.

    Attributes:
        bundle: With the twin, where there is one.
        report: What was checked, run and found; JSON-ready.
        warning: What a person has to know, or an empty string.
    """

    bundle: Bundle
    report: dict[str, Any]
    warning: str


def add_twin(bundle: Bundle) -> Coral:
    """Check the first part of a bundle, and compile it where the compiler is on PATH.

    Args:
        bundle: A bundle whose first part is in int8.

    Returns:
        The bundle with the twin of its first part, or as it was, with a warning that says why and what to do.
    """
    part = bundle.manifest.parts[0]
    data = bundle.models[part.file]
    report = _checked(part, read_tflite(data, part.file))
    program = shutil.which(table()["compiler"]["program"])
    if program is None:
        what = table()["compiler"]
        warning = f"no {what['program']} on PATH, so the bundle has no part for the Edge TPU and runs on the CPU. {what['how_to_get']}, then convert again"
        return Coral(bundle, {**report, "compiled": False, "message": warning}, warning)
    compiled, words = _compile(program, data, part.file)
    refusal = (
        f"{Path(program).name} made nothing of {part.file}: {words[-_WORDS:]}"
        if compiled is None
        else _refusal(part, compiled)
    )
    counts = {name: int(count) for name, count in _COUNTS.findall(words)}
    report |= {
        "on_edgetpu": counts.get("Edge TPU"),
        "on_cpu": counts.get("CPU"),
        "compiled": not refusal,
        "message": refusal,
    }
    if compiled is None or refusal:
        return Coral(bundle, report, f"{refusal}. The bundle has no part for the Edge TPU and runs on the CPU")
    return Coral(_with_twin(bundle, part, compiled), {**report, "bytes": len(compiled)}, "")


def join_twin(bundle: Bundle, compiled: bytes) -> Coral:
    """Give a bundle a twin that was compiled elsewhere.

    Args:
        bundle: A bundle whose first part is in int8.
        compiled: What the compiler made of that part.

    Returns:
        The bundle with the twin, its report telling of it; or as it was, with a warning that says why the bytes are none.
    """
    part = bundle.manifest.parts[0]
    refusal = _refusal(part, compiled)
    if refusal:
        return Coral(bundle, {}, refusal)
    report = _checked(part, read_tflite(bundle.models[part.file], part.file))
    report |= {"on_edgetpu": None, "on_cpu": None, "compiled": True, "message": "", "bytes": len(compiled)}
    joined = _with_twin(bundle, part, compiled)
    return Coral(replace(joined, report=_told_again(bundle.report, report)), report, "")


def _told_again(describe: Mapping[str, Any], edgetpu: Mapping[str, Any]) -> dict[str, Any]:
    """A bundle's report once it has its twin: what warned that it had none is gone."""
    before = (describe.get("edgetpu") or {}).get("message", "")
    left = [each for each in describe.get("warnings", []) if not before or not each.startswith(before)]
    return {**describe, "edgetpu": dict(edgetpu), "warnings": left}


def _checked(part: Part, file: TfliteFile) -> dict[str, Any]:
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
    """Run the compiler; give what it made, if anything, and its words on one line."""
    with tempfile.TemporaryDirectory(prefix="edgevid-coral-") as folder:
        source = Path(folder) / file
        source.write_bytes(data)
        try:
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
        words = " ".join(f"{done.stdout} {done.stderr}".split())
        made = source.with_name(f"{source.stem}_edgetpu.tflite")
        return (
            made.read_bytes() if done.returncode == 0 and made.is_file() else None
        ), words or f"exit code {done.returncode}"


def _refusal(part: Part, compiled: bytes) -> str:
    """Say why compiled bytes are no twin of a part: another interface, or nothing in them for the Edge TPU."""
    try:
        file = read_tflite(compiled, "its output")
    except ModelError as error:
        return str(error).rstrip(".")
    if all(each.kind != CUSTOM_OPERATOR for each in file.operators):
        return f"no operator of {part.file} is mapped to the Edge TPU"
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
    """Say it for a person.

    Args:
        report: Of a `Coral`.

    Returns:
        One line.
    """
    refused = "; ".join(f"{each['count']} {each['operator']} {each['reason']}" for each in report["refused"])
    line = (
        f"{report['part']}: the Edge TPU's table takes {report['expected_on_edgetpu']} of {report['operators']} operators"
        + (f" ({refused})" if refused else "")
    )
    if not report["compiled"]:
        return f"{line}; not compiled"
    return (
        f"{line}; compiled elsewhere"
        if report["on_edgetpu"] is None
        else f"{line}; compiled, {report['on_edgetpu']} on the Edge TPU"
    )
