"""Rows that are made when they are asked for, and arrays in a temporary file."""

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from convert.rows import Rows, Store


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def stored(count=5, dtype=np.float32):
    array = np.arange(count * 6).reshape(count, 2, 3).astype(dtype)
    return array, Store().add(array)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32])
@pytest.mark.parametrize(
    "index", [0, 4, -1, slice(None), slice(1, 4), slice(None, None, 2), [3, 0, 0], np.array([1, -2])]
)
def test_a_stored_array_is_indexed_as_an_array_is(dtype, index):
    array, read = stored(dtype=dtype)
    np.testing.assert_array_equal(read[index], array[index])
    assert (read.shape, read.dtype, read.nbytes, len(read)) == (array.shape, array.dtype, array.nbytes, len(array))


@pytest.mark.parametrize("index", [5, -6, [0, 5]])
def test_a_row_that_a_stored_array_lacks_is_an_index_error(index):
    with pytest.raises(IndexError):
        stored()[1][index]


def test_the_arrays_of_one_store_are_apart():
    store = Store()
    first = store.add([np.full(3, 1, np.uint8), np.full(3, 2, np.uint8)])
    second = store.add(np.full((1, 2), 0.5, np.float32))
    assert first[:].tolist() == [[1, 1, 1], [2, 2, 2]]
    assert second[:].tolist() == [[0.5, 0.5]]


def test_threads_read_one_stored_array_at_the_same_time():
    array = np.random.default_rng(0).integers(0, 255, (50, 4096)).astype(np.uint8)
    read = Store().add(array)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(read.__getitem__, [*range(50)] * 20))
    np.testing.assert_array_equal(np.stack(rows), np.concatenate([array] * 20))


def test_the_file_of_a_store_is_closed_with_its_last_array():
    before = open_files()
    _, read = stored()
    assert open_files() == before + 1
    del read
    gc.collect()
    assert open_files() == before


def test_a_stored_array_is_read_and_not_mapped_into_the_process():
    read = Store().add(np.zeros((4, 2**20), np.uint8))
    read[:]
    assert "edgevid-rows-" not in Path("/proc/self/maps").read_text()


def test_a_row_is_made_when_it_is_asked_for_and_not_before():
    made = []
    rows = Rows(lambda place: made.append(place) or np.full(2, place), range(6)).map(lambda row: row * 10)
    picked = rows[1:][[0, 2, -1]]
    assert (len(picked), made) == (3, [])
    assert [row[0] for row in picked] == [10, 30, 50]
    assert made == [1, 3, 5]
    assert picked.shape == (3, 2)
