"""A training that was stopped at any moment goes on to the same model, bit for bit."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from convert.training.fit import train
from edgevid.errors import ModelError, UsageError
from tests.clips.moving import moving_clips
from tests.convert.training.test_fit import changed

pytestmark = pytest.mark.tf
CLIPS = moving_clips(6)


class Stopped(Exception):
    pass


def stop_after(number):
    def on_epoch(epoch):
        if epoch.number == number:
            raise Stopped

    return on_epoch


def run(folder=None, on_epoch=lambda _epoch: None, clips=CLIPS, **changes):
    return train(clips, changed(epochs=6, checkpoint=folder, **changes), on_epoch=on_epoch)


def weights_of(trained):
    return [np.asarray(each) for each in trained.model.weights]


def assert_same(one, other):
    assert one.history == other.history
    for mine, theirs in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"val_fraction": 0.0}, marks=pytest.mark.slow),
        pytest.param({"patience": 2}, marks=pytest.mark.slow),
        pytest.param({"learning_rate": 1e-5, "patience": 1}, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_training_ends_as_one_that_was_not(changes, tmp_path):
    whole = run(tmp_path / "whole", **changes)
    seen = []
    for number in (2, 4):
        with contextlib.suppress(Stopped):
            run(tmp_path, stop_after(number), **changes)
    again = run(tmp_path, seen.append, **changes)
    assert_same(again, whole)
    # Epochs before the stop are not trained again: the one that was stopped in its end is.
    assert [epoch.number for epoch in seen] == list(range(4, len(whole.history) + 1))


def test_a_finished_training_is_not_trained_again(tmp_path):
    for changes in ({}, {"patience": 1, "learning_rate": 1e-5}):
        whole, seen = run(tmp_path, **changes), []
        assert_same(run(tmp_path, seen.append, **changes), whole)
        assert seen == []


@pytest.mark.slow
def test_other_options_and_other_clips_begin_anew(tmp_path):
    run(tmp_path)
    for changes in (
        {"seed": 1},
        {"learning_rate": 0.02},
        {"clips": moving_clips(6, first_seed=50)},
        {"clips": moving_clips(5)},
    ):
        seen = []
        run(tmp_path, seen.append, **changes)
        assert seen[0].number == 1


def test_a_damaged_checkpoint_is_one_error(tmp_path):
    with pytest.raises(Stopped):
        run(tmp_path, stop_after(3))
    (path,) = tmp_path.glob("*.npz")
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"nothing", b""):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="a whole checkpoint"):
            run(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="a folder for checkpoints"):
        run(tmp_path / "file")


def test_a_process_that_is_killed_goes_on(tmp_path):
    program = (
        "from pathlib import Path\n"
        "from tests.convert.training.test_checkpoint import run\n"
        f"run(Path({str(tmp_path)!r}), lambda e: print(e.number, flush=True))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "3":
                break
        time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
    seen = []
    again, whole = run(tmp_path, seen.append), run(tmp_path / "whole")
    # Two processes round differently in the last bits, stopped or not.
    for mine, theirs in zip(weights_of(again), weights_of(whole), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)
    assert seen[0].number >= 3
    assert [each.suffix for each in tmp_path.iterdir() if each.is_file()] == [".npz"]
