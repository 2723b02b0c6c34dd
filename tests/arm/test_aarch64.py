"""The device's aarch64 wheels on emulated processors, compared with this machine byte for byte.

The processors are Cortex-A53 (Zero 2 W, 3B+), A72 (4B, CM4) and A76 (5). Run the tests with

    make test-arm

It unpacks the emulator and Debian's Python for arm64 into build/arm, and needs no root. The pinned
wheels are downloaded once. Times under emulation say nothing about a Pi.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgevid import boards_and_cameras
from edgevid.provision import wheels
from tests.repo.files import ROOT

pytestmark = pytest.mark.arm
BUNDLE = ROOT / "edgevid/data/gestures.edgevid"
PROGRAM = ROOT / "tests/arm/answers.py"
LIBRARIES = ROOT / "build/arm/root"
UNPACKED = ROOT / "build/arm/tools/root/usr/bin/qemu-aarch64"
CPUS = sorted({board.cpu.lower() for board in boards_and_cameras.boards().values()})
# QEMU 7.2 of Debian 12 crashes with a segmentation fault in LiteRT on every processor.
QEMU_LEAST = 8
MODULES = (
    "numpy",
    "ai_edge_litert.interpreter",
    "cv2",
    "paho.mqtt.client",
    "prometheus_client",
    "websockets",
)


@pytest.fixture(scope="module")
def qemu() -> str:
    """Return an emulator that is new enough, or skip."""
    program = str(UNPACKED) if UNPACKED.exists() else shutil.which("qemu-aarch64")
    if program is None or not (LIBRARIES / "usr/bin/python3.11").exists():
        pytest.skip("needs an emulator and Python for arm64: make test-arm")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.search(r"version (\d+)\.", version)[1]) < QEMU_LEAST:
        pytest.skip(f"needs QEMU {QEMU_LEAST} or later, got {version.splitlines()[0]}")
    return program


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack every pinned wheel and edgevid's own, as a device has them."""
    folder = tmp_path_factory.mktemp("site")
    own = wheels.pack(tmp_path_factory.mktemp("own"))[1]
    for path in [own, *wheels.collect("3.11").values()]:
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder)
    return folder


def emulated(qemu: str, site: Path, cpu: str, *arguments: str) -> str:
    """Run the device's Python on an emulated processor and return its output."""
    environment = {
        "QEMU_CPU": cpu,
        "PYTHONPATH": str(site),
        "PYTHONHOME": str(LIBRARIES / "usr"),
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [qemu, "-L", str(LIBRARIES), str(LIBRARIES / "usr/bin/python3.11"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def here() -> dict[str, object]:
    """Return the answers of this machine."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(ROOT), str(BUNDLE)],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_processors_are_those_of_the_boards() -> None:
    assert CPUS == ["cortex-a53", "cortex-a72", "cortex-a76"]


@pytest.mark.parametrize("cpu", CPUS)
def test_a_device_answers_as_this_machine_does_byte_for_byte(
    qemu: str, site: Path, here: dict[str, object], cpu: str
) -> None:
    there = json.loads(emulated(qemu, site, cpu, str(PROGRAM), str(site), str(BUNDLE)))
    assert there["machine"] == "aarch64"
    assert there["parts"] == here["parts"], "every output of every part, integers and states"
    # The probabilities are floats, and the last bit of NumPy's exp depends on its version and the processor.
    assert there["max_steps"] < 0.01
    np.testing.assert_allclose(there["scores"], here["scores"], rtol=1e-6)


def test_every_package_that_is_put_on_a_card_can_be_imported_there(qemu: str, site: Path) -> None:
    output = emulated(
        qemu,
        site,
        "cortex-a72",
        "-c",
        f"import {', '.join(MODULES)}; import sys; print(sys.version_info[:2], cv2.__version__)",
    )
    assert output.startswith("(3, 11)")


def test_the_command_line_of_the_wheel_runs_there(qemu: str, site: Path) -> None:
    assert emulated(qemu, site, "cortex-a53", "-m", "edgevid.cli", "--version").startswith("edgevid ")
