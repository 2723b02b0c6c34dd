"""The number of threads: measured once, cached, and measured again if anything relevant changes."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

import pytest

from edgevid import bundle, cli
from edgevid.inference import threads
from edgevid.inference.engine import Engine
from edgevid.inference.threads import choose_threads, pick, state_folder
from tests.streams import engine_for

SHIPPED = Path(str(resources.files("edgevid") / "data" / "gestures.edgevid"))


@pytest.mark.parametrize(
    ("ms", "count"),
    [
        ({1: 9.0}, 1),
        ({1: 9.0, 2: 5.0, 3: 4.0, 4: 3.9}, 3),
        ({1: 1.0, 2: 1.4}, 1),
        ({1: 4.1, 2: 4.0, 4: 3.95}, 1),
        ({1: 8.0, 2: 4.0, 4: 4.5}, 2),
    ],
    ids=["one core", "a last core that saves little", "more is slower", "all alike", "two are best"],
)
def test_the_fewest_threads_near_the_quickest_are_taken(ms: dict[int, float], count: int) -> None:
    assert pick(ms) == count


def test_every_number_from_one_to_the_cores_is_measured_on_the_real_interpreter(tmp_path: Path) -> None:
    shipped = bundle.read(SHIPPED)
    made: list[int] = []

    def make(count: int) -> Engine:
        made.append(count)
        return Engine(shipped, threads=count)

    choice = choose_threads(make, cores=2, folder=tmp_path)
    assert made == [1, 2]
    assert choice.measured
    assert set(choice.ms) == {1, 2}
    assert min(choice.ms.values()) > 0
    assert choice.threads in (1, 2)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Replace the measurement: record which counts it gets, and make three threads the fastest."""
    asked: list[set[int]] = []

    def measure(engines: dict[int, Engine]) -> dict[int, float]:
        asked.append(set(engines))
        return {count: 1.0 + abs(count - 3) for count in engines}

    monkeypatch.setattr(threads, "measure", measure)
    return asked


def test_the_answer_is_kept_and_not_measured_again(tmp_path: Path, measured: list[set[int]]) -> None:
    first = choose_threads(lambda _count: engine_for(), cores=4, folder=tmp_path)
    second = choose_threads(lambda _count: engine_for(), cores=4, folder=tmp_path)
    assert (first.threads, first.measured) == (3, True)
    assert (second.threads, second.measured, second.ms) == (3, False, first.ms)
    assert measured == [{1, 2, 3, 4}]
    assert [path.name for path in tmp_path.iterdir()] == [first.kept.name if first.kept else ""]


def other_model() -> Engine:
    engine = engine_for()
    engine.bundle = dataclasses.replace(engine.bundle, models={**engine.bundle.models, "head.tflite": b"another"})
    return engine


def test_another_bundle_or_number_of_cores_is_measured_for_itself(tmp_path: Path, measured: list[set[int]]) -> None:
    choose_threads(lambda _count: engine_for(), cores=4, folder=tmp_path)
    choose_threads(lambda _count: other_model(), cores=4, folder=tmp_path)
    choose_threads(lambda _count: engine_for(), cores=2, folder=tmp_path)
    assert len(measured) == 3


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"key": {}}', '{"key": {}, "ms": {"1": "x"}}', '{"key": {}, "ms": {"1": 1.0}}', "\0"]
)
def test_a_damaged_file_is_measured_again(tmp_path: Path, measured: list[set[int]], text: str) -> None:
    kept = choose_threads(lambda _count: engine_for(), cores=4, folder=tmp_path).kept
    assert kept is not None
    kept.write_text(text)
    assert choose_threads(lambda _count: engine_for(), cores=4, folder=tmp_path).measured
    assert json.loads(kept.read_text())["ms"]["3"] == 1.0


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_run(tmp_path: Path, measured: list[set[int]]) -> None:
    (tmp_path / "file").touch()
    choice = choose_threads(lambda _count: engine_for(), cores=4, folder=tmp_path / "file" / "below")
    assert (choice.threads, choice.kept) == (3, None)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"EDGEVID_STATE": "/var/lib/edgevid", "XDG_CACHE_HOME": "/cache"}, Path("/var/lib/edgevid")),
        ({"XDG_CACHE_HOME": "/cache"}, Path("/cache/edgevid")),
        ({"HOME": "/home/pi"}, Path("/home/pi/.cache/edgevid")),
    ],
)
def test_answers_are_kept_where_the_system_keeps_such_things(
    environment: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDGEVID_STATE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert state_folder() == folder


def test_the_commands_say_what_was_measured_and_only_once(
    tmp_path: Path, measured: list[set[int]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEVID_STATE", str(tmp_path))
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _pid: range(3))
    command = ["run", str(SHIPPED), "--source", "synthetic", "--max-frames", "40", "--threads", "auto"]
    assert cli.main(command) == 0
    err = capsys.readouterr().err
    assert "threads: 3, by measurement (1: 3.00 ms, 2: 2.00 ms, 3: 1.00 ms)" in err
    assert "threads: 3" in err
    assert cli.main(command) == 0
    assert "by measurement" not in capsys.readouterr().err
    assert len(measured) == 1
