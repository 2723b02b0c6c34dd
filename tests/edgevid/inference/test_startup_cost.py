"""Start-up measured in a child process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgevid.errors import EdgevidError
from edgevid.inference import startup_cost


def fake_child(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda _command, **options: real([sys.executable, "-c", script], **options))


def test_a_child_that_fails_is_one_line_with_its_last_word() -> None:
    with pytest.raises(EdgevidError, match=r"exit code 1: .*got none at nowhere\.edgevid"):
        startup_cost.measure(Path("nowhere.edgevid"))


def test_the_childs_measurement_is_read_from_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_child(
        monkeypatch,
        'print(\'{"import_ms": 1.5, "load_ms": 2, "first_decision_ms": 3, "import_rss_mib": 30.5, "rss_mib": null}\')',
    )
    found = startup_cost.measure(Path("any.edgevid"))
    assert (found.import_ms, found.import_rss_mib, found.rss_mib) == (1.5, 30.5, None)


def test_a_start_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup_cost, "_LIMIT_S", 0.2)
    fake_child(monkeypatch, "import time; time.sleep(20)")
    with pytest.raises(EdgevidError, match=r"within 0\.2 s"):
        startup_cost.measure(Path("any.edgevid"))
