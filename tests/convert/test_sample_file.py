"""Samples on their way to the converter's process."""

import tracemalloc

import numpy as np
import pytest

from convert.quantization.calibration import pin
from convert.quantization.calibration_check import ranges
from convert.sample_file import read_samples, write_samples
from tests.convert.quantization.test_calibration_check import made
from tests.convert.watched_rows import WatchedRows


def test_samples_are_read_as_they_were_written_one_after_the_other(tmp_path):
    rng = np.random.default_rng(0)
    frames, states = rng.random((5, 2, 3), np.float32), rng.random((5, 7)).astype(np.float64)
    write_samples(tmp_path / "samples.npz", [frames, states])
    for sample, frame, state in zip(read_samples(tmp_path / "samples.npz"), frames, states, strict=True):
        np.testing.assert_array_equal(sample[0], frame)
        np.testing.assert_array_equal(sample[1], state.astype(np.float32))


def test_a_part_without_samples_has_none_to_read(tmp_path):
    write_samples(tmp_path / "samples.npz", [np.zeros((0, 4), np.float32)])
    assert list(read_samples(tmp_path / "samples.npz")) == []


def test_numpy_reads_a_file_of_samples(tmp_path):
    write_samples(tmp_path / "samples.npz", [np.arange(6, dtype=np.float32).reshape(3, 2)])
    with np.load(tmp_path / "samples.npz") as archive:
        assert archive["arr_0"].tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    "step",
    [
        lambda rows, path: write_samples(path / "samples.npz", [rows]),
        lambda rows, path: write_samples(path / "samples.npz", [pin(rows, 0.0, 1.0)]),
        lambda rows, _: ranges(made(1 / 127), [rows]),
    ],
    ids=["written", "pinned and written", "compared with the grid"],
)
def test_a_step_that_reads_samples_holds_two_of_them_at_most(step, tmp_path):
    rows = WatchedRows(lambda place: np.full(1000, place % 3, np.float32), 20)
    step(rows.rows, tmp_path)
    assert rows.made >= 20
    assert rows.most_held <= 2


def test_reading_samples_takes_the_memory_of_a_few_and_not_of_all(tmp_path):
    write_samples(tmp_path / "samples.npz", [np.zeros((64, 100_000), np.float32)])
    tracemalloc.start()
    for _ in read_samples(tmp_path / "samples.npz"):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 400_000
