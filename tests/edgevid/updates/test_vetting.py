"""Vetting in a child process: whose it is, what it may use, and what counts as a failure."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgevid import bundle
from edgevid.errors import SelftestFailed, SlotsError
from edgevid.updates.slots import Slots
from edgevid.updates.vetting import MEMORY_MIB, service_memory_mib, vet
from tests.repo.files import ROOT

SHIPPED = ROOT / "edgevid" / "data" / "gestures.edgevid"
NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="edgevid-vetting-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def interpreter(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Let the child be a shell script in place of Python."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def programs(monkeypatch: pytest.MonkeyPatch, folder: Path, *, systemctl: str) -> None:
    (folder / "systemctl").write_text(f"#!/bin/sh\n{systemctl}\n")
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("signal", ["SEGV", "ABRT", "KILL", "35"])
def test_an_interpreter_that_dies_of_a_signal_fails_the_vetting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    interpreter(monkeypatch, tmp_path, f"kill -{signal} $$")
    with pytest.raises(SelftestFailed, match=r"The interpreter crashed \((SIG|signal )"):
        vet(SHIPPED)


def test_a_bundle_whose_self_test_crashes_does_not_go_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter(monkeypatch, tmp_path, "kill -SEGV $$")
    (tmp_path / "slots").mkdir()
    slots = Slots(tmp_path / "slots", vet)
    with pytest.raises(SelftestFailed):
        slots.activate(SHIPPED)
    assert (slots.state(), list(slots.folder.glob("*.edgevid"))) == (None, [])


def test_a_vetting_that_does_not_end_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter(monkeypatch, tmp_path, "exec sleep 600")
    with pytest.raises(SelftestFailed, match=r"within 0\.2 s, got no answer"):
        vet(SHIPPED, limit_s=0.2)


def test_roots_vetting_runs_as_the_owner_of_the_slots_without_any_other_group(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to act as another user")
    interpreter(monkeypatch, open_folder, '[ "$2" = -c ] && exit 0; echo "$(id -u) $(id -g) $(id -G)" >&2; exit 1')
    (open_folder / "slots").mkdir()
    os.chown(open_folder / "slots", NOBODY, NOBODY)
    with pytest.raises(SelftestFailed, match=rf" {NOBODY} {NOBODY} {NOBODY}$"):
        Slots(open_folder / "slots", vet).activate(SHIPPED)


def test_a_user_who_is_not_root_vets_as_itself(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter(monkeypatch, open_folder, '[ "$2" = -c ] && exit 0; echo "I am $(id -u)" >&2; exit 1')
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY + 1)
    (open_folder / "slots").mkdir()
    if os.getuid() == 0:
        os.chown(open_folder / "slots", NOBODY, NOBODY)
    with pytest.raises(SelftestFailed, match=rf"I am {os.getuid()}$"):
        vet(shutil.copy(SHIPPED, open_folder / "slots" / "a.edgevid"))


def test_root_vets_with_a_word_where_the_owner_cannot_reach_python(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to act as another user")
    interpreter(monkeypatch, open_folder, 'echo "I am $(id -u)" >&2; exit 1')
    Path(sys.executable).chmod(stat.S_IRWXU)
    (open_folder / "slots").mkdir()
    os.chown(open_folder / "slots", NOBODY, NOBODY)
    with pytest.raises(SelftestFailed, match=r"I am 0$"):
        Slots(open_folder / "slots", vet).activate(SHIPPED)
    assert f"user {NOBODY} cannot reach {sys.executable}" in caplog.text


def test_the_child_may_allocate_what_the_service_may_and_dumps_no_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter(monkeypatch, tmp_path, 'echo "data $(ulimit -d) core $(ulimit -c)" >&2; exit 1')
    with pytest.raises(SelftestFailed, match=rf"data {256 * 1024} core 0$"):
        vet(SHIPPED, memory_mib=256)


def test_a_bundle_that_fits_into_the_smallest_service_passes() -> None:
    pytest.importorskip("ai_edge_litert")
    vet(SHIPPED, memory_mib=256)


def test_a_bundle_whose_golden_vectors_unpack_to_more_than_the_service_may_use_is_rejected(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    bomb = golden_bomb(tmp_path / "bomb.edgevid", mib=200)
    assert bomb.stat().st_size < 2**20
    with pytest.raises(SelftestFailed, match=r"It needs more memory\. Its limit of memory is 160 MiB\."):
        vet(bomb, memory_mib=160)


def golden_bomb(path: Path, *, mib: int) -> Path:
    """A valid bundle whose golden frames are zeros, which compress to almost nothing."""
    model = bundle.read(SHIPPED)
    frame, golden = model.golden.frames[0], model.golden
    count = mib * 2**20 // frame.nbytes
    answers = count - model.manifest.window.frames + 1
    scores = np.repeat(golden.scores[:1], answers, axis=0)
    frames = np.zeros((count, *frame.shape), frame.dtype)
    bundle.write(
        dataclasses.replace(
            model, golden=dataclasses.replace(golden, frames=frames, scores=scores, float_scores=scores)
        ),
        path,
    )
    return path


def test_the_limit_is_the_services_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, tmp_path, systemctl="echo 268435456")
    assert service_memory_mib() == 256
    programs(monkeypatch, tmp_path, systemctl="echo infinity")
    assert service_memory_mib() == MEMORY_MIB
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert service_memory_mib() == MEMORY_MIB


def test_a_start_of_the_service_does_not_wait_for_a_vetting(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.activate(SHIPPED)
    starts = []
    Slots(tmp_path, lambda _path: starts.append(slots.begin().path.name)).activate(SHIPPED)
    assert starts == ["a.edgevid"]


def test_a_trial_goes_on_while_the_next_bundle_is_vetted_and_after_one_that_failed(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.activate(SHIPPED)
    slots.activate(SHIPPED)

    def reject(_path: Path) -> None:
        assert slots.begin().trial is not None
        raise SelftestFailed("no")

    with pytest.raises(SelftestFailed):
        Slots(tmp_path, reject).activate(SHIPPED)
    assert slots.state().trial.starts_left == 2


def test_a_second_activation_at_the_same_time_is_refused(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    with pytest.raises(SlotsError, match="another one in progress"):
        Slots(tmp_path, lambda _path: slots.activate(SHIPPED) and None).activate(SHIPPED)
    assert slots.state() is None
    assert not (tmp_path / ".incoming.edgevid").exists()


def test_a_copy_that_changed_after_its_check_does_not_go_live(tmp_path: Path) -> None:
    slots = Slots(tmp_path, lambda path: path.write_bytes(b"other") and None)
    with pytest.raises(SlotsError, match=r"gestures\.edgevid unchanged since its check"):
        slots.activate(SHIPPED)
    assert slots.state() is None


def test_the_lock_is_held_while_a_state_is_replaced_and_only_the_owner_can_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots, replace, held = Slots(tmp_path), os.replace, []

    def watched(old: Path, new: Path) -> None:
        with (tmp_path / ".lock").open("rb") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.append(Path(new).name)
        replace(old, new)

    monkeypatch.setattr(os, "replace", watched)
    for change in (lambda: slots.activate(SHIPPED), lambda: slots.activate(SHIPPED), slots.begin, slots.confirm):
        change()
    slots.rollback()
    assert held.count("state.json") == 5
    for name in (".lock", ".activate.lock"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_lock_of_root_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give files away")
    os.chown(tmp_path, NOBODY, NOBODY)
    Slots(tmp_path).activate(SHIPPED)
    assert (tmp_path / ".lock").stat().st_uid == NOBODY
