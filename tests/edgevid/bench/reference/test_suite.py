"""The reference suite as a whole: its own bundles, measured for a moment, and files that are not to be trusted."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevid import cli
from edgevid.bench.reference import archive, suite
from edgevid.bench.reference.workloads import WORKLOADS, find_bundles, installed_folder
from edgevid.errors import MissingDependency, ResultInvalid, UsageError

BUNDLES = Path(__file__).resolve().parents[4] / "reference" / "edgevid_reference"
MOMENT = suite.Amounts(
    saturate_s=0.2, paced_s=0.4, min_frames=20, processes=2, person_s=6.0, warm_up_s=0.1, heat_first_s=0.0
)
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the suite."""
    path = tmp_path_factory.mktemp("suite") / "a.zip"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite, "SHORT", MOMENT)
        assert cli.main(["bench", "reference", "--short", "--bundles", str(BUNDLES), "-o", str(path)]) == 0
    return path


@pytest.mark.slow
def test_every_bundle_is_measured_in_both_scenarios_and_the_stream_is_answered(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = archive.read(measured)
    assert set(contents.results) == {f"{each.name}-{kind}" for each in WORKLOADS for kind in ("saturate", "paced")}
    stream = contents.suite.stream
    assert stream.moments >= 4
    assert stream.hits >= stream.moments - 1
    assert stream.delay_p50_s is not None
    assert 0 < stream.delay_p50_s < 3
    assert stream.due > 200
    assert cli.main(["bench", "reference", "--check", str(measured)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("SHORT")
    assert all(any(line.startswith(each.name) for line in lines) for each in WORKLOADS)
    assert f"{stream.hits} of {stream.moments} actions found" in lines[-2]


@pytest.mark.slow
def test_a_file_is_never_replaced(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = measured.read_bytes()
    assert cli.main(["bench", "reference", "--bundles", str(BUNDLES), "-o", str(measured)]) == 2
    assert "a new file" in capsys.readouterr().err
    assert measured.read_bytes() == before


def edited_json(name: str, change: Callable[[dict[str, object]], object]) -> Callable[[Members], object]:
    def edit(members: Members) -> None:
        data = json.loads(members[name])
        change(data)
        members[name] = json.dumps(data).encode()

    return edit


def swap(members: Members) -> None:
    """Let a fast bundle stand for a slow one."""
    for kind in ("json", "npz"):
        members[f"lite0-saturate.{kind}"] = members[f"lrcn-saturate.{kind}"]
    members["lite0-saturate.json"] = members["lite0-saturate.json"].replace(b"lrcn-saturate.npz", b"lite0-saturate.npz")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda members: members.pop("lrcn-paced.npz"), "other members"),
        (lambda members: members.update({"../evil.json": b"{}"}), "other members"),
        (lambda members: members.update({"lrcn-paced.npz": members["lrcn-saturate.npz"]}), "another content"),
        (lambda members: members.update({"suite.json": b"["}), "JSON in suite.json"),
        (edited_json("suite.json", lambda data: data.update(version=2)), "another format or version"),
        (edited_json("suite.json", lambda data: data.update(more=1)), "more"),
        (edited_json("suite.json", lambda data: data.update(results=["lrcn-paced"])), "all results"),
        (edited_json("suite.json", lambda data: data.update(results=["../../x"])), "x.json"),
        (edited_json("suite.json", lambda data: data["amounts"].update(saturate_s=45.0)), "scenario or amount"),  # type: ignore[index]
        (edited_json("lrcn-paced.json", lambda data: data.update(took_s="long")), "took_s"),
        (edited_json("lrcn-saturate.json", lambda data: data["machine"].update(board="Pi 9")), "one machine"),  # type: ignore[index]
        (swap, "reference bundle in that scenario"),
    ],
)
def test_an_edited_file_is_one_line(
    edit: Callable[[Members], object], words: str, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(measured) as source:
        members = {name: source.read(name) for name in source.namelist()}
    edit(members)
    changed = tmp_path / "b.zip"
    with zipfile.ZipFile(changed, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    with pytest.raises(ResultInvalid, match=words):
        archive.read(changed)
    assert cli.main(["bench", "reference", "--check", str(changed)]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "edgevid-reference-" not in error
    assert not (tmp_path.parent / "evil.json").exists()


def test_what_is_no_archive_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    packed = io.BytesIO(b"PK\x03\x04 nothing")
    path.write_bytes(packed.getvalue())
    with pytest.raises(ResultInvalid, match="no whole zip archive"):
        archive.read(path)
    with pytest.raises(UsageError, match="nothing at"):
        archive.read(tmp_path / "none.zip")


def test_another_bundle_under_the_name_of_one_is_refused(tmp_path: Path) -> None:
    for workload in WORKLOADS:
        (tmp_path / f"{workload.name}.edgevid").write_bytes((BUNDLES / f"{workload.name}.edgevid").read_bytes())
    assert list(find_bundles(tmp_path)) == [each.name for each in WORKLOADS]
    (tmp_path / "lite0.edgevid").write_bytes((BUNDLES / "lrcn.edgevid").read_bytes())
    with pytest.raises(UsageError, match="lite0 with the hash"):
        find_bundles(tmp_path)
    (tmp_path / "lite0.edgevid").unlink()
    with pytest.raises(UsageError, match="No such file"):
        find_bundles(tmp_path)


def test_the_bundles_of_the_package_are_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingDependency, match="reference/"):
        installed_folder()
    monkeypatch.syspath_prepend(BUNDLES.parent)
    assert installed_folder() == BUNDLES
