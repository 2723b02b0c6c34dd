"""The networks of the key points: from a wheel into the cache, checked, or not at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgevid import cli
from edgevid.keypoints import assets, download
from edgevid.keypoints.assets import Asset
from edgevid.provision.wheels import Pin, write_wheel

CONTENTS = {"mediapipe/modules/a/first.tflite": b"first" * 1000, "mediapipe/modules/b/second.tflite": b"second" * 500}
NAME = "mediapipe-0.10.18-cp311-cp311-manylinux_2_17_aarch64.whl"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and two small files in place of the real ones."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()}
    small = tuple(Asset(name, len(data), hashes[name]) for name, data in CONTENTS.items())
    monkeypatch.setattr(assets, "ASSETS", small)
    monkeypatch.setenv("EDGEVID_KEYPOINTS", str(tmp_path / "cache"))
    return tmp_path / "cache"


def wheel(folder: Path, **changed: bytes) -> Path:
    path = folder / NAME
    info = "mediapipe-0.10.18.dist-info"
    files = {name: changed.get(Path(name).stem, data) for name, data in CONTENTS.items()}
    files[f"{info}/METADATA"] = b"Metadata-Version: 2.1\nName: mediapipe\nVersion: 0.10.18\n"
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_17_aarch64\n"
    write_wheel(path, files, info=info)
    return path


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    message = capsys.readouterr().err
    assert message.startswith("edgevid: Expected ")
    assert message.count("\n") == 1
    return message


def test_a_wheel_fills_the_cache_and_the_command_prints_where(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["fetch", "keypoints", "--wheel", str(wheel(tmp_path))]) == 0
    assert capsys.readouterr().out == f"{cache}\n"
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == {
        Path(name).name: data for name, data in CONTENTS.items()
    }
    assert assets.reader()("first.tflite") == CONTENTS["mediapipe/modules/a/first.tflite"]


def test_files_that_are_there_are_not_fetched_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assets.unpack(wheel(tmp_path), cache)
    monkeypatch.setattr(download, "_run", lambda _command: pytest.fail("pip was called"))
    assert cli.main(["fetch", "keypoints"]) == 0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"second": b"Second" * 500}, "altered"), ({"second": b""}, "altered"), ({"second": b"0" * 9999}, "altered")],
    ids=["other bytes", "empty", "longer"],
)
def test_a_wheel_with_an_altered_file_leaves_nothing_behind(
    changed: dict[str, bytes], reason: str, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["fetch", "keypoints", "--wheel", str(wheel(tmp_path, **changed))]) == 1
    message = error_of(capsys)
    assert "second.tflite in" in message
    assert reason in message
    assert not cache.exists()


def test_a_wheel_of_a_later_release_says_that_it_has_no_such_files(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mediapipe-1.2.3.whl"
    write_wheel(path, {"mediapipe/__init__.py": b""}, info="mediapipe-1.2.3.dist-info")
    assert cli.main(["fetch", "keypoints", "--wheel", str(path)]) == 1
    assert "which has first.tflite" in error_of(capsys)


def test_a_file_that_is_no_wheel_and_one_that_does_not_exist_are_one_line_each(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.whl").write_bytes(b"no wheel")
    assert cli.main(["fetch", "keypoints", "--wheel", str(tmp_path / "no.whl")]) == 1
    assert "cannot be read" in error_of(capsys)
    assert cli.main(["fetch", "keypoints", "--wheel", str(tmp_path / "gone.whl")]) == 2
    assert "no file at" in error_of(capsys)


def test_a_damaged_wheel_is_one_line(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheel(tmp_path)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("mediapipe/modules/a/first.tflite").header_offset
    data = bytearray(path.read_bytes())
    data[start + 70 : start + 80] = bytes(10)
    path.write_bytes(data)
    assert cli.main(["fetch", "keypoints", "--wheel", str(path)]) == 1
    error_of(capsys)
    assert not cache.exists()


def test_a_missing_file_names_the_command_and_an_altered_one_as_well(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(assets.AssetError, match=r"Expected first\.tflite.*got none\. Run: edgevid fetch keypoints\."):
        assets.reader()("first.tflite")
    assets.unpack(wheel(tmp_path), cache)
    (cache / "first.tflite").write_bytes(b"altered")
    with pytest.raises(assets.AssetError, match=r"altered\. Run: edgevid fetch keypoints\."):
        assets.reader()("first.tflite")
    assert [asset.name for asset in assets.missing(cache)] == ["first.tflite"]


def test_the_cache_is_the_users_folder_unless_a_variable_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGEVID_KEYPOINTS", "EDGEVID_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert assets.folder() == Path("/cache/edgevid/keypoints")
    monkeypatch.setenv("EDGEVID_KEYPOINTS", "/elsewhere")
    assert assets.folder() == Path("/elsewhere")


def local_pip(monkeypatch: pytest.MonkeyPatch, links: Path) -> None:
    """Let pip know of one folder of wheels, as a user's configuration may, and of no index."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))


def has_pip() -> bool:
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


needs_pip = pytest.mark.skipif(not has_pip(), reason="this environment has no pip")


@needs_pip
def test_pip_takes_the_wheel_from_where_the_users_configuration_says(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "links").mkdir()
    path = wheel(tmp_path / "links")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(download, "WHEEL", Pin(name="mediapipe", version="0.10.18", sha256=digest))
    local_pip(monkeypatch, tmp_path / "links")
    assert cli.main(["fetch", "keypoints"]) == 0
    assert assets.missing(cache) == []


@needs_pip
def test_a_wheel_with_another_hash_than_the_pinned_one_is_rejected_by_pip(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "links").mkdir()
    wheel(tmp_path / "links")
    local_pip(monkeypatch, tmp_path / "links")
    assert cli.main(["fetch", "keypoints"]) == 1
    assert "--wheel FILE" in error_of(capsys)
    assert not cache.exists()
