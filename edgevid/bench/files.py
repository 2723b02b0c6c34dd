"""Result files: JSON that follows the format, and the raw samples beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path

import numpy as np

from edgevid import atomic
from edgevid.bench.result import FORMAT, VERSION, RawFile, Result
from edgevid.bench.rules import judge
from edgevid.bundle.npy import read_npz
from edgevid.errors import ContractError, ManifestInvalid, ResultInvalid, UsageError
from edgevid.frames import Array
from edgevid.schema import from_json, to_json
from edgevid.telemetry.telemetry import STAGES

# A hundred nanoseconds: below the noise of every clock, and it compresses well.
RAW_STEP_NS = 100
_LONGEST_FILE, _LONGEST_TEXT = 64 << 20, 4000
# Rows of a hundred processes.
_MOST_RAW_BYTES = 1 << 28


def write(result: Result, samples: Array, path: Path) -> Result:
    """Write a result and its raw samples.

    Args:
        result: Without `raw`.
        samples: (N, 1 + stages) int64: the number of the process, then times in ns.
        path: `.json`; the samples get the same name with `.npz`.

    Returns:
        The result with `raw`, judged again.

    Raises:
        UsageError: The name ends otherwise, or its folder does not exist.
    """
    atomic.check_folder(path, suffix=".json")
    packed = io.BytesIO()
    steps = np.where(samples < 0, -1, samples // RAW_STEP_NS)
    steps[:, 0] = samples[:, 0]
    np.savez_compressed(packed, samples=steps.astype(np.int64), columns=np.array(["process", *STAGES]))
    raw_path = path.with_suffix(".npz")
    named = dataclasses.replace(
        result, raw=RawFile(file=raw_path.name, sha256=hashlib.sha256(packed.getvalue()).hexdigest())
    )
    named = dataclasses.replace(named, validity=judge(named))
    atomic.write(raw_path, [packed.getvalue()], durable=False)
    atomic.write(path, [as_text(named).encode()], durable=False)
    return named


def as_text(result: Result) -> str:
    """Return a result as JSON with a final newline."""
    return json.dumps(to_json(result), indent=1) + "\n"


def read(path: Path) -> Result:
    """Read a result.

    Raises:
        UsageError: The file does not exist or cannot be read.
        ResultInvalid: It is no result of this version.
    """
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise ResultInvalid(expected="a result of a benchmark", found=f"{path}: too long a file", path=path)
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            expected="a result file that can be read", found=f"{path}: {error.strerror}", path=path
        ) from error
    except (ValueError, RecursionError) as error:
        raise ResultInvalid(expected="a result of a benchmark", found=f"{path}: not JSON", path=path) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ResultInvalid(expected="a result of edgevid bench", found=f"{path}: another kind of file", path=path)
    if data.get("version") != VERSION:
        raise ResultInvalid(
            expected=f"a result of version {VERSION}",
            got=data.get("version"),
            found=f"{path}: version {data.get('version')!r}",
            hint="Read it with the edgevid that wrote it.",
            path=path,
        )
    _check_texts(data, path)
    try:
        return from_json(Result, data, "result")
    except ManifestInvalid as error:
        raise ResultInvalid(f"{error} File: {path}.", expected=error.expected, got=error.got, path=path) from error


def _check_texts(data: object, path: Path) -> None:
    """Reject texts that a terminal would not show as they are."""
    waiting = [data]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and not (each.isprintable() and len(each) <= _LONGEST_TEXT):
            raise ResultInvalid(expected=f"texts of one printable line in {path}", got=each[:40], path=path)


def read_samples(result: Result, path: Path) -> Array:
    """Read the raw samples of a result.

    Args:
        result: The result.
        path: The result's file.

    Returns:
        (N, 1 + stages) int64: the number of the process, then times in ns, in steps of 100.

    Raises:
        ResultInvalid: The samples are missing or were changed.
    """
    if result.raw is None:
        raise ResultInvalid(
            expected=f"raw samples for {path}", found="a result without any", hint="Measure with --output."
        )
    raw_path = path.parent / _raw_name(result.raw.file, path)
    try:
        data = raw_path.read_bytes()
    except OSError as error:
        raise ResultInvalid(expected=f"raw samples in {raw_path}", found=str(error.strerror), path=raw_path) from error
    if hashlib.sha256(data).hexdigest() != result.raw.sha256:
        raise ResultInvalid(
            expected=f"{raw_path} as it was measured", found="another content", hint="Measure again.", path=raw_path
        )
    try:
        steps = read_npz(data, names=("samples", "columns"), max_bytes=_MOST_RAW_BYTES)["samples"]
    except ContractError as error:
        raise ResultInvalid(f"{error} File: {raw_path}.", path=raw_path) from error
    if steps.ndim != 2 or steps.shape[1] != 1 + len(STAGES) or steps.dtype != np.int64:
        raise ResultInvalid(expected=f"{1 + len(STAGES)} columns in {raw_path}", found=str(steps.shape), path=raw_path)
    samples: Array = np.where(steps < 0, -1, steps * RAW_STEP_NS)
    samples[:, 0] = steps[:, 0]
    return samples


def _raw_name(name: str, path: Path) -> str:
    # A name, never a path: the file may come from elsewhere.
    if name != Path(name).name:
        raise ResultInvalid(expected=f"raw samples next to {path}", got=name, path=path)
    return name
