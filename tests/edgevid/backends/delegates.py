"""The external delegate of `noop_delegate.c`, compiled once per test run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("noop_delegate.c")


@pytest.fixture(scope="session")
def noop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared library, under the name of the Edge TPU's library."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed; run: apt-get install gcc libc6-dev")
    library = tmp_path_factory.mktemp("delegate") / "libedgetpu.so.1"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", library, SOURCE], check=True)
    return library
