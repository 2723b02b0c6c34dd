"""`edgevid bench` as a whole: fresh processes, the real interpreter, the shipped model."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import edgevid
from edgevid import cli
from edgevid.bench import files
from edgevid.bench.check import check
from edgevid.bench.measuring.crowd import crowd
from edgevid.commands import bench
from edgevid.commands.benchmark.session import command_line
from tests.boards import PI_4B
from tests.edgevid.backends.delegates import noop

__all__ = ["noop"]
GESTURES = Path(edgevid.__file__).parent / "data" / "gestures.edgevid"
SHORT = [
    "--processes", "2", "--min-time", "0.6", "--warm-up", "0.2", "--min-frames", "60", "--starts", "1",
]  # fmt: skip
# Runs in every fresh process; makes the encoder slower.
SLOW = """
import time
from edgevid.backends import litert
run = litert.LiteRtModel.invoke
def slower(self):
    until = time.perf_counter() + {seconds}
    run(self)
    while "encoder" in self._name and time.perf_counter() < until:
        pass
litert.LiteRtModel.invoke = slower
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of the shipped model."""
    path = tmp_path_factory.mktemp("bench") / "a.json"
    assert cli.main(["bench", str(GESTURES), *SHORT, "-o", str(path)]) == 0
    return path


def slow_down(monkeypatch: pytest.MonkeyPatch, folder: Path, seconds: float) -> None:
    (folder / "sitecustomize.py").write_text(SLOW.format(seconds=seconds))
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{Path(edgevid.__file__).parents[1]}")


def test_a_result_passes_its_own_check_and_names_bundle_machine_and_stages(measured: Path) -> None:
    result = check(measured)
    assert (result.bundle.name, result.bundle.plan, result.scenario.kind) == ("gestures", "window", "saturate")
    assert len(result.processes) == 2
    assert sum(run.n for run in result.processes) >= 60
    assert result.selftest.identical
    assert {"preprocess", "encode", "head", "outside", "total", "age"} <= set(result.stages)
    assert [each.is_cold for each in result.start] == [False]
    assert (result.memory.rss or 0) > 10
    assert result.raw is not None
    assert str(measured.parent) not in measured.read_text()


def test_two_processes_are_invalid_and_the_first_line_says_so(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", "check", str(measured), "--strict"]) == 3
    out = capsys.readouterr().out
    assert "INVALID: " in out


def test_a_slow_encoder_in_every_process_shows_as_that_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow_down(monkeypatch, tmp_path, 0.004)
    path = tmp_path / "slow.json"
    assert cli.main(["bench", str(GESTURES), *SHORT, "-o", str(path)]) == 0
    stages = files.read(path).stages
    # A crowded machine adds to a median, and never takes away.
    assert stages["encode"].percentiles["p50"].value >= 4.0
    assert stages["encode"].min == pytest.approx(4.0, rel=0.15)
    assert stages["head"].min < 2
    capsys.readouterr()
    assert cli.main(["bench", "compare", str(measured), str(path), "--even-invalid", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shift"]["ratio"] > 4


def test_a_paced_source_is_measured_against_its_deadline(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(GESTURES), *SHORT, "--scenario", "paced", "--fps", "50", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    realtime = data["realtime"]
    assert realtime["deadline_ms"] == 20.0
    assert realtime["due"] >= 60
    assert 0 < realtime["duty"] < 1
    # Thirty answers at fifty a second in each process.
    assert all(0.5 < run["took_s"] < 3 for run in data["processes"])


def test_a_model_that_cannot_keep_the_rate_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow_down(monkeypatch, tmp_path, 0.05)
    assert cli.main(["bench", str(GESTURES), *SHORT, "--scenario", "paced", "--fps", "50", "--json"]) == 0
    realtime = json.loads(capsys.readouterr().out)["realtime"]
    assert realtime["misses"] / realtime["due"] > 0.9
    assert realtime["dropped"]["late"] > 30


def test_starts_alone_have_no_latencies(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(GESTURES), "--scenario", "start", "--starts", "1"]) == 0
    out = capsys.readouterr().out
    assert "start-up in fresh processes" in out
    assert "encoder, in the interpreter" not in out


def test_a_throttled_board_is_invalid_with_the_reason_in_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "BOARD_ROOT", PI_4B.but(throttled=0x40004, celsius=81.5).plant(tmp_path / "root"))
    assert cli.main(["bench", str(GESTURES), *SHORT, "--strict"]) == 3
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("INVALID: slowed for ")
    assert "the cores are throttled (R3)" in out.splitlines()[0]
    assert "failed rules: " in err


def test_a_floor_that_is_not_kept_exits_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(GESTURES), *SHORT, "--floor", "p50=0.001ms"]) == 3
    assert "Expected p50 of total below 0.001 ms" in capsys.readouterr().err
    assert cli.main(["bench", str(GESTURES), *SHORT, "--floor", "p50=1000ms"]) == 0


def test_a_floor_that_the_samples_cannot_carry_exits_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--processes", "1", "--min-time", "0.1", "--min-frames", "5", "--warm-up", "0", "--starts", "1"]
    assert cli.main(["bench", str(GESTURES), *few, "--scenario", "paced", "--floor", "p99.9=1000ms"]) == 3
    assert "too few samples to tell" in capsys.readouterr().err


def test_a_delegate_that_computes_nothing_fails_the_selftest_and_is_not_measured(
    noop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", str(GESTURES), *SHORT, "--delegate", f"{noop},fail_after=100000"]) != 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "Expected golden answer" in err


def test_a_sweep_writes_a_result_for_each_variant_and_compares_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", "sweep", str(GESTURES), *SHORT, "--over", "threads=1..2", "-o", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["variant", "threads=1", "threads=2"]
    for threads in (1, 2):
        assert check(tmp_path / f"threads={threads}.json").engine.threads == threads


def test_litert_s_own_tool_times_each_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A model that is slowed down here and not there: the tool disagrees.
    slow_down(monkeypatch, tmp_path, 0.2)
    assert cli.main(["bench", str(GESTURES), *SHORT, "--min-frames", "4", "--cross-check", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert set(data["cross_check"]) == {"encoder", "head"}
    rule = next(each for each in data["validity"]["rules"] if each["id"] == "R16")
    assert rule["outcome"] == "failed"
    assert re.search(r"encoder .* this benchmark 2\d\d\.", rule["found"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "32"],
        ["--threads", "0"],
        ["--min-frames", "-1"],
        ["--min-time", "nan"],
        ["--fps", "0"],
        ["--floor", "p97=3ms"],
        ["--floor", "p95=0ms"],
        ["--scenario", "fast"],
    ],
)
def test_numbers_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", str(GESTURES), *arguments])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "replay"], "a source for scenario 'replay'"),
        (["--source", "v4l2:0"], "no source for scenario 'saturate'"),
        (["--load", "cpu=1"], "--load with scenario 'crowd'"),
        (["--scenario", "crowd"], "--load with scenario 'crowd'"),
        (["--scenario", "crowd", "--load", "fan=1"], "a load KIND=COUNT, one of cpu, io, memory, net"),
        (["--fps", "10"], "a scenario in which --fps has an effect"),
        (["--scenario", "replay", "--source", "a.mp4", "--size", "32x32"], "a scenario in which --size has an effect"),
        (["--scenario", "start", "--find-rate"], "a scenario in which --find-rate has an effect"),
        (["--scenario", "paced", "--cross-check"], "a scenario in which --cross-check has an effect"),
        (["--power", "sun"], "a sensor of power"),
        (["-o", "/nowhere/a.json"], "a folder to write a.json into"),
        (["-o", "a.txt"], "an output file *.json"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", str(GESTURES), *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--over", "threads=1"], "2 to 24 variants"),
        (["--over", "fps=10,20"], "a scenario in which --fps has an effect"),
        (["--over", "threads=1,2", "--scenario", "start"], "a scenario with answers"),
        (["--over", "threads=1,2", "-o", str(GESTURES)], "a folder for the results"),
    ],
)
def test_a_sweep_over_nothing_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "sweep", str(GESTURES), *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_samples_never_replace_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clips.npz").write_bytes(b"precious")
    assert cli.main(["bench", str(GESTURES), *SHORT, "-o", str(tmp_path / "clips.json")]) == 2
    assert "one that belongs to no result" in capsys.readouterr().err
    assert (tmp_path / "clips.npz").read_bytes() == b"precious"


def test_no_password_and_no_folder_is_in_a_result() -> None:
    words = ["bench", "/home/ann/a.edgevid", "--source", "rtsp://user:secret@cam:554/x", "--source=rtsp://u:p@cam/y"]
    line = command_line(words)
    assert line == "edgevid bench a.edgevid --source rtsp://cam:554 --source=rtsp://cam"


def test_a_killed_benchmark_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "edgevid.cli", "bench", str(GESTURES), "--min-time", "60", "--starts", "1"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(edgevid.__file__).parents[1])}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "process 1 of 5" not in process.stderr.readline():
            pass
        process.terminate()
        process.wait(30)
    # Python's own probe of a folder may be cut off; ours are removed.
    assert list(tmp_path.glob("edgevid-*")) == []
    deadline = time.monotonic() + 30
    while (left := _with_environment(f"TMPDIR={tmp_path}")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def test_a_damaged_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "short.edgevid"
    path.write_bytes(GESTURES.read_bytes()[:5000])
    assert cli.main(["bench", str(path), *SHORT]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(shutil.which("stress-ng") is None, reason="stress-ng is not installed: apt-get install stress-ng")
def test_a_crowd_runs_beside_the_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--scenario", "crowd", "--load", "cpu=1", "--fps", "50", "--json"]
    assert cli.main(["bench", str(GESTURES), *SHORT, *arguments]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["scenario"]["load"] == "cpu=1"
    with crowd("cpu=1"):
        deadline = time.monotonic() + 30
        while not _running("stress-ng-cpu") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert _running("stress-ng-cpu")
    assert not _running("stress-ng-cpu")


def _running(name: str) -> bool:
    # A process may end between the listing and the look.
    done = subprocess.run(["pgrep", "-x", "-c", name[:15]], capture_output=True, text=True, check=False)
    return done.stdout.strip() not in ("", "0")


def _with_environment(text: str) -> list[str]:
    """Return the processes that were started with a variable."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if text in path.read_text(errors="replace").split("\0"):
                found.append(path.parent.name)
    return found
