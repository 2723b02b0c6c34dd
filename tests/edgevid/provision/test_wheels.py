"""The wheels for a card: edgevid's own, and the pinned ones from the package index."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgevid.errors import FlashError
from edgevid.provision import wheels
from edgevid.telemetry.environment import OPENCV_RELEASE, opencv_release
from tests.repo.files import ROOT


def test_edgevids_own_wheel_is_the_same_each_time_and_holds_its_data(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (pin, path), (again, other) = wheels.pack(tmp_path / "a"), wheels.pack(tmp_path / "b")
    assert (pin, path.read_bytes()) == (again, other.read_bytes())
    names = zipfile.ZipFile(path).namelist()
    assert {
        "edgevid/cli.py",
        "edgevid/outputs/web/static/page.js",
        "edgevid/firmware_configs/boards/4b.toml",
        "edgevid/firmware_configs/systemd/edgevid.service",
    } <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_a_device_gets_its_own_half_alone_and_says_so(tmp_path: Path) -> None:
    _, path = wheels.pack(tmp_path)
    names = zipfile.ZipFile(path).namelist()
    assert not [name for name in names if name.startswith(("convert/", "edgevid/provision/image/", "edgevid/data/"))]
    code = (
        "import sys\n"
        f"sys.path[:0] = [{str(path)!r}]\n"
        "sys.meta_path = [each for each in sys.meta_path if 'editable' not in repr(each).lower()]\n"
        "sys.path[:] = [each for each in sys.path if not __import__('os').path.isdir(f'{each}/convert')]\n"
        "from edgevid.cli import main\n"
        "print([main([verb, '--help']) for verb in ('convert', 'train', 'image', 'demo')])\n"
        "print(main(['slots', '--slots', '/nowhere']))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("[2, 2, 2, 2]"), done.stderr
    assert done.stderr.count("workstation's half of edgevid") == 4
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_lock_file_of_each_python_is_made_from_the_requirements_of_pyproject(python: str) -> None:
    """The mend is to run scripts/lock_wheels.py."""
    wanted = runpy.run_path(str(ROOT / "scripts/lock_wheels.py"))["device_requirements"](python)
    recorded = next(line for line in wheels.lock_path(python).read_text().splitlines() if line.startswith("# For: "))
    assert recorded == f"# For: {'; '.join(wanted)}"
    pins = {canonicalize_name(pin.name): pin.version for pin in wheels.read_lock(wheels.lock_path(python))}
    for requirement in map(Requirement, wanted):
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_workstation_and_every_device_have_the_same_release_of_opencv() -> None:
    """Another release decodes other colors, and the answers of the conversion no longer hold."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = {line for extra in extras.values() for line in extra if line.startswith("opencv")}
    assert asked == {f"opencv-python-headless>={OPENCV_RELEASE},<4.11"}
    pins = {
        pin.version
        for path in wheels.lock_path("3.13").parent.glob("*.txt")
        for pin in wheels.read_lock(path)
        if pin.name.startswith("opencv")
    }
    assert len(pins) == 1
    assert opencv_release({"opencv-python-headless": pins.pop()}) == OPENCV_RELEASE


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_a_card_has_the_package_of_each_output_and_no_servers_that_nothing_uses(python: str) -> None:
    pins = {pin.name for pin in wheels.read_lock(wheels.lock_path(python))}
    assert "websockets" in pins
    assert pins & {"starlette", "uvicorn", "anyio", "h11"} == set()


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_pins_name_a_wheel_of_each_package_that_a_device_needs(python: str) -> None:
    pins = {pin.name for pin in wheels.read_lock(wheels.lock_path(python))}
    assert {"ai-edge-litert", "numpy", "opencv-python-headless", "paho-mqtt", "pip"} <= pins


def test_the_pinned_wheels_are_downloaded_for_the_devices_processor_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--timeout",
        "5",
        "--retries",
        "0",
        "--dest",
        str(tmp_path),
        "flatbuffers",
    ]
    if subprocess.run(probe, capture_output=True, timeout=120, check=False).returncode:
        pytest.skip("no package index can be reached")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = ("backports.strenum", "ml_dtypes", "protobuf")
    (tmp_path / "lock.txt").write_text(
        wheels.requirements(pin for pin in wheels.read_lock(wheels.lock_path("3.13")) if pin.name in small)
    )
    found = wheels.collect("3.13", lock=tmp_path / "lock.txt")
    names = {pin.name: path.name for pin, path in found.items()}
    assert "aarch64" in names["ml_dtypes"]
    assert [name for name in names.values() if "x86" in name] == []
    monkeypatch.setattr(wheels, "_download", lambda *_: pytest.fail("asked the index again"))
    assert wheels.collect("3.13", lock=tmp_path / "lock.txt") == found


def test_a_wheel_with_another_hash_is_refused(house: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(house, tmp_path / "house")
    next(copy.glob("flatbuffers*.whl")).write_bytes(b"other")
    with pytest.raises(FlashError, match="got none with the pinned hash of flatbuffers"):
        wheels.collect("3.11", wheelhouse=copy, lock=copy / "lock.txt")
