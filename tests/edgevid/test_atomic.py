import errno
import os
import stat
from pathlib import Path

import pytest

from edgevid.atomic import check_folder, chunks_of, locked, prepare, put, replacing, write
from edgevid.errors import UsageError


def test_a_file_appears_under_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.suffix == path.suffix
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_refused_before_any_work(tmp_path):
    with pytest.raises(UsageError, match="folder"), replacing(tmp_path / "no" / "out.bin"):
        pytest.fail("the block began")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\*\.keras"):
        check_folder(tmp_path / "model.h5", suffix=".keras")


def test_a_link_that_appears_after_the_leftover_is_removed_is_not_written_through(tmp_path, monkeypatch):
    """The folder's owner may win the race between root's removal and root's creation."""
    target, temporary = tmp_path / "target", tmp_path / "folder" / ".state.new"
    target.write_bytes(b"precious")
    temporary.parent.mkdir()
    unlink = Path.unlink

    def plant(path, missing_ok=False):
        unlink(path, missing_ok=missing_ok)
        path.symlink_to(target)

    monkeypatch.setattr(Path, "unlink", plant)
    with pytest.raises(FileExistsError):
        prepare(temporary, [b"new"])
    assert target.read_bytes() == b"precious"


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path):
        pytest.fail("the block began")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_does_not_fit_leaves_no_part_of_it(tmp_path):
    def chunks():
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "file", chunks())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [write, lambda path, chunks: put(prepare(path.with_name("new"), chunks), path)])
def test_a_durable_file_is_flushed_before_its_name_and_its_name_after(tmp_path, monkeypatch, call):
    done = []
    fsync, replace = os.fsync, os.replace

    def flushed(handle):
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append("rename"), replace(old, new)))
    call(tmp_path / "file", [b"x"])
    assert done == ["file", "rename", "folder"]
    done.clear()
    with replacing(tmp_path / "other", durable=True) as temporary:
        temporary.write_bytes(b"x")
    assert done == ["file", "rename", "folder"]
    done.clear()
    write(tmp_path / "file", [b"x"], durable=False)
    assert done == ["rename"]


def test_a_lock_that_is_held_stops_one_who_does_not_wait_and_is_free_afterwards(tmp_path):
    with locked(tmp_path):
        with pytest.raises(BlockingIOError), locked(tmp_path, wait=False):
            pytest.fail("two held it")
        with locked(tmp_path, name="another", wait=False):
            pass
    with locked(tmp_path, wait=False):
        assert stat.S_IMODE((tmp_path / ".lock").stat().st_mode) == 0o600


def test_a_file_is_read_in_chunks_of_a_mebibyte(tmp_path):
    (tmp_path / "file").write_bytes(bytes(2**21 + 1))
    assert [len(chunk) for chunk in chunks_of(tmp_path / "file")] == [2**20, 2**20, 1]


def test_a_replacement_is_flushed_only_where_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _handle: pytest.fail("a flush wears the card"))
    with replacing(tmp_path / "file") as temporary:
        temporary.write_bytes(b"x")


def test_a_read_only_folder_is_rejected_before_hours_of_work(tmp_path, monkeypatch):
    # Root may write anywhere, so the kernel's answer is replaced.
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (tmp_path, os.W_OK))
    with pytest.raises(UsageError, match=r"Expected a writable folder for a\.json"):
        check_folder(tmp_path / "a.json", suffix=".json")
