import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from convert.clips import ClipRef, Segment
from convert.training.augment import NONE, Augmentation
from convert.transfer.encoding.windows import WindowPlan, clip_digest, content_digest, encode_clip, entry_key
from edgevid.bundle.manifest import Window
from edgevid.errors import ModelError
from edgevid.frames.preprocess import InputSpec
from tests.clips.moving import moving_clip

pytestmark = pytest.mark.tf
PLAN = WindowPlan(
    window=Window(frames=4, interval_s=0.1),
    input=InputSpec(height=32, width=32, channels=3),
    augmentation=NONE,
    windows=3,
    seed=0,
)
CLIP = moving_clip("left", seed=1)
WAY = ("frames", "float32")


class Scaled:
    """An encoder whose one feature is the mean of a frame, times a factor."""

    def __init__(self, factor):
        self._factor = factor

    def encode(self, window):
        return window.reshape(len(window), -1).mean(axis=1, keepdims=True).astype(np.float32) * self._factor


def encoded(factor):
    return encode_clip(CLIP, "ab" * 32, PLAN, {WAY: Scaled(factor)})[WAY]


def test_each_window_has_features_and_the_class_that_it_shows():
    entry = encoded(1.0)
    assert entry["features"].shape == (3, 4, 1)
    assert entry["features"].dtype == np.float16
    assert entry["labels"].tolist() == ["left"] * 3


def test_features_beyond_half_precision_keep_their_size():
    np.testing.assert_allclose(encoded(1e4)["features"], encoded(1.0)["features"].astype(np.float32) * 1e4, rtol=1e-2)


@pytest.mark.parametrize("factor", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_rejected_with_the_clip(factor):
    with pytest.raises(ModelError, match="left/clip_1"):
        encoded(factor)


def test_a_mirrored_window_shows_the_class_of_its_mirror_image():
    mirrored = dataclasses.replace(PLAN, augmentation=Augmentation(flip={"left": "right"}), windows=30)
    labels = encode_clip(CLIP, "ab" * 32, mirrored, {WAY: Scaled(1.0)})[WAY]["labels"].tolist()
    assert labels[0] == "left"
    assert set(labels) == {"left", "right"}


def test_the_digest_of_a_clip_depends_on_content_segment_and_rate(tmp_path):
    refs = [
        ClipRef(Path("a.avi")),
        ClipRef(Path("a.avi"), segment=Segment(1.0, 2.0)),
        ClipRef(Path("a.avi"), segment=Segment(1.0, 3.0)),
        ClipRef(Path("a.avi"), fps=12.0),
    ]
    assert len({clip_digest(ref, content) for ref in refs for content in ("x", "y")}) == 8
    for name, text in (("1.jpg", "a"), ("2.jpg", "b")):
        (tmp_path / name).write_text(text)
    before = content_digest(tmp_path)
    (tmp_path / "2.jpg").rename(tmp_path / "3.jpg")
    assert content_digest(tmp_path) != before


def test_the_key_depends_on_each_fact():
    usual = {"clip": "c", "label": "left", "encoder": "e", "stream": "frames", "precision": "int8"}
    plans = [PLAN, *(dataclasses.replace(PLAN, **change) for change in ({"windows": 4}, {"seed": 1}))]
    changes = [{}, {"clip": "d"}, {"label": "right"}, {"encoder": "f"}, {"stream": "differences"}]
    keys = {entry_key(plan, **(usual | change)) for plan in plans for change in changes}
    assert len(keys) == len(plans) * len(changes)
