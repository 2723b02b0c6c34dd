import json
import subprocess
import sys

import pytest

from tests.repo.files import ROOT, repository_files

HEAVY = ["tensorflow", "keras", "tf_keras", "convert", "sklearn", "matplotlib", "rich", "jinja2", "h5py"]
INTERPRETERS = ["ai_edge_litert", "tflite_runtime"]
DEVICE_MODULES = [
    ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    for path in repository_files()
    if path.parts[0] == "edgevid" and path.suffix == ".py"
]


def imported_by(program: str) -> set[str]:
    """Names of the top-level packages in memory after a program."""
    code = f"{program}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_else():
    assert not imported_by("import edgevid") & {"numpy", "cv2", *HEAVY, *INTERPRETERS}


def test_the_main_path_and_the_command_line_import_neither_the_workstation_nor_opencv():
    assert not imported_by("import edgevid, edgevid.pipeline, edgevid.cli") & {"cv2", *HEAVY, *INTERPRETERS}


def test_no_module_of_the_device_imports_the_workstation_or_opencv_or_the_interpreter():
    program = "\n".join(f"import {name}" for name in DEVICE_MODULES if not name.endswith("__main__"))
    assert len(DEVICE_MODULES) > 15
    assert not imported_by(program) & {"cv2", *HEAVY, *INTERPRETERS}


def test_the_import_contracts_hold():
    pytest.importorskip("importlinter")
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
