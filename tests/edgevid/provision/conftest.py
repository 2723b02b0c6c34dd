"""What several tests of installations share, made once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.edgevid.provision.repack import DEVICE, wheelhouse


@pytest.fixture(scope="session")
def device_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of everything that a device installs, for this machine's processor; skips where an installation cannot be tried."""
    pytest.importorskip("ai_edge_litert")
    for tool in ("systemctl", "systemd-sysusers"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}: apt-get install systemd")
    if os.geteuid() != 0:
        pytest.skip("needs root to give the state to the service's user")
    return wheelhouse(tmp_path_factory.mktemp("device-house"), DEVICE)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small wheels and their pins, in place of the device's, which test_wheels downloads."""
    return wheelhouse(tmp_path_factory.mktemp("house"), ("flatbuffers", "pip"))
