"""Two slots: a bundle on trial, the way back, and what a killed process or a power cut leaves."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgevid import atomic, bundle, cli
from edgevid.commands import options
from edgevid.errors import BundleTruncated, SelftestFailed, SlotsError, UsageError
from edgevid.events.decide import Decision
from edgevid.updates.slots import Slots
from edgevid.updates.state import MAX_TRIAL_S
from edgevid.updates.trial import TrialPeriod
from tests.edgevid.updates.cuts import Recorder, after_cuts
from tests.models.bundles import bundle_for, window_manifest
from tests.repo.files import ROOT

SHIPPED = ROOT / "edgevid" / "data" / "gestures.edgevid"


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """Four bundles that differ by their name, and an empty folder for slots."""
    for number in range(1, 5):
        bundle.write(bundle_for(window_manifest(name=f"model-{number}")), tmp_path / f"{number}.edgevid")
    (tmp_path / "slots").mkdir()
    return tmp_path


@pytest.fixture
def slots(four: Path) -> Slots:
    """A device on which the first bundle is in service."""
    device = Slots(four / "slots", lambda path: bundle.read(path) and None)
    device.activate(four / "1.edgevid")
    return device


def in_service(slots: Slots) -> str:
    return bundle.read(slots.current()).manifest.name


def test_the_first_bundle_is_active_at_once_and_a_start_changes_nothing(slots: Slots) -> None:
    before = (slots.folder / "state.json").stat()
    assert slots.begin().path == slots.current()
    assert in_service(slots) == "model-1"
    assert (slots.folder / "state.json").stat().st_mtime_ns == before.st_mtime_ns, "a start in service writes nothing"


def test_a_second_bundle_is_on_trial_until_it_is_confirmed(four: Path, slots: Slots) -> None:
    slots.activate(four / "2.edgevid")
    started = slots.begin()
    assert started.trial is not None
    assert (in_service(slots), started.trial.starts_left) == ("model-2", 2)
    slots.confirm()
    assert slots.begin().trial is None
    assert in_service(slots) == "model-2"


def test_a_bundle_that_is_never_confirmed_is_gone_after_its_starts(four: Path, slots: Slots) -> None:
    slots.activate(four / "2.edgevid", starts=2)
    assert [bundle.read(slots.begin().path).manifest.name for _ in range(4)] == [
        "model-2",
        "model-2",
        "model-1",
        "model-1",
    ]
    state = slots.state()
    assert state is not None
    assert state.returned.startswith("2.edgevid: it did not stay up")


def test_rollback_ends_a_trial_and_after_it_goes_to_the_bundle_before(four: Path, slots: Slots) -> None:
    slots.activate(four / "2.edgevid")
    slots.rollback()
    assert in_service(slots) == "model-1"
    slots.activate(four / "3.edgevid")
    slots.confirm()
    slots.rollback()
    assert in_service(slots) == "model-1"
    slots.rollback()
    assert in_service(slots) == "model-3"


def test_rollback_without_a_bundle_before_is_refused(slots: Slots) -> None:
    with pytest.raises(SlotsError, match="Expected a bundle before this one"):
        slots.rollback()


def test_a_new_bundle_during_a_trial_leaves_the_proven_one_to_come_back_to(four: Path, slots: Slots) -> None:
    slots.activate(four / "2.edgevid")
    slots.begin()
    slots.activate(four / "3.edgevid", starts=1)
    assert in_service(slots) == "model-3"
    slots.begin()
    slots.begin()
    assert in_service(slots) == "model-1"


def test_a_bundle_that_its_check_refuses_changes_nothing(four: Path, slots: Slots) -> None:
    (four / "bad.edgevid").write_bytes((four / "2.edgevid").read_bytes()[:-9])
    before = {path.name: path.read_bytes() for path in slots.folder.iterdir()}
    with pytest.raises(BundleTruncated):
        slots.activate(four / "bad.edgevid")
    assert {path.name: path.read_bytes() for path in slots.folder.iterdir()} == before


def test_a_file_that_is_not_there_is_a_usage_error(four: Path, slots: Slots) -> None:
    with pytest.raises(UsageError, match=r"nothing at .*none\.edgevid"):
        slots.activate(four / "none.edgevid")


def test_a_slot_that_rots_on_the_card_is_passed_over(four: Path, slots: Slots) -> None:
    slots.activate(four / "2.edgevid")
    slots.confirm()
    path = slots.current()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert in_service(slots) == "model-1"
    assert "damaged" in slots.begin().message


def test_a_trial_whose_file_rots_is_over(four: Path, slots: Slots) -> None:
    slots.activate(four / "2.edgevid")
    slots.path("b").write_bytes(b"")
    started = slots.begin()
    assert "not the one that was checked" in started.message
    assert bundle.read(started.path).manifest.name == "model-1"


def test_without_any_bundle_the_message_says_what_to_run(tmp_path: Path) -> None:
    for action in (Slots(tmp_path).current, Slots(tmp_path).begin, Slots(tmp_path).confirm, Slots(tmp_path).rollback):
        with pytest.raises(SlotsError, match="edgevid activate BUNDLE"):
            action()


def test_what_root_writes_belongs_to_the_owner_of_the_folder(four: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give files away")
    os.chown(four / "slots", 65534, 65534)
    Slots(four / "slots").activate(four / "1.edgevid")
    assert {path.stat().st_uid for path in (four / "slots").iterdir()} == {65534}


def test_200_kills_between_and_inside_writes_leave_a_valid_bundle_in_service_each_time(four: Path) -> None:
    command = [sys.executable, "-m", "tests.edgevid.updates.killed", str(four), "200", "7"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert sum(seen["steps"].values()) == sum(seen["survivors"].values()) == 200
    assert set(seen["steps"]) == {"write", "fsync", "rename", "after rename"}
    assert len(seen["survivors"]) == 4, "bundles really changed"
    bundles = {"a.edgevid", "b.edgevid", ".incoming.edgevid"}
    states = {"state.json", ".state.json.new", "proven.json", ".proven.json.new"}
    assert set(seen["left"]) <= {*bundles, *states, ".lock", ".activate.lock"}


def test_a_power_cut_after_any_step_leaves_a_valid_bundle_in_service(
    four: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cut loses unflushed writes, in whole or in part; unflushed renames may have happened or not."""
    monkeypatch.setattr(atomic, "CHUNK_BYTES", 1500)
    recorder = Recorder(slots.folder)
    with recorder.installed(monkeypatch):
        slots.activate(four / "2.edgevid")
        slots.begin()
        slots.confirm()
        slots.activate(four / "3.edgevid")
    cuts = 0
    for left in after_cuts(recorder, four / "after"):
        assert in_service(Slots(left)) in ("model-1", "model-2", "model-3")
        assert Slots(left).look()[1] == "", "the state itself is whole, without a recovery"
        cuts += 1
    assert cuts > 60


def test_a_flush_that_is_left_out_is_seen_by_the_test_of_power_cuts(
    four: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(slots.folder, blind_to_flushes_of=".state.json.new")
    with recorder.installed(monkeypatch):
        slots.activate(four / "2.edgevid")
    assert any("rebuilt" in Slots(left).look()[1] for left in after_cuts(recorder, four / "after"))


def test_what_an_activation_has_reported_outlives_a_power_cut(
    four: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(slots.folder)
    with recorder.installed(monkeypatch):
        slots.activate(four / "2.edgevid")
    left = [in_service(Slots(folder)) for folder in after_cuts(recorder, four / "after", only_last=True)]
    assert set(left) == {"model-2"}, "the folder's names are flushed as well as the files"


def test_a_trial_is_confirmed_by_answers_over_its_period_and_only_once(
    four: Path, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots.activate(four / "2.edgevid")
    clock = iter([0, 4_000_000_000, 5_000_000_000])
    monkeypatch.setattr("edgevid.updates.trial.monotonic_ns", lambda: next(clock))
    trial = TrialPeriod(slots, period_s=5)
    decision = Decision(0.0, "none", 1.0, [0.0], 0.0)
    for _ in range(2):
        trial.decided(decision)
    trial.close()
    assert slots.state().trial is not None
    trial.decided(decision)
    trial.decided(decision)
    trial.close()
    assert slots.state().trial is None


def run_shipped(slots: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgevid.cli", "run", str(slots), "--source", "synthetic:7", "--json", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_classifier_that_is_killed_in_each_of_its_trial_starts_is_replaced_by_the_one_before(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    slots = Slots(tmp_path)
    slots.activate(SHIPPED)
    slots.activate(SHIPPED, starts=2)
    used = []
    for _ in range(2):
        with run_shipped(tmp_path) as process:
            process.stdout.readline()
            used.append(slots.current().name)
            process.send_signal(signal.SIGKILL)
            process.stdout.read(), process.stderr.read()
    with run_shipped(tmp_path, "--max-frames", "60") as process:
        out, err = process.communicate(timeout=60)
    assert used == ["b.edgevid", "b.edgevid"] or used == ["b.edgevid", "a.edgevid"]
    assert process.returncode == 0
    assert out
    assert "taken out of service" in err
    assert slots.current().name == "a.edgevid"


def test_the_commands_bring_a_bundle_into_service_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert")
    folder = ["--slots", str(tmp_path / "device")]
    assert cli.main(["activate", str(SHIPPED), *folder]) == 0
    assert cli.main(["activate", str(SHIPPED), *folder, "--trial-s", "0", "--json"]) == 0
    with run_shipped(tmp_path / "device", "--max-frames", "200") as process:
        process.communicate(timeout=60)
    assert Slots(tmp_path / "device").state().active == "b"
    capsys.readouterr()
    assert cli.main(["slots", *folder]) == 0
    assert "active, runs at the next start" in capsys.readouterr().out
    assert cli.main(["rollback", *folder]) == 0
    assert Slots(tmp_path / "device").current().name == "a.edgevid"
    assert cli.main(["slots", *folder, "--json"]) == 0
    assert cli.main(["slots", "--slots", str(tmp_path / "none")]) == 1


def test_a_bundle_with_other_golden_answers_does_not_go_live(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ai_edge_litert")
    model = bundle.read(SHIPPED)
    golden = dataclasses.replace(model.golden, scores=model.golden.scores[:, ::-1].copy())
    bundle.write(dataclasses.replace(model, golden=golden), tmp_path / "wrong.edgevid")
    folder = ["--slots", str(tmp_path / "device")]
    assert cli.main(["activate", str(SHIPPED), *folder]) == 0
    assert cli.main(["activate", str(tmp_path / "wrong.edgevid"), *folder]) == SelftestFailed.exit_code
    assert "stays out of service. Expected golden answer 0" in capsys.readouterr().err
    state = Slots(tmp_path / "device").state()
    assert (state.trial, sorted(path.name for path in (tmp_path / "device").iterdir())) == (
        None,
        [".activate.lock", ".lock", "a.edgevid", "proven.json", "state.json"],
    )


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e9", "soon", ""])
@pytest.mark.parametrize("command", [["activate", "b.edgevid"], ["deploy", "b.edgevid", "--to", "pi"]])
def test_a_trial_period_that_is_no_time_is_a_usage_error(
    command: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command, f"--trial-s={text}"])
    assert stopped.value.code == UsageError.exit_code
    assert "Expected a number of seconds from 0 to 604800" in capsys.readouterr().err


@pytest.mark.parametrize("period_s", [float("nan"), float("inf"), -1.0])
def test_an_illegal_trial_period_is_rejected_before_anything_is_copied(
    four: Path, slots: Slots, period_s: float
) -> None:
    before = slots.state()
    with pytest.raises(UsageError, match="trial period"):
        slots.activate(four / "2.edgevid", period_s=period_s)
    assert (slots.state(), slots.path("b").exists()) == (before, False)


def test_the_longest_trial_is_the_same_on_the_command_line_and_in_the_state() -> None:
    assert options.trial_period_s(str(MAX_TRIAL_S)) == MAX_TRIAL_S
    with pytest.raises(argparse.ArgumentTypeError):
        options.trial_period_s(str(MAX_TRIAL_S + 1))


def test_rollback_without_a_folder_of_slots_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rollback", "--slots", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"edgevid: Expected a bundle in service in {tmp_path / 'none'}, got no such folder. "
        "Run: edgevid activate BUNDLE.\n"
    )
