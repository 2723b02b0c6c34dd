"""The suite's file: a zip archive of result files with their samples, and one for the stream."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevid import atomic
from edgevid.bench import files
from edgevid.bench.check import check
from edgevid.bench.measuring.measure import Measurement
from edgevid.bench.reference.suite import FORMAT, VERSION, Suite
from edgevid.bench.reference.workloads import WORKLOADS
from edgevid.bench.result import Result
from edgevid.bundle.npy import ZIP_FAULTS, has_overlap
from edgevid.errors import ManifestInvalid, ResultInvalid, UsageError
from edgevid.schema import from_json, to_json

SUFFIX = ".zip"
_SUITE = "suite.json"
_MOST_BYTES = 1 << 28
SCENARIOS = ("saturate", "paced")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a suite's file holds: its own part, and the checked results by name."""

    suite: Suite
    results: Mapping[str, Result]

    @property
    def failed(self) -> dict[str, tuple[str, ...]]:
        """The rules that failed, by the name of the result."""
        found = {name: tuple(each.id for each in result.validity.failed) for name, result in self.results.items()}
        return {name: rules for name, rules in found.items() if rules}


def write(suite: Suite, measured: Mapping[str, Measurement], path: Path) -> Contents:
    """Write a suite's file.

    Args:
        suite: Its own part.
        measured: The results by name.
        path: The file, `*.zip`.

    Returns:
        What the file holds.

    Raises:
        UsageError: The name ends otherwise, or its folder cannot be written.
    """
    atomic.check_folder(path, suffix=SUFFIX)
    with tempfile.TemporaryDirectory(prefix="edgevid-reference-") as folder:
        results = {
            name: files.write(each.result, each.samples, Path(folder) / f"{name}.json")
            for name, each in measured.items()
        }
        packed = Path(folder) / "packed"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_SUITE, json.dumps(to_json(suite), indent=1) + "\n")
            for name in results:
                archive.write(Path(folder) / f"{name}.json", f"{name}.json")
                archive.write(Path(folder) / f"{name}.npz", f"{name}.npz")
        atomic.write(path, atomic.chunks_of(packed), durable=False)
    return Contents(suite=suite, results=results)


def read(path: Path) -> Contents:
    """Read a suite's file, and check every result in it as `edgevid bench check` does.

    Raises:
        UsageError: There is no such file.
        ResultInvalid: It is no suite's file, or a result in it does not agree with itself.
    """
    if not path.is_file():
        raise UsageError(expected="a file of edgevid bench reference", found=f"nothing at {path}", path=path)
    with tempfile.TemporaryDirectory(prefix="edgevid-reference-") as folder:
        _unpack(path, Path(folder))
        suite = _suite(Path(folder) / _SUITE, path)
        try:
            results = {name: check(Path(folder) / f"{name}.json") for name in suite.results}
        except (UsageError, ResultInvalid) as error:
            # The folder is of no interest to anyone.
            raise ResultInvalid(f"{path}: {str(error).replace(f'{folder}/', '')}", path=path) from error
    _check_complete(suite, results, path)
    return Contents(suite=suite, results=results)


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            if not _has_right_members(archive.infolist()):
                raise _not_a_suite(path, "other members")
            for info in archive.infolist():
                # The name is one of the expected ones, so it leads nowhere else.
                (folder / info.filename).write_bytes(archive.read(info))
    except ResultInvalid:
        raise
    except ZIP_FAULTS as error:
        raise _not_a_suite(path, "no whole zip archive") from error


def _has_right_members(infos: Sequence[zipfile.ZipInfo]) -> bool:
    expected = [_SUITE, *(f"{name}.{kind}" for name in result_names() for kind in ("json", "npz"))]
    is_small = sum(info.file_size for info in infos) <= _MOST_BYTES
    return sorted(info.filename for info in infos) == sorted(expected) and is_small and not has_overlap(infos)


def _not_a_suite(path: Path, found: str) -> ResultInvalid:
    return ResultInvalid(expected="a file of edgevid bench reference", found=f"{path}: {found}", path=path)


def result_names() -> tuple[str, ...]:
    """Return the names of the results that a suite's file holds."""
    return tuple(f"{workload.name}-{scenario}" for scenario in SCENARIOS for workload in WORKLOADS)


def _suite(member: Path, path: Path) -> Suite:
    try:
        data = json.loads(member.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ResultInvalid(expected=f"JSON in {_SUITE} of {path}", found="something else", path=path) from error
    if not isinstance(data, dict) or (data.get("format"), data.get("version")) != (FORMAT, VERSION):
        raise ResultInvalid(
            expected=f"{FORMAT}, version {VERSION}",
            found=f"{path}: another format or version",
            hint="Read it with the edgevid that wrote it.",
            path=path,
        )
    try:
        return from_json(Suite, data, "suite")
    except ManifestInvalid as error:
        raise ResultInvalid(f"{error} File: {path}.", expected=error.expected, got=error.got, path=path) from error


def _check_complete(suite: Suite, results: Mapping[str, Result], path: Path) -> None:
    """Reject results of other bundles, scenarios or amounts than the suite states."""
    hashes = {workload.name: workload.sha256 for workload in WORKLOADS}
    amounts = suite.amounts
    least_s = {"saturate": amounts.saturate_s, "paced": amounts.paced_s}
    for name, result in results.items():
        bundle, _, scenario = name.rpartition("-")
        told = (result.bundle.sha256, result.scenario.kind, result.scenario.min_time_s, result.scenario.processes)
        if told != (hashes.get(bundle), scenario, least_s.get(scenario), amounts.processes):
            raise ResultInvalid(
                expected=f"{name} of {path} to be the reference bundle in that scenario",
                found="another bundle, scenario or amount",
                path=path,
            )
    if set(results) != set(result_names()):
        raise ResultInvalid(expected=f"all results in {path}", found=f"{len(results)}", path=path)
    machines = {(each.machine.board, each.machine.cpu, each.machine.kernel) for each in results.values()}
    if len(machines) > 1:
        raise ResultInvalid(expected=f"results of one machine in {path}", found=f"{len(machines)}", path=path)
