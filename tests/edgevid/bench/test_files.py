"""Result files: written whole, read strictly, and never believed against their own samples."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevid
from edgevid.bench import files
from edgevid.bench.check import check
from edgevid.errors import ResultInvalid, UsageError
from tests.edgevid.bench.results import result_of, samples_of
from tests.repo.files import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    samples = samples_of()
    files.write(result_of(samples), samples, tmp_path / "a.json")
    return tmp_path / "a.json"


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_a_result_is_read_as_it_was_written(path: Path) -> None:
    result = check(path)
    assert result.validity.valid
    assert files.as_text(result) == path.read_text()
    assert np.array_equal(files.read_samples(result, path), samples_of())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.update(version=2), "version 2"),
        (lambda data: data.update(format="x"), "another kind of file"),
        (lambda data: data.update(extra=1), "exactly the fields"),
        (lambda data: data.pop("memory"), "exactly the fields"),
        (lambda data: data["memory"].update(bundle="big"), "memory.bundle to be a finite number"),
        (
            lambda data: data["stages"]["total"]["percentiles"]["p50"].update(value=1.0),
            "value of p50 of percentiles of total 1, but 1.99",
        ),
        (lambda data: data["processes"][0].update(p50_ms=1.0), "a process with a median of 1.0000 ms"),
        (lambda data: data["processes"].pop(), "4 of them"),
        (lambda data: data["stages"].update(head=data["stages"]["total"]), "stages total, head"),
        (lambda data: data["surroundings"]["programs"].update(make=0.9), "R9 passed, but R9 is failed"),
        (lambda data: data["validity"].update(valid=False), "valid False"),
        (lambda data: data.pop("raw"), "without any"),
        (lambda data: data["raw"].update(sha256="0"), "another content"),
        (lambda data: data["raw"].update(file="/etc/passwd"), "raw samples next to"),
        (lambda data: data["raw"].update(file="\0"), "one printable line"),
        (lambda data: data["machine"].update(virtual="kvm\nb.json: valid"), "one printable line"),
        (lambda data: data["stages"]["total"].update(drift=0.0), "drift of total"),
        (lambda data: data["stages"]["total"]["percentiles"]["p99"].update(high=2.0), "high of p99"),
        (lambda data: data["stages"]["total"]["percentiles"].pop("p99"), "percentiles of total with"),
        (lambda data: data["stages"]["total"].update(max=0.1), "max of total"),
        (lambda data: data["stages"]["total"].update(outliers=10**400), "that can be computed with"),
        (lambda data: data["processes"][0].update(n=2_000_000), "every 1 of 2000000 answers kept"),
        (lambda data: data["scenario"].update(processes=7), "7 processes"),
        (lambda data: data["validity"].update(rules=[]), "0 rules"),
        (lambda data: data["surroundings"]["series"].update(temperature_c=[1.0] * 99), "looks at the machine"),
        (lambda data: data["engine"].update(threads=0), "0 threads"),
        (lambda data: data["surroundings"].update(throttled_during=["fire"]), "that can be computed with"),
    ],
)
def test_an_edited_result_is_rejected_in_one_line(path: Path, change: Callable[[Any], None], words: str) -> None:
    edit(path, change)
    with pytest.raises(ResultInvalid) as caught:
        check(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, '{"format": "edgevid-bench"}'])
def test_no_result_at_all_is_rejected(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ResultInvalid):
        files.read(path)


def test_samples_that_were_changed_or_are_missing_are_rejected(path: Path) -> None:
    raw = path.with_suffix(".npz")
    raw.write_bytes(raw.read_bytes()[:-1] + b"x")
    with pytest.raises(ResultInvalid, match="another content"):
        check(path)
    raw.unlink()
    with pytest.raises(ResultInvalid, match="No such file"):
        check(path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"x" * 100])
def test_samples_that_are_no_archive_are_one_line(path: Path, data: bytes) -> None:
    path.with_suffix(".npz").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit(path, lambda content: content["raw"].update(sha256=digest))
    with pytest.raises(ResultInvalid) as caught:
        check(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        files.read(tmp_path / "none.json")


def test_a_name_that_is_no_json_is_rejected_before_anything_is_written(tmp_path: Path) -> None:
    samples = samples_of()
    with pytest.raises(UsageError, match=r"\*\.json"):
        files.write(result_of(samples), samples, tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_schema_is_that_of_the_dataclasses_and_takes_a_result(path: Path) -> None:
    shipped = Path(edgevid.__file__).parent / "data" / "edgevid-bench.schema.json"
    program = runpy.run_path(str(ROOT / "scripts/bench_schema.py"))
    assert shipped.read_text() == program["as_text"](), "run: python scripts/bench_schema.py"
    jsonschema = pytest.importorskip("jsonschema")
    data, schema = json.loads(path.read_text()), json.loads(shipped.read_text())
    jsonschema.validate(data, schema)
    for spoil in (lambda d: d.update(extra=1), lambda d: d.pop("memory"), lambda d: d.update(version=2)):
        spoiled = json.loads(path.read_text())
        spoil(spoiled)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, schema)
