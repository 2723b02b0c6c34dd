import os
import pickle

import numpy as np
import pytest

from convert.encoders.torch_checkpoint import read_tensors
from edgevid.errors import ModelError
from tests.convert.encoders.checkpoints import MAGIC, write_checkpoint

TENSORS = {
    "kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "bias": np.array([0.5, -1.5], np.float32),
}


def test_tensors_are_read_by_name_with_their_numbers(tmp_path):
    read = read_tensors(write_checkpoint(tmp_path / "m.pth", TENSORS))
    assert set(read) == set(TENSORS)
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(read[name], tensor)


def test_a_checkpoint_that_names_a_function_is_rejected_and_runs_nothing(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "m.pth"
    path.write_bytes(b"".join(pickle.dumps(each, 2) for each in (MAGIC, 1001, {}, {"weight": Hostile()}, [])))
    with pytest.raises(ModelError, match="mkdir"):
        read_tensors(path)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_cut_off_anywhere_is_rejected(tmp_path):
    whole = write_checkpoint(tmp_path / "m.pth", TENSORS).read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.pth").write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.pth"):
            read_tensors(tmp_path / "cut.pth")


def test_a_view_outside_of_its_numbers_is_rejected(tmp_path):
    with pytest.raises(ModelError, match="lies outside"):
        read_tensors(write_checkpoint(tmp_path / "m.pth", TENSORS, offset=1))


def test_a_file_of_another_kind_is_rejected(tmp_path):
    path = tmp_path / "m.pth"
    path.write_bytes(b"".join(pickle.dumps(each, 2) for each in (MAGIC + 1, 1001, {}, {}, [])))
    with pytest.raises(ModelError, match="magic"):
        read_tensors(path)
