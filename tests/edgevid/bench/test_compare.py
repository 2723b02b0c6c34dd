"""Comparisons: a slowdown is found, noise is not, and unlike things are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgevid import cli
from edgevid.bench import files
from edgevid.bench.compare import compare
from edgevid.errors import ResultInvalid, UsageError
from tests.edgevid.bench.results import quiet, result_of, samples_of

OLD = samples_of()


def word(new: Any, **changes: Any) -> str:
    return compare(result_of(OLD), result_of(new), OLD, new, **changes).word


def test_two_runs_of_one_bundle_are_the_same_within_1_percent() -> None:
    assert word(samples_of(seed=1)) == "same within 1 %"


def test_a_slowdown_of_3_percent_is_found_and_so_is_a_speedup() -> None:
    slower = samples_of(ms=2.06, seed=2)
    found = compare(result_of(OLD), result_of(slower), OLD, slower)
    assert found.word == "slower"
    assert found.shift.ratio == pytest.approx(1.03, abs=0.003)
    assert word(samples_of(ms=1.9, seed=2)) == "faster"


def test_a_noisy_machine_cannot_tell() -> None:
    noisy = samples_of(between=0.02, seed=3)
    assert compare(result_of(OLD), result_of(noisy), OLD, noisy).word == "cannot tell"


def test_too_few_processes_cannot_tell() -> None:
    few = samples_of(processes=2, ms=4.0)
    assert compare(result_of(OLD), result_of(few), OLD, few, even_invalid=True).word == "cannot tell"


def test_an_invalid_result_is_refused_unless_asked_for() -> None:
    busy = result_of(OLD, series=quiet(foreign_cores=(1.0,) * 19))
    with pytest.raises(ResultInvalid, match="failed rules: R9"):
        compare(result_of(OLD), busy, OLD, OLD)
    assert compare(result_of(OLD), busy, OLD, OLD, even_invalid=True).word == "same within 1 %"


def test_another_machine_or_two_differences_are_refused_unless_asked_for() -> None:
    good = result_of(OLD)
    elsewhere = result_of(OLD, machine=dataclasses.replace(good.machine, board="Raspberry Pi 4"))
    with pytest.raises(UsageError, match="another board"):
        compare(good, elsewhere, OLD, OLD)
    assert "board" in compare(good, elsewhere, OLD, OLD, across=True).factor
    other = result_of(
        OLD,
        bundle=dataclasses.replace(good.bundle, sha256="b"),
        engine=dataclasses.replace(good.engine, threads=2),
    )
    with pytest.raises(UsageError, match=r"bundle, number of threads \(1 and 2\)"):
        compare(good, other, OLD, OLD)


def test_one_difference_is_named() -> None:
    good = result_of(OLD)
    other = result_of(OLD, engine=dataclasses.replace(good.engine, threads=2))
    assert compare(good, other, OLD, OLD).factor == "number of threads (1 and 2)"


def test_the_command_exits_with_3_on_a_regression_and_says_by_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = samples_of(ms=2.06, seed=2)
    for name, samples in (("old", OLD), ("new", new)):
        files.write(result_of(samples), samples, tmp_path / f"{name}.json")
    arguments = ["bench", "compare", str(tmp_path / "old.json"), str(tmp_path / "new.json")]
    assert cli.main(arguments) == 3
    out, err = capsys.readouterr()
    assert out.startswith("slower: total +3.")
    assert err.startswith("edgevid: Expected new.json to be at most 1 % slower, got 3.")
    assert cli.main([*arguments, "--tolerance", "5"]) == 0
    assert cli.main([*arguments, "--stage", "head"]) == 2


def test_check_prints_the_verdict_and_exits_with_3_on_a_failed_rule_if_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write(result_of(OLD), OLD, tmp_path / "good.json")
    files.write(result_of(OLD, series=quiet(foreign_cores=(1.0,) * 19)), OLD, tmp_path / "busy.json")
    paths = [str(tmp_path / "good.json"), str(tmp_path / "busy.json")]
    assert cli.main(["bench", "check", *paths]) == 0
    good, busy = capsys.readouterr().out.splitlines()
    assert good.endswith("; valid")
    assert "INVALID: other programs used 1.00 cores" in busy
    assert cli.main(["bench", "check", *paths, "--strict"]) == 3
    assert cli.main(["bench", "check", paths[0], "--strict"]) == 0
