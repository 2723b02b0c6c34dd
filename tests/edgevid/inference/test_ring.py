import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevid.inference.ring import Ring


def push(ring, row):
    ring.input_buffer()[...] = row
    ring.commit()


@given(length=st.integers(1, 9), rows=st.integers(0, 40), clear_at=st.integers(0, 40))
def test_at_every_step_the_window_is_the_last_rows_of_a_plain_list(length, rows, clear_at):
    ring, pushed = Ring(length, (2, 3), "int16"), []
    for number in range(rows):
        if number == clear_at:
            ring.clear()
            pushed = []
        row = np.arange(6, dtype=np.int16).reshape(2, 3) + 100 * number
        push(ring, row)
        pushed.append(row)
        assert ring.full == (len(pushed) >= length)
        if ring.full:
            assert np.array_equal(ring.batch()[0], np.stack(pushed[-length:]))


@given(length=st.integers(1, 6), rows=st.integers(0, 20))
def test_the_window_is_one_block_of_the_rings_own_memory_wherever_it_starts(length, rows):
    ring = Ring(length, (4,), "int8")
    for number in range(rows):
        push(ring, number)
    window = ring.batch()[0]
    assert window.shape == (length, 4)
    assert window.flags.c_contiguous
    assert np.shares_memory(window, ring.input_buffer())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float32"])
def test_a_ring_keeps_its_type_and_row_shape(dtype):
    ring = Ring(3, (6, 8, 3), dtype)
    assert ring.input_buffer().dtype == dtype
    assert ring.input_buffer().shape == (6, 8, 3)
    assert ring.batch()[0].dtype == dtype


def test_a_ring_is_full_after_exactly_its_length_and_again_after_a_clear():
    ring = Ring(3, (1,), "int8")
    for cycle in range(2):
        for number in range(3):
            assert not ring.full, (cycle, number)
            push(ring, number)
        assert ring.full
        assert ring.batch()[0][:, 0].tolist() == [0, 1, 2]
        ring.clear()


def test_nothing_is_forgotten_by_a_row_that_was_begun_and_not_committed_except_the_oldest():
    ring = Ring(3, (1,), "int8")
    for number in range(5):
        push(ring, number)
    ring.input_buffer()[...] = 99
    assert ring.batch()[0][:, 0].tolist() == [99, 3, 4]
    ring.commit()
    assert ring.batch()[0][:, 0].tolist() == [3, 4, 99]


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_row_written_to_both_of_its_places_at_once_is_one_that_was_committed(length: int) -> None:
    slow, quick = Ring(length, (4,), "int8"), Ring(length, (4,), "int8")
    for number in range(3 * length):
        row = np.full((1, 4), number, np.int8)
        slow.input_buffer()[...] = row[0]
        slow.commit()
        quick.pair()[...] = row
        quick.advance()
        assert quick.full == slow.full
        np.testing.assert_array_equal(quick.batch(), slow.batch())
