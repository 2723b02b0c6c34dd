"""Tensors of a run beyond the memory limit are in a file, and read as they were written."""

import ml_dtypes
import numpy as np
import pytest

from convert.execution.held_tensors import HeldTensors
from convert.rows import StoredArray

KIB = 1024


def arrays(count=6, kib=8):
    rng = np.random.default_rng(0)
    return {number: rng.random((2, kib * KIB // 8), np.float32) for number in range(count)}


def in_memory(held):
    return [number for number, each in held._arrays.items() if not isinstance(each, StoredArray)]


def test_tensors_beyond_the_limit_are_on_disk_and_unchanged():
    held, given = HeldTensors(most_bytes=20 * KIB), arrays()
    held.update(given)
    assert in_memory(held) == [0, 1]
    assert list(held) == list(given)
    for number, array in given.items():
        np.testing.assert_array_equal(held[number], array)


def test_a_tensor_that_is_dropped_makes_room_for_another():
    held, given = HeldTensors(most_bytes=20 * KIB), arrays()
    held.update(given)
    del held[0]
    held[7] = given[0]
    assert in_memory(held) == [1, 7]
    assert len(held) == 6


@pytest.mark.parametrize("array", [np.float32(2.5), np.array("text", object), np.zeros((0, 3), np.int64)])
def test_small_tensors_of_any_type_need_no_file(array):
    held = HeldTensors(most_bytes=0)
    held[1] = np.asarray(array)
    np.testing.assert_array_equal(held[1], array)
    assert in_memory(held) == [1]


@pytest.mark.parametrize("dtype", [np.bool_, np.float16, ml_dtypes.bfloat16, np.int64])
def test_large_tensors_of_any_number_type_come_back_from_the_file(dtype):
    held, array = HeldTensors(most_bytes=0), np.arange(3 * 5000).reshape(3, 5000).astype(dtype)
    held[1] = array
    assert in_memory(held) == []
    assert held[1].dtype == array.dtype
    np.testing.assert_array_equal(held[1], array)
