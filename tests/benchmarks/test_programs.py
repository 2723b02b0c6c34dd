import os
import subprocess
import sys

import pytest

from tests.repo.files import ROOT

PROGRAMS = sorted(
    path
    for pattern in ("*.py", "*/__main__.py")
    for path in (ROOT / "benchmarks").glob(pattern)
    if "ArgumentParser(" in path.read_text()
)


def test_the_benchmarks_are_found():
    assert len(PROGRAMS) > 8


@pytest.mark.parametrize(
    "program", PROGRAMS, ids=lambda path: path.parent.name if path.stem == "__main__" else path.stem
)
def test_each_benchmark_says_what_it_measures(program):
    """Every import of the program runs: a benchmark that nobody starts for weeks must not rot."""
    command = ["-m", ".".join(program.parent.relative_to(ROOT).parts)] if program.stem == "__main__" else [str(program)]
    shown = subprocess.run(
        [sys.executable, *command, "--help"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert shown.returncode == 0, shown.stderr
    assert "usage:" in shown.stdout
    assert program.read_text().split('"""')[1].splitlines()[0] in shown.stdout
