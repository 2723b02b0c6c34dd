"""Deploying over ssh: to a real sshd on this machine's loopback, with keys of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgevid import bundle, cli
from edgevid.errors import DeployError, SelftestFailed
from edgevid.updates.remote import Device, wait
from edgevid.updates.slots import Slots
from tests.edgevid.provision.deployments import SHIPPED
from tests.repo.files import ROOT
from tests.servers.sshd import ssh_config

__all__ = ["ssh_config"]

PROGRAM = f"PYTHONPATH={ROOT} {sys.executable} -P -m edgevid.cli"


@pytest.fixture
def device(ssh_config: Path, tmp_path: Path) -> Device:
    """A device with the shipped bundle in service."""
    (tmp_path / "slots").mkdir()
    Slots(tmp_path / "slots").activate(SHIPPED)
    return Device(host="pi", program=PROGRAM, slots=str(tmp_path / "slots"), ssh_config=ssh_config)


def renamed(path: Path, name: str) -> Path:
    model = bundle.read(SHIPPED)
    bundle.write(replace(model, manifest=replace(model.manifest, name=name)), path)
    return path


def in_service(device: Device) -> str:
    return bundle.read(Slots(Path(device.slots)).current()).manifest.name


def command(device: Device, path: Path, *more: str) -> list[str]:
    where = [
        "--to",
        device.host,
        "--program",
        device.program,
        "--slots",
        device.slots,
        "--ssh-config",
        str(device.ssh_config),
    ]
    return ["deploy", str(path), *where, "--no-restart", *more]


def left_behind() -> set[Path]:
    return set(Path("/var/tmp").glob("edgevid.*"))


def test_a_bundle_is_sent_checked_there_and_on_trial(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ai_edge_litert")
    before = left_behind()
    path = renamed(tmp_path / "my new.edgevid", "second")
    assert cli.main(command(device, path, "--no-wait")) == 0
    assert capsys.readouterr().out == "my new.edgevid is on trial for 120 s on pi.\n"
    state = device.state()
    assert (state.trial.slot, state.slots["b"].name, in_service(device)) == ("b", "my new.edgevid", "second")
    assert left_behind() == before, "the copy that was sent is removed"


def test_deploy_waits_until_the_running_classifier_has_confirmed_it(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setattr(wait, "__kwdefaults__", {**wait.__kwdefaults__, "poll_s": 0.2})

    def service() -> None:
        """What systemd does on the device: start what is in service."""
        slots = Slots(Path(device.slots))
        while slots.state().trial is None:
            time.sleep(0.1)
        run = [
            sys.executable,
            "-m",
            "edgevid.cli",
            "run",
            device.slots,
            "--source",
            "synthetic:7",
            "--json",
            "--max-frames",
            "600",
        ]
        subprocess.run(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    starter = threading.Thread(target=service)
    starter.start()
    try:
        assert cli.main(command(device, renamed(tmp_path / "b.edgevid", "second"), "--trial-s", "0")) == 0
    finally:
        starter.join()
    assert capsys.readouterr().out == "b.edgevid is in service on pi.\n"
    assert in_service(device) == "second"


def test_a_bundle_that_fails_its_self_test_there_is_refused_with_3(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ai_edge_litert")
    model = bundle.read(SHIPPED)
    golden = replace(model.golden, scores=model.golden.scores[:, ::-1].copy())
    bundle.write(replace(model, golden=golden), tmp_path / "wrong.edgevid")
    before = left_behind()
    assert cli.main(command(device, tmp_path / "wrong.edgevid")) == SelftestFailed.exit_code
    assert (
        "pi: Expected the bundle to pass its self-test on this machine, got a failure, so it stays out of service."
        in capsys.readouterr().err
    )
    assert (device.state().trial, in_service(device), left_behind()) == (None, "gestures", before)


def test_a_bundle_that_is_taken_out_of_service_there_is_a_failure(device: Device, tmp_path: Path) -> None:
    slots = Slots(Path(device.slots))
    slots.activate(renamed(tmp_path / "b.edgevid", "second"), starts=1)
    slots.begin()
    slots.begin()
    with pytest.raises(DeployError, match=r"a rollback to the bundle before it \(b\.edgevid: it did not stay up"):
        wait(device, "b.edgevid", limit_s=5, poll_s=0)


def test_a_trial_that_does_not_end_is_not_waited_for_for_ever(device: Device, tmp_path: Path) -> None:
    Slots(Path(device.slots)).activate(renamed(tmp_path / "b.edgevid", "second"))
    with pytest.raises(DeployError, match="a trial that still runs"):
        wait(device, "b.edgevid", limit_s=0.01, poll_s=0)


def test_a_file_that_is_no_bundle_is_not_even_sent(device: Device, tmp_path: Path) -> None:
    (tmp_path / "bad.edgevid").write_bytes(b"no")
    assert cli.main(command(replace(device, host="nowhere"), tmp_path / "bad.edgevid")) == 1


def test_a_host_that_cannot_be_reached_is_one_line(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_text("Host gone\n HostName 127.0.0.1\n Port 1\n")
    gone = replace(device, host="gone", ssh_config=tmp_path / "config")
    assert cli.main(command(gone, SHIPPED)) == 1
    err = capsys.readouterr().err
    assert err.startswith("edgevid: Expected gone to accept the bundle, got ssh: connect to host 127.0.0.1 port 1")
    assert err.count("\n") == 1


def test_a_key_that_is_not_taken_is_an_error_and_not_a_question(device: Device, tmp_path: Path) -> None:
    text = device.ssh_config.read_text().replace(
        f"IdentityFile {device.ssh_config.parent}/key", f"IdentityFile {tmp_path}/none"
    )
    (tmp_path / "config").write_text(text)
    with pytest.raises(DeployError, match="Permission denied"):
        replace(device, ssh_config=tmp_path / "config").state()


def test_a_cleaning_that_fails_does_not_hide_why_the_bundle_was_refused(device: Device, tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text(
        '#!/bin/sh\ncase "$*" in *"rm -rf"*) exit 255;; esac\necho "edgevid: no room" >&2; exit 1\n'
    )
    (tmp_path / "ssh").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with pytest.raises(DeployError, match="no room"):
            device.activate("/var/tmp/edgevid.none/b.edgevid", trial_s=1, restart=False)


@pytest.mark.parametrize("answer", ["", "hello", "[]", "[" * 100_000, '{"active": "a", "slots": {}}', '{"active": 1}'])
def test_an_answer_of_the_device_that_is_no_state_is_one_line(device: Device, tmp_path: Path, answer: str) -> None:
    (tmp_path / "answer").write_text(answer)
    with pytest.raises(DeployError, match="the state of the slots as the device's answer"):
        replace(device, program=f"cat {tmp_path}/answer; true").state()
