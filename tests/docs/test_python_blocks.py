"""Each Python block on a page runs as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, python_blocks

BLOCKS = [
    pytest.param(
        page,
        number,
        id=f"{page.relative_to(ROOT)}: {number}",
        marks=[pytest.mark.tf] if "import convert" in text else [],
    )
    for page in PAGES
    for number, text in enumerate(python_blocks(page.read_text()))
]


@pytest.mark.parametrize(("page", "number"), BLOCKS)
def test_each_python_block_on_a_page_runs(page: Path, number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.docs.run_block", str(page), str(number), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_python_blocks_are_found_by_their_language() -> None:
    assert len(BLOCKS) >= 10
    assert python_blocks("```python\na = 1\n```\n```sh\nb\n```\n```python\nc = 2\n```\n") == ["a = 1\n", "c = 2\n"]
