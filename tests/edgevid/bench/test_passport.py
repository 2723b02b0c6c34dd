"""Passports: a run that is slower than its bundle was on such a board says so."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

import edgevid
from edgevid import cli
from edgevid.bench import files
from edgevid.bench.measuring.machine import measured_machine
from edgevid.bench.passport import SUFFIX, passport_path
from edgevid.commands.run_options.models import PASSPORT_SUFFIX
from tests.edgevid.bench.results import result_of, samples_of

GESTURES = Path(edgevid.__file__).parent / "data" / "gestures.edgevid"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copy(GESTURES, tmp_path / "action.edgevid"))


def give(bundle: Path, *, ms: float, board: str | None = None) -> None:
    """Write a passport of this machine, or of another board."""
    samples = samples_of(ms=ms)
    result = result_of(samples)
    machine = measured_machine()
    result = dataclasses.replace(
        result,
        machine=dataclasses.replace(machine, board=board or machine.board),
        stages={**result.stages, "encode": result.stages["total"], "head": result.stages["total"]},
    )
    files.write(result, samples, passport_path(bundle))


def run(bundle: Path) -> int:
    return cli.main(["run", str(bundle), "--source", "synthetic", "--max-frames", "1000"])


def test_a_run_that_is_slower_than_its_passport_says_so_once(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give(bundle, ms=0.0005)
    assert run(bundle) == 0
    err = capsys.readouterr().err
    assert err.count("ms by action.passport.json, measured on such a board") == 1


def test_a_run_that_keeps_its_passport_says_nothing(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give(bundle, ms=1000.0)
    assert run(bundle) == 0
    assert "passport" not in capsys.readouterr().err


def test_a_passport_of_another_board_is_not_held_against_this_one(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    give(bundle, ms=0.0005, board="Raspberry Pi 5 Model B Rev 1.0")
    assert run(bundle) == 0
    assert "passport" not in capsys.readouterr().err


def test_a_damaged_passport_is_one_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passport_path(bundle).write_text("{}")
    assert run(bundle) == 1
    err = capsys.readouterr().err
    assert "action.passport.json" in err
    assert err.count("\n") == 1


def test_the_name_is_the_same_in_both_places() -> None:
    assert SUFFIX == PASSPORT_SUFFIX
