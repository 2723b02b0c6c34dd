"""The rendered data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.clips import decode_all, find_clips
from convert.demo.dataset import MARKER, SPLITS, Dataset, DatasetSpec, write_dataset
from convert.progress import Silent
from edgevid.frames.preprocess import InputSpec
from edgevid.synthetic.gestures import BACKGROUND, LABELS

SPEC = DatasetSpec(
    train=2, validation=1, test=1, none_share=2, height_px=24, width_px=32, fps=10.0, stream_s=8.0, codec="FFV1", seed=5
)
FRAME = InputSpec(height=24, width=32, channels=3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_dataset(tmp_path_factory.mktemp("dataset") / "clips", SPEC, Silent(), processes=1)


def clip_paths(root: Path) -> list[Path]:
    return sorted(root.rglob("*/*/*.avi"))


def test_each_class_has_its_clips_in_each_folder(dataset: Dataset) -> None:
    for split in SPLITS:
        refs = find_clips(dataset.root / split)
        assert {ref.label for ref in refs} == set(LABELS)
        for label in LABELS:
            expected = {"train": 2, "validation": 1, "test": 1}[split] * (2 if label == BACKGROUND else 1)
            assert sum(ref.label == label for ref in refs) == expected == SPEC.clips(split, label)


def test_clips_have_the_length_and_size_asked_for_and_no_two_are_alike(dataset: Dataset) -> None:
    clips = decode_all([ref for split in SPLITS for ref in find_clips(dataset.root / split)], FRAME).clips
    assert {clip.frames.shape for clip in clips} == {(20, 24, 32, 3)}
    firsts = {clip.frames[0].tobytes() for clip in clips}
    assert len(firsts) == len(clips)


def test_the_long_video_comes_with_its_truth(dataset: Dataset) -> None:
    assert dataset.stream.exists()
    assert dataset.truth
    assert all(gesture.end_s <= SPEC.stream_s for gesture in dataset.truth)


def test_a_second_run_renders_nothing_and_another_specification_everything(dataset: Dataset, tmp_path: Path) -> None:
    root = tmp_path / "clips"
    small = DatasetSpec(
        train=1, validation=1, test=1, none_share=1, height_px=16, width_px=16, fps=5.0, stream_s=0.0, codec="FFV1"
    )
    write_dataset(root, small, Silent(), processes=1)
    stamps = [path.stat().st_mtime_ns for path in clip_paths(root)]
    write_dataset(root, small, Silent(), processes=1)
    assert [path.stat().st_mtime_ns for path in clip_paths(root)] == stamps
    write_dataset(root, DatasetSpec(**{**vars(small), "fps": 6.0}), Silent(), processes=1)
    assert all(path.stat().st_mtime_ns not in stamps for path in clip_paths(root))


def test_a_run_that_was_cut_short_begins_anew(tmp_path: Path) -> None:
    small = DatasetSpec(
        train=1, validation=1, test=1, none_share=1, height_px=16, width_px=16, fps=5.0, stream_s=0.0, codec="FFV1"
    )
    dataset = write_dataset(tmp_path, small, Silent(), processes=1)
    whole = clip_paths(tmp_path)
    whole[0].unlink()
    (tmp_path / MARKER).unlink()
    write_dataset(tmp_path, small, Silent(), processes=1)
    assert clip_paths(dataset.root) == whole


def test_the_same_seed_renders_the_same_pixels(dataset: Dataset, tmp_path: Path) -> None:
    again = write_dataset(tmp_path, SPEC, Silent(), processes=2)
    for name in ("train/wave/wave_0001.avi", "test/none/none_0000.avi", "stream.avi"):
        np.testing.assert_array_equal(
            np.fromfile(dataset.root / name, np.uint8), np.fromfile(again.root / name, np.uint8)
        )
