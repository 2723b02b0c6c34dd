"""Measuring over ssh: by a real sshd on this machine's loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgevid
from edgevid import cli
from edgevid.bench.check import check
from edgevid.bench.remote import measure_remotely
from edgevid.errors import DeployError
from edgevid.updates.remote import Device
from tests.servers.sshd import ssh_config

__all__ = ["ssh_config"]
PACKAGE = Path(edgevid.__file__).parent
GESTURES = PACKAGE / "data" / "gestures.edgevid"
PROGRAM = f"PYTHONPATH={PACKAGE.parent} {sys.executable} -P -m edgevid.cli"
SHORT = ["--processes", "1", "--min-time", "0.3", "--warm-up", "0.1", "--min-frames", "30", "--starts", "1"]


def left_behind() -> set[Path]:
    return set(Path("/var/tmp").glob("edgevid.*"))


def there(config: Path, program: str = PROGRAM) -> list[str]:
    return ["--on", "pi", "--program", program, "--ssh-config", str(config)]


def test_a_result_comes_back_with_its_samples_and_nothing_is_left(
    ssh_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, output = left_behind(), tmp_path / "porch.json"
    arguments = ["--scenario", "paced", "--fps", "50", "--size", "64x48"]
    assert cli.main(["bench", str(GESTURES), *SHORT, *arguments, *there(ssh_config), "-o", str(output)]) == 0
    result = check(output)
    assert (result.scenario.kind, result.scenario.fps, result.scenario.frame_size) == ("paced", 50.0, (64, 48))
    assert result.raw is not None
    assert result.raw.file == "porch.npz"
    assert capsys.readouterr().out.startswith(("INVALID", "keeps", "does not keep"))
    assert left_behind() == before


def test_a_sweep_comes_back_whole_and_nothing_is_left(
    ssh_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, output = left_behind(), tmp_path / "sizes"
    over = ["--over", "size=64x48,96x64", "--over", "threads=1..2"]
    assert cli.main(["bench", "sweep", str(GESTURES), *SHORT, *over, *there(ssh_config), "-o", str(output)]) == 0
    names = [f"size={size}_threads={threads}" for size in ("64x48", "96x64") for threads in (1, 2)]
    assert sorted(each.name for each in output.iterdir()) == sorted(
        f"{name}.{kind}" for name in names for kind in ("json", "npz")
    )
    result = check(output / "size=96x64_threads=2.json")
    assert (result.scenario.frame_size, result.engine.threads) == ((96, 64), 2)
    assert "size=96x64 threads=2" in capsys.readouterr().out
    assert left_behind() == before


def test_a_sweep_on_a_device_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "sweep", str(GESTURES), "--over", "threads=1,2", "--on", "pi"]) == 2
    assert "--output with --on" in capsys.readouterr().err


def test_a_profile_comes_back_and_nothing_is_left(
    ssh_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, output = left_behind(), tmp_path / "porch.json"
    arguments = ["--rounds", "2", "--trace", str(tmp_path / "trace.json"), "-o", str(output)]
    assert cli.main(["bench", "profile", str(GESTURES), *arguments, *there(ssh_config)]) == 0
    found = json.loads(output.read_text())
    assert set(found["whole_ms"]) == {"encoder", "head"}
    assert "encoder: " in capsys.readouterr().out
    assert (tmp_path / "trace.json").exists()
    assert left_behind() == before


def test_a_device_that_answers_no_profile_is_one_line(
    ssh_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    liar = tmp_path / "liar.py"
    liar.write_text("import sys\nopen(sys.argv[-1], 'w').write('[]')\n")
    words = there(ssh_config, f"{sys.executable} {liar}")
    assert cli.main(["bench", "profile", str(GESTURES), *words]) == 1
    err = capsys.readouterr().err
    assert "a result as the answer of pi" in err
    assert err.count("\n") == 1


def test_a_link_in_place_of_a_result_is_not_followed(
    ssh_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text("import os, sys\nos.symlink('/etc/passwd', sys.argv[-1])\n")
    output = tmp_path / "porch.json"
    program = f"{sys.executable} {evil}"
    assert cli.main(["bench", str(GESTURES), *SHORT, *there(ssh_config, program), "-o", str(output)]) == 1
    assert "a result as the answer of pi" in capsys.readouterr().err
    assert not output.exists()


def test_a_floor_is_held_against_the_result_of_the_device(
    ssh_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "porch.json")
    assert cli.main(["bench", str(GESTURES), *SHORT, *there(ssh_config), "-o", output, "--floor", "p50=0.0001ms"]) == 3
    assert "Expected p50 of total below 0.0001 ms" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "words"),
    [("echo hello; false", "Expected pi to"), ("true #", "a result as the answer of pi")],
)
def test_a_device_that_fails_or_answers_nothing_is_one_line_and_leaves_no_file(
    ssh_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], program: str, words: str
) -> None:
    before = left_behind()
    output = tmp_path / "porch.json"
    assert cli.main(["bench", str(GESTURES), *SHORT, *there(ssh_config, program), "-o", str(output)]) == 1
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not output.exists()
    assert left_behind() == before


def test_a_device_that_cannot_be_reached_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(GESTURES), "--on", "nobody.invalid", "-o", str(tmp_path / "a.json")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_device_needs_a_file_for_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", str(GESTURES), "--on", "pi"]) == 2
    assert "--output with --on" in capsys.readouterr().err


class Here(Device):
    """A device whose shell is this machine's, with a systemctl that writes down what it is told."""

    def send(self, bundle: Path) -> str:
        folder = Path(self.slots) / "sent"
        folder.mkdir()
        shutil.copy(bundle, folder)
        return str(folder / bundle.name)

    def shell(self, script: str, *, limit_s: float = 60) -> str:
        environment = {**os.environ, "PATH": f"{self.slots}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=limit_s, check=False
        )
        if done.returncode:
            raise DeployError(expected="a script to run", found=done.stderr)
        return done.stdout


@pytest.fixture
def here(tmp_path: Path) -> Here:
    for name, text in (("systemctl", f'echo "$@" >>{tmp_path}/log'), ("sudo", 'exec "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return Here(host="here", program=PROGRAM, slots=str(tmp_path))


STOPPED = ["is-active --quiet edgevid.service", "stop edgevid.service", "start edgevid.service"]


def test_the_service_is_stopped_meanwhile_and_started_again(here: Here, tmp_path: Path) -> None:
    measure_remotely(here, GESTURES, SHORT, tmp_path / "a.json")
    assert (tmp_path / "log").read_text().splitlines() == STOPPED
    assert not (tmp_path / "sent").exists()


def test_the_service_is_started_again_if_the_benchmark_fails(here: Here, tmp_path: Path) -> None:
    with pytest.raises(DeployError):
        measure_remotely(here, GESTURES, ["--min-frames", "none"], tmp_path / "a.json")
    assert (tmp_path / "log").read_text().splitlines() == STOPPED


def test_the_service_is_left_alone_on_request(here: Here, tmp_path: Path) -> None:
    measure_remotely(here, GESTURES, SHORT, tmp_path / "a.json", leave_service=True)
    assert not (tmp_path / "log").exists()
