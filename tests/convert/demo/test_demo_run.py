"""What the demo shows of its bundle; the one that ships stands in for a fresh one."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.demo.dataset import Dataset, DatasetSpec, write_dataset
from convert.demo.demo_run import DemoRun, clip_strips, watch_stream
from convert.demo.sections import sections
from convert.progress import Silent
from edgevid.commands.demo import shipped_bundle
from edgevid.synthetic.gestures import GESTURES

SPEC = DatasetSpec(
    train=2,
    validation=1,
    test=1,
    none_share=1,
    height_px=48,
    width_px=48,
    fps=10.0,
    stream_s=30.0,
    codec="FFV1",
    seed=77,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_dataset(tmp_path_factory.mktemp("watch") / "clips", SPEC, Silent(), processes=2)


@pytest.fixture(scope="module")
def watched(dataset: Dataset) -> DemoRun:
    return watch_stream(shipped_bundle(), dataset)


def test_the_long_video_is_watched_to_its_end_and_scored(watched: DemoRun, dataset: Dataset) -> None:
    assert watched.telemetry.seen == 300
    assert len(watched.score.matched) + len(watched.score.missed) == len(dataset.truth)
    assert watched.score.recall >= 0.7


def test_strips_show_wrong_answers_first_and_each_class_once(dataset: Dataset) -> None:
    evaluation, strips = clip_strips(shipped_bundle(), dataset.root / "test", Silent())
    verdicts = [strip.right for strip in strips]
    assert verdicts == sorted(verdicts)
    assert len(evaluation.predictions) == 8
    truths = [strip.caption.split(":")[0] for strip in strips if strip.right]
    assert truths == sorted(set(truths))


def test_the_report_has_the_timeline_with_truth_and_events_and_a_picture_of_the_clips(
    watched: DemoRun, dataset: Dataset
) -> None:
    made = shipped_bundle()
    evaluation, strips = clip_strips(made, dataset.root / "test", Silent())
    shown = sections(made, watched, dataset, evaluation=evaluation, strips=strips, video=Path("annotated.mp4"))
    pictures = [
        cv2.imdecode(np.frombuffer(section.picture, np.uint8), cv2.IMREAD_COLOR) for section in shown if section.picture
    ]
    assert len(pictures) == 1
    assert min(picture.shape[1] for picture in pictures) > 800
    strip = shown[0].html
    marks = Counter(re.findall(r'class="tl-mark tl-(\w+)"', strip))
    # An event over the end of a row would be drawn in both; a stream of half a minute has one row.
    assert marks["found"] == marks["hit"] == len(watched.score.matched)
    assert marks["missed"] == len(watched.score.missed)
    assert marks["false"] == len(watched.score.false_alarms)
    assert 'data-video="annotated.mp4"' in strip
    assert strip.count("<path") == len(made.manifest.labels)
    assert strip.count("data:image/jpeg") >= 3 * 6
    listed = next(section for section in shown if section.title == "Every event").table
    assert {row[0] for row in listed[1:]} <= {"", *GESTURES}
