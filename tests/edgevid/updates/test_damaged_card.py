"""Slots on a card that is full, read-only or damaged: a whole bundle runs, whatever cannot be written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgevid
from edgevid import atomic, bundle, cli
from edgevid.errors import SlotsError
from edgevid.events.decide import Decision
from edgevid.updates import trial
from edgevid.updates.slots import Slots
from edgevid.updates.trial import TrialPeriod
from tests.models.bundles import bundle_for, window_manifest
from tests.repo.files import ROOT

SHIPPED = ROOT / "edgevid" / "data" / "gestures.edgevid"
DECISION = Decision(0.0, "none", 1.0, [0.0], 0.0)


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB with the shipped bundle in service, and the same bundle on trial."""
    folder = tmp_path / "card"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"needs root to mount a small file system: {mounted.stderr.strip()}")
    try:
        slots = Slots(folder)
        slots.activate(SHIPPED)
        slots.activate(SHIPPED)
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    """A device with model-1 in service and model-2 on trial."""
    device = Slots(tmp_path / "slots")
    device.folder.mkdir()
    for number in (1, 2):
        path = bundle.write(bundle_for(window_manifest(name=f"model-{number}")), tmp_path / f"{number}.edgevid")
        assert path
        device.activate(tmp_path / f"{number}.edgevid")
    return device


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"0" * 4096):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC


def run_shipped(folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "edgevid.cli", "run", str(folder), "--source", "synthetic:7", "--json"]
    return subprocess.run(
        [*before, *command, "--max-frames", "60"], capture_output=True, text=True, timeout=120, check=False
    )


def running(slots: Slots) -> str:
    return bundle.read(slots.begin().path).manifest.name


def test_a_full_card_with_a_trial_pending_runs_the_active_bundle_and_says_so(card: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    fill(card)
    done = run_shipped(card)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
    assert f"{card}/a.edgevid: the state could not be written (No space left on device)" in done.stderr
    assert "the folder of bundles could not be written: No space left on device" in done.stderr
    assert not (card / ".state.json.new").exists(), "no half file is left on a full card"
    assert Slots(card).state().trial.starts_left == 3, "the trial waits until there is room"


def test_a_read_only_card_with_a_trial_pending_runs_the_active_bundle_and_says_so(card: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    subprocess.run(["mount", "-o", "remount,ro", str(card)], check=True)
    done = run_shipped(card)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
    assert f"{card}/a.edgevid: the state could not be written (Read-only file system)" in done.stderr


def test_a_read_only_card_without_a_state_runs_a_bundle_whose_own_hashes_fit(card: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    for name in ("state.json", "proven.json"):
        (card / name).unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(card)], check=True)
    done = run_shipped(card)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
    assert "the state was rebuilt from the slots: state.json is missing" in done.stderr


def test_a_bundle_that_does_not_fit_on_the_card_leaves_room_for_the_state(card: Path) -> None:
    fill(card)
    (card / "filler").write_bytes(b"0" * 1024)
    with (card.parent / "big.edgevid").open("wb") as big:
        big.truncate(2**20)
    with pytest.raises(SlotsError, match=r"Expected to copy big\.edgevid to .*, got No space left on device"):
        Slots(card).activate(card.parent / "big.edgevid")
    assert not (card / ".incoming.edgevid").exists()
    assert Slots(card).begin().trial.starts_left == 2


def test_a_start_that_may_write_no_byte_runs_the_active_bundle_without_root(slots: Slots) -> None:
    pytest.importorskip("ai_edge_litert")
    for name in ("a", "b"):
        shutil.copy(SHIPPED, slots.path(name))
    for name in ("state.json", "proven.json"):
        (slots.folder / name).unlink()
    assert slots.begin().path == slots.path("a")
    slots.activate(SHIPPED)
    done = run_shipped(slots.folder, "prlimit", "--fsize=0")
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
    assert "the state could not be written (File too large), so no trial counts" in done.stderr


@contextlib.contextmanager
def failing_writes() -> Iterator[None]:
    """Let every write to a file fail, as on a full card."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_session_whose_start_could_not_be_counted_does_not_confirm_the_bundle_on_trial(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    slots = Slots(tmp_path)
    slots.activate(SHIPPED)
    slots.activate(SHIPPED, period_s=0)
    with failing_writes():
        model = edgevid.load(tmp_path)
    assert (model.started.path.name, model.started.unsaved) == ("a.edgevid", "File too large")
    assert list(model.watch("synthetic:7", max_frames=200))
    assert (slots.state().active, slots.state().trial.slot) == ("a", "b")


def test_a_confirmation_that_could_not_be_written_is_tried_again(
    slots: Slots, caplog: pytest.LogCaptureFixture
) -> None:
    started = slots.begin()
    period = TrialPeriod(slots, period_s=0, sha256=started.sha256, retry_s=0)
    with failing_writes():
        for _ in range(3):
            period.decided(DECISION)
            period.close()
    assert [record.getMessage() for record in caplog.records] == [
        "edgevid: the bundle on trial cannot be confirmed and is tried again: [Errno 27] File too large"
    ], "one line for one reason"
    assert slots.state().trial is not None
    period.decided(DECISION)
    period.close()
    assert (slots.state().trial, slots.state().active) == (None, "b")


def test_a_bundle_confirms_itself_only_and_not_one_that_was_activated_since(slots: Slots, tmp_path: Path) -> None:
    started = slots.begin()
    bundle.write(bundle_for(window_manifest(name="model-3")), tmp_path / "3.edgevid")
    slots.activate(tmp_path / "3.edgevid")
    slots.confirm(running=started.sha256)
    state = slots.state()
    assert (state.active, state.trial.slot, state.slots["b"].name) == ("a", "b", "3.edgevid")


DAMAGE = {
    "empty": b"",
    "zeros": bytes(300),
    "half": b'{"active": "a", "slots": {"a": {"na',
    "other slot": b'{"active": "c", "slots": {}}',
    "unknown slot on trial": b'{"active": "a", "slots": {}, "trial": {"slot": "b"}}',
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "a giant": b" " * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("has_copy", [True, False])
def test_a_state_that_cannot_be_read_is_rebuilt_from_the_slots(slots: Slots, damage: str, has_copy: bool) -> None:
    (slots.folder / "state.json").write_bytes(DAMAGE[damage])
    if not has_copy:
        (slots.folder / "proven.json").write_bytes(DAMAGE[damage])
    started = slots.begin()
    assert (started.path, started.trial, started.unsaved) == (slots.path("a"), None, "")
    assert "the state was rebuilt from the slots" in started.message
    assert slots.look()[1] == "", "it is whole again on the card"
    assert slots.begin().message == ""


def test_a_state_whose_trial_period_is_no_number_is_rebuilt(slots: Slots) -> None:
    path = slots.folder / "state.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "trial": {**content["trial"], "period_s": float("nan")}}))
    assert "rebuilt" in slots.begin().message


def test_a_state_that_is_a_folder_does_not_keep_the_device_down(slots: Slots) -> None:
    (slots.folder / "state.json").unlink()
    (slots.folder / "state.json").mkdir()
    started = slots.begin()
    assert (started.path, started.unsaved) == (slots.path("a"), "Is a directory")


def test_the_rebuilt_state_names_the_bundle_that_was_confirmed_last(slots: Slots) -> None:
    slots.confirm()
    (slots.folder / "state.json").write_bytes(b"")
    assert running(slots) == "model-2"


def test_a_copy_of_the_state_whose_bundle_was_replaced_since_is_not_used(slots: Slots, tmp_path: Path) -> None:
    bundle.write(bundle_for(window_manifest(name="model-3")), slots.path("a"))
    (slots.folder / "state.json").write_bytes(b"")
    assert running(slots) == "model-3"
    assert slots.state().slots["a"].name == "a.edgevid"


def test_bundles_that_are_whole_run_although_the_hashes_in_the_state_are_damaged(slots: Slots) -> None:
    slots.rollback()
    path = slots.folder / "state.json"
    content = json.loads(path.read_text())
    for slot in content["slots"].values():
        slot["sha256"] = "0" * 64
    path.write_text(json.dumps(content))
    assert running(slots) == "model-1"


def test_a_damaged_bundle_is_never_taken_for_a_whole_one(slots: Slots) -> None:
    for name in ("a", "b"):
        data = bytearray(slots.path(name).read_bytes())
        model = next(iter(bundle.read(slots.path(name)).models.values()))
        data[bytes(data).index(model)] ^= 1
        slots.path(name).write_bytes(data)
    (slots.folder / "state.json").write_bytes(b"")
    with pytest.raises(SlotsError, match="no intact one"):
        slots.begin()


def test_the_slots_of_a_damaged_state_are_listed_with_a_word(slots: Slots, capsys: pytest.CaptureFixture[str]) -> None:
    (slots.folder / "state.json").write_bytes(b"")
    assert cli.main(["slots", "--slots", str(slots.folder)]) == 0
    said = capsys.readouterr()
    assert "active, runs at the next start" in said.out
    assert said.err.startswith("edgevid: the state was rebuilt from the slots: ")
    assert (slots.folder / "state.json").read_bytes() == b"", "a look changes nothing"


def test_the_copy_of_a_killed_activation_is_removed_by_the_next_start(slots: Slots) -> None:
    (slots.folder / ".incoming.edgevid").write_bytes(b"half")
    slots.begin()
    assert not (slots.folder / ".incoming.edgevid").exists()


def test_the_copy_of_an_activation_in_progress_outlives_a_start(slots: Slots) -> None:
    (slots.folder / ".incoming.edgevid").write_bytes(b"half")
    with atomic.locked(slots.folder, name=".activate.lock"):
        slots.begin()
    assert (slots.folder / ".incoming.edgevid").exists()


def test_another_user_may_run_the_active_bundle_of_a_device(slots: Slots) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to act as another user")
    slots.rollback()
    os.chmod(slots.folder, 0o755)  # noqa: PTH101
    for folder in (slots.folder, *slots.folder.parents):
        if not folder.stat().st_mode & 0o001 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o711)
    os.seteuid(65534)
    try:
        started = slots.begin()
    finally:
        os.seteuid(0)
    assert (started.path, started.message) == (slots.path("a"), "")


def test_the_second_slot_runs_where_neither_the_state_nor_the_first_slot_can_be_read(slots: Slots) -> None:
    for name in ("state.json", "proven.json", "a.edgevid"):
        (slots.folder / name).write_bytes(b"")
    assert running(slots) == "model-2"
    assert slots.state().active == "b"


@pytest.mark.parametrize("is_folder", [False, True], ids=["missing", "unreadable"])
@pytest.mark.parametrize(("lost", "runs"), [("a", "model-2"), ("b", "model-1")])
def test_a_bundle_whose_file_cannot_be_opened_is_passed_over(
    slots: Slots, lost: str, runs: str, is_folder: bool
) -> None:
    if lost == "a":
        slots.begin()
        slots.rollback()
    slots.path(lost).unlink()
    if is_folder:
        slots.path(lost).mkdir()
    assert running(slots) == runs


def test_a_confirmation_that_failed_is_tried_again_after_a_pause_and_not_before(
    slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    began_s, now_ns, attempts = 12_345, 0, []

    def confirm(_slots: Slots, running: str) -> None:
        attempts.append(now_ns // 10**9 - began_s)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Slots, "confirm", confirm)
    monkeypatch.setattr(trial, "monotonic_ns", lambda: now_ns)
    period = TrialPeriod(slots, period_s=10)
    for second in range(0, 150, 5):
        now_ns = (began_s + second) * 10**9
        period.decided(DECISION)
        period.close()
    assert attempts == [10, 70, 130]


@pytest.mark.parametrize("active", ["a", "b"])
def test_a_damaged_active_bundle_is_replaced_by_the_other_one_with_a_word(slots: Slots, active: str) -> None:
    slots.begin()
    slots.confirm() if active == "b" else slots.rollback()
    assert slots.begin().message == ""
    slots.path(active).write_bytes(b"")
    started = slots.begin()
    assert started.path != slots.path(active)
    assert started.message == "the active bundle is damaged; the other one runs instead"
