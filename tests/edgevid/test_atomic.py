import pytest

from edgevid.atomic import check_folder, replacing
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
