"""Accuracy beside the latency: clips of the shipped model's gestures, through the same engine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import pytest
from scipy.stats import binomtest

import edgevid
from edgevid import bundle, cli
from edgevid.bench.check import check
from edgevid.bench.files import read
from edgevid.bench.rules import judge
from edgevid.bench.scoring.labelled_clips import find_labelled_clips
from edgevid.bench.statistics import share_interval
from edgevid.capture.synthetic import GestureSource
from edgevid.errors import ClipsError, ResultInvalid, UsageError

GESTURES = Path(edgevid.__file__).parent / "data" / "gestures.edgevid"
SHORT = ["--processes", "2", "--min-time", "0.4", "--warm-up", "0.1", "--min-frames", "40", "--starts", "1"]


def write_clips(folder: Path, *, seed: int) -> None:
    """Write each gesture of a stream as pictures into the folder of its label."""
    source = GestureSource(seed=seed, duration_s=40.0, fps=10.0)
    pictures = [frame.data.copy() for frame in source.frames()]
    for number, gesture in enumerate(source.truth):
        clip = folder / gesture.label / f"{seed}_{number}"
        clip.mkdir(parents=True)
        for index in range(int(gesture.start_s * 10) - 4, int(gesture.end_s * 10) + 5):
            cv2.imwrite(str(clip / f"{index}.png"), pictures[max(0, min(index, len(pictures) - 1))][..., ::-1])


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, seed=3)
    return folder


@pytest.fixture(scope="module")
def measured(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "a.json"
    assert cli.main(["bench", str(GESTURES), *SHORT, "--clips", str(clips), "-o", str(path)]) == 0
    return path


def test_the_accuracy_is_that_of_the_api_on_the_same_clips(measured: Path, clips: Path) -> None:
    model = edgevid.load(GESTURES)
    paths = sorted(path for path in clips.glob("*/*"))
    correct = sum(model.classify(path).label == path.parent.name for path in paths)
    found = check(measured).accuracy
    assert found is not None
    assert (found.clips, found.correct) == (len(paths), correct)
    assert len(paths) >= 6
    assert found.top1 == pytest.approx(correct / len(paths), abs=1e-6)
    assert correct >= len(paths) - 1
    rule = next(each for each in read(measured).validity.rules if each.id == "R13")
    assert rule.outcome == "passed"


def test_clips_under_another_label_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clips(tmp_path, seed=3)
    names = [each.name for each in sorted(tmp_path.iterdir())]
    for old, new in zip(names, [*names[1:], names[0]], strict=True):
        (tmp_path / old).rename(tmp_path / f".{new}")
    for each in list(tmp_path.iterdir()):
        each.rename(tmp_path / each.name[1:])
    capsys.readouterr()
    assert cli.main(["bench", str(GESTURES), *SHORT, "--clips", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"]["correct"] <= 1


def test_accuracy_of_another_bundle_or_engine_is_invalid(measured: Path) -> None:
    result = read(measured)
    assert result.accuracy is not None
    for change in ({"bundle_sha256": "0" * 64}, {"interpreter": "other"}, {"threads": 4}):
        other = dataclasses.replace(result, accuracy=dataclasses.replace(result.accuracy, **change))
        assert "R13" in [each.id for each in judge(other).failed]


@pytest.mark.parametrize("change", [{"correct": 1}, {"top1": 0.5}, {"low": 0.99}, {"clips": 0}, {"correct": 99}])
def test_an_edited_accuracy_is_found(change: dict[str, float], measured: Path, tmp_path: Path) -> None:
    data = json.loads(measured.read_text())
    data["accuracy"] |= change
    edited = tmp_path / measured.name
    edited.write_text(json.dumps(data))
    edited.with_suffix(".npz").write_bytes(measured.with_suffix(".npz").read_bytes())
    with pytest.raises(ResultInvalid, match=r"accuracy|correct"):
        check(edited)


def test_folders_that_fit_no_label_are_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = bundle.read(GESTURES)
    with pytest.raises(UsageError, match="nothing at"):
        find_labelled_clips(tmp_path / "none", shipped)
    (tmp_path / "wave").mkdir()
    with pytest.raises(ClipsError, match="videos or folders of pictures"):
        find_labelled_clips(tmp_path, shipped)
    (tmp_path / "wav").mkdir()
    assert cli.main(["bench", str(GESTURES), *SHORT, "--clips", str(tmp_path)]) == 1
    assert "got wav." in capsys.readouterr().err
    assert cli.main(["bench", str(GESTURES), "--scenario", "start", "--clips", str(tmp_path)]) == 2


def test_a_clip_that_cannot_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wave").mkdir()
    (tmp_path / "wave" / "a.mp4").write_bytes(b"no video")
    assert cli.main(["bench", str(GESTURES), *SHORT, "--clips", str(tmp_path)]) == 1
    assert "a.mp4" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("correct", "clips"), [(0, 1), (1, 1), (5, 60), (51, 60), (60, 60), (1000, 2000)])
def test_the_interval_is_scipys(correct: int, clips: int) -> None:
    expected = binomtest(correct, clips).proportion_ci(0.95, method="wilson")
    assert share_interval(correct, clips) == pytest.approx((expected.low, expected.high), abs=1e-12)
