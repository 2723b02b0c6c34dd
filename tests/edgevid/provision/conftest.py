"""Wheelhouses that several tests share, built once per session."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.edgevid.provision.repack import DEVICE, wheelhouse


@pytest.fixture(scope="session")
def device_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of every package of a device, for this machine's processor.

    Skips where install.sh cannot run.
    """
    pytest.importorskip("ai_edge_litert")
    for tool in ("systemctl", "systemd-sysusers"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}: apt-get install systemd")
    if os.geteuid() != 0:
        pytest.skip("needs root to give the state to the service's user")
    return wheelhouse(tmp_path_factory.mktemp("device-house"), DEVICE)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small wheels and their pins. The device's own wheels would have to be downloaded."""
    return wheelhouse(tmp_path_factory.mktemp("house"), ("flatbuffers", "pip"))
