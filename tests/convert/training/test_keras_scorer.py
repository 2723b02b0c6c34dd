"""A Keras model scores every window of a clip, and a few windows are in memory at a time."""

from pathlib import Path

import numpy as np
import pytest

from convert.clips import Clip, ClipRef
from convert.rows import Rows, Store, StoredArray
from convert.training import metrics
from edgevid.bundle.manifest import Window
from edgevid.frames.preprocess import InputSpec
from tests.convert.watched_rows import WatchedRows

pytestmark = pytest.mark.tf
WINDOW, SPEC = Window(frames=3, interval_s=0.1), InputSpec(height=2, width=4, channels=3, range=(-1.0, 1.0))
WINDOW_BYTES = 3 * 2 * 4 * 3 * 4
CLIP = np.random.default_rng(0).integers(0, 256, (20, *SPEC.shape)).astype(np.uint8)


def mean_and_newest(windows, training):
    """(N, 2): the mean of each window, and of its newest frame."""
    import tensorflow as tf

    assert not training
    return tf.stack([tf.reduce_mean(each, axis=(1, 2, 3, 4)) for each in (windows, windows[:, -1:])], axis=1)


def scored(frames):
    return metrics.keras_scorer(mean_and_newest, SPEC, WINDOW, kind="sigmoid")(frames)


@pytest.mark.parametrize("windows", [0.5, 1, 4, 18, 1000])
def test_each_window_is_scored_whatever_fits_into_a_batch(windows, monkeypatch):
    monkeypatch.setattr(metrics, "BATCH_BYTES", windows * WINDOW_BYTES)
    real = CLIP / 127.5 - 1
    expected = [[real[at : at + 3].mean(), real[at + 2].mean()] for at in range(18)]
    np.testing.assert_allclose(scored(CLIP), expected, atol=1e-5)
    np.testing.assert_allclose(scored(Rows.of(CLIP)), expected, atol=1e-5)


def test_a_batch_takes_the_frames_of_its_windows_and_no_others(monkeypatch):
    converted, to_real = [], metrics.to_real
    monkeypatch.setattr(metrics, "BATCH_BYTES", 4 * WINDOW_BYTES)
    monkeypatch.setattr(metrics, "to_real", lambda frames, spec: converted.append(len(frames)) or to_real(frames, spec))
    clip = WatchedRows(lambda at: CLIP[at].copy(), len(CLIP))
    scored(clip.rows)
    assert converted == [6, 6, 6, 6, 4]
    assert clip.most_held <= 6


def test_all_views_of_a_clip_on_disk_read_the_frames_of_one_batch_at_a_time(monkeypatch):
    read, get = [], StoredArray.__getitem__
    monkeypatch.setattr(StoredArray, "__getitem__", lambda array, index: read.append(index) or get(array, index))
    monkeypatch.setattr(metrics, "BATCH_BYTES", WINDOW_BYTES)
    clip = Clip(ClipRef(Path("long.avi"), "a"), Store().add(CLIP), np.arange(20) * 100_000_000)
    scorer = metrics.keras_scorer(mean_and_newest, SPEC, WINDOW, kind="sigmoid")
    metrics.evaluate(scorer, [clip], labels=("a", "b"), window=WINDOW, views="all")
    assert [index for index in read if isinstance(index, int)] == [at + step for at in range(18) for step in range(3)]
    assert all(len(index) == 1 for index in read if not isinstance(index, int))
