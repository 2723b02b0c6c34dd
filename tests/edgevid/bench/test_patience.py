"""Waiting for a cool board and for precise figures, and the cores to run on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from edgevid import cli
from edgevid.bench.check import check
from edgevid.bench.patience import cool_down, is_stable
from edgevid.commands import bench
from edgevid.errors import UsageError
from tests.boards import PI_4B
from tests.edgevid.bench.results import quiet, result_of, samples_of
from tests.edgevid.bench.test_bench import GESTURES, SHORT, slow_down

SAMPLES = samples_of()


def test_processes_that_agree_are_stable_and_others_are_not() -> None:
    runs = [SAMPLES[SAMPLES[:, 0] == process][:, 1:] for process in np.unique(SAMPLES[:, 0])]
    assert is_stable(runs)
    assert not is_stable([*runs[:-1], runs[-1] + runs[-1] // 20])
    assert not is_stable([run[:1] for run in runs])
    assert not is_stable([])


def test_processes_are_added_until_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edgevid.bench.measuring.measure.is_stable", lambda runs: len(runs) >= 4)
    path = tmp_path / "a.json"
    assert cli.main(["bench", str(GESTURES), *SHORT, "--until-stable", "-o", str(path)]) == 0
    assert check(path).scenario.processes == 4
    assert "process 4, until stable" in capsys.readouterr().err
    monkeypatch.setattr("edgevid.bench.measuring.measure.is_stable", lambda _runs: False)
    assert cli.main(["bench", str(GESTURES), *SHORT, "--until-stable", "--max-time", "0.1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scenario"]["processes"] == 2


def test_a_board_is_waited_for_until_it_is_cool(tmp_path: Path) -> None:
    hot, waits, lines = [61.0, 55.0, 49.9], list[float](), list[str]()
    root = PI_4B.but(celsius=70.0).plant(tmp_path / "root")

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        PI_4B.but(celsius=hot.pop(0)).plant(root)

    cool_down(50.0, root=root, say=lines.append, sleep=sleep)
    assert len(waits) == 3
    assert lines[0] == "cooling from 70.0 to 50.0 °C"


def test_a_board_that_never_cools_is_one_line(tmp_path: Path) -> None:
    root = PI_4B.but(celsius=70.0).plant(tmp_path / "root")
    with pytest.raises(UsageError, match=r"to cool to 20 °C within 30 minutes, got 70\.0 °C"):
        cool_down(20.0, root=root, sleep=lambda _seconds: None)
    with pytest.raises(UsageError, match="reports its temperature"):
        cool_down(20.0, root=tmp_path / "none")


def test_a_cold_measurement_may_heat_up_but_has_to_begin_cold() -> None:
    scenario = dataclasses.replace(result_of(SAMPLES).scenario, cool_to_c=50.0)
    heating = (*(49.0,) * 5, *(60.0,) * 15)
    cold = result_of(SAMPLES, scenario=scenario, series=quiet(temperature_c=heating, measuring=(0,) * 20))
    assert cold.validity.valid
    second_is_warm = quiet(temperature_c=heating, measuring=(*(0,) * 5, *(1,) * 15))
    warm = result_of(SAMPLES, scenario=scenario, series=second_is_warm)
    assert [each.id for each in warm.validity.failed] == ["R10"]
    sustained = result_of(SAMPLES, series=quiet(temperature_c=heating, measuring=(0,) * 20))
    assert [each.id for each in sustained.validity.failed] == ["R10"]


def test_the_measuring_process_stays_on_its_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(monkeypatch, tmp_path, 0.0)
    noted = tmp_path / "cores"
    with (tmp_path / "sitecustomize.py").open("a") as stream:
        stream.write(
            "import atexit, os, sys\n"
            f"atexit.register(lambda: 'worker' in ' '.join(sys.orig_argv) and open({str(noted)!r}, 'a').write("
            "f'{os.sched_getaffinity(0)}\\n'))\n"
        )
    path = tmp_path / "a.json"
    assert cli.main(["bench", str(GESTURES), *SHORT, "--affinity", "1", "-o", str(path)]) == 0
    assert set(noted.read_text().splitlines()) == {"{1}"}
    assert check(path).scenario.affinity == (1,)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--affinity", "900"], 1, "cores of 0"),
        (["--affinity", "1,1"], 2, "different numbers of cores"),
        (["--affinity", "a"], 2, "different numbers of cores"),
        (["--cool-to", "50", "--heat-first", "5"], 2, "--cool-to or --heat-first, got both"),
        (["--until-stable", "--scenario", "soak"], 2, "a scenario in which --until-stable has an effect"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bench, "BOARD_ROOT", PI_4B.plant(tmp_path / "root"))
    try:
        found = cli.main(["bench", str(GESTURES), *SHORT, *arguments])
    except SystemExit as error:
        found = int(str(error.code))
    assert found == code
    assert words in capsys.readouterr().err
