"""Python that this project starts loads no module of the current folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgevid.inference import startup_cost
from edgevid.provision.unit import PROGRAM as UNIT_PROGRAM
from edgevid.updates.remote import PROGRAM as REMOTE_PROGRAM
from edgevid.updates.slots import Slots
from edgevid.updates.vetting import vet
from tests.repo.files import ROOT, text_files

SHIPPED = ROOT / "edgevid" / "data" / "gestures.edgevid"
SHADOWED = ("argparse", "json", "pip", "numpy", "dataclasses", "subprocess")
# Programs that a user's or root's shell or another program starts. A user's own venv is not here.
FOLDERS = ("edgevid", "convert", "scripts", "firmware_configs", "docs")
STARTS = re.compile(
    r"""sys\.executable,\s*"-[mc]"|(?<![\w-])(?:bin/python3?|"?\$\{?python\}?"?|python\}?")\s+-[mc]\b""", re.MULTILINE
)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with modules that leave a proof when they are imported."""
    folder = tmp_path / "current"
    folder.mkdir()
    for name in SHADOWED:
        (folder / f"{name}.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'PROOF')!r})\n")
    monkeypatch.chdir(folder)
    return tmp_path / "PROOF"


def test_no_program_is_started_with_the_current_folder_before_the_libraries() -> None:
    found = [
        f"{path}: {hit.group()}"
        for path, text in text_files().items()
        if path.parts[0] in FOLDERS
        for hit in STARTS.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        '[sys.executable, "-m", "pip"]',
        '(sys.executable,\n "-c", code)',
        "sudo /opt/bin/python -m edgevid.cli",
        '"$home/bin/python" -m pip',
        '"$python" -c "import sys"',
    ],
)
def test_a_start_without_the_option_would_be_found(line: str) -> None:
    assert STARTS.search(line)


@pytest.mark.parametrize("program", [UNIT_PROGRAM, REMOTE_PROGRAM])
def test_the_unit_and_deploy_run_no_module_of_the_current_folder(hostile: Path, program: str) -> None:
    words = program.removeprefix("sudo ").split()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for verb in ("activate", "selftest", "slots"):
        subprocess.run([sys.executable, *words[1:], verb, "--help"], env=environment, check=True, capture_output=True)
    assert not hostile.exists()


def test_the_vetting_and_the_measurement_of_a_start_run_no_module_of_the_current_folder(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "slots").mkdir()
    Slots(tmp_path / "slots", vet).activate(SHIPPED)
    assert startup_cost.measure(SHIPPED).rss_mib
    assert not hostile.exists()
