"""The page "I have a MediaPipe LSTM" runs as it is written, with a video in place of the camera."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevid
from edgevid import bundle
from edgevid.capture import open_source
from edgevid.cli import main
from tests.docs.pages import ROOT, shell_commands
from tests.keypoint_files import grace_hopper, write_person

COMMANDS = shell_commands((ROOT / "docs" / "how-to" / "mediapipe-lstm.md").read_text())
pytestmark = pytest.mark.tf


def lstm(path: Path, numbers: int = 132, frames: int = 6) -> None:
    """A small LSTM over rows, with seeded weights."""
    from convert.frameworks.tensorflow_setup import import_tensorflow

    import_tensorflow()
    import keras

    keras.utils.set_random_seed(5)
    layers = [keras.layers.LSTM(8, return_sequences=True), keras.layers.LSTM(8), keras.layers.Dense(2, "softmax")]
    keras.Sequential([keras.Input((frames, numbers)), *layers]).save(path)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, fetched_keypoints: Path) -> Path:
    """A folder in which the commands of the page up to the conversion have run."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("EDGEVID_KEYPOINTS", str(fetched_keypoints))
        for label, step_px in (("left", 3), ("right", -3)):
            for clip, start in enumerate((20, 24)):
                write_person(folder / "clips" / label / f"{clip}.avi", count=start, step_px=step_px)
        lstm(folder / "pose_lstm.h5")
        for words in COMMANDS[:3]:
            assert main(words[1:]) == 0, words
    shutil.copy(folder / "clips" / "left" / "0.avi", folder / "clip.mp4")
    return folder


@pytest.fixture
def page(converted: Path, keypoint_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(converted)
    return converted


def decisions(capsys: pytest.CaptureFixture[str], *words: str) -> list[list[float]]:
    capsys.readouterr()
    assert main(["run", *words, "--json"]) == 0
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return [line["scores"] for line in lines if "scores" in line]


def camera(text: str, manifest: Any, **options: Any) -> Any:
    return open_source("clip.mp4" if text == "picamera2" else text, manifest, **options)


def test_the_page_runs_as_it_is_written(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edgevid.api.session.open_source", camera)
    assert [" ".join(words[:2]) for words in COMMANDS] == [
        *("edgevid fetch", "edgevid keypoints", "edgevid convert", "edgevid run", "edgevid run"),
        *("edgevid keypoints", "edgevid train", "edgevid convert", "edgevid run"),
    ]
    plain, mirrored = (decisions(capsys, *words[2:]) for words in COMMANDS[3:5])
    assert len(plain) == len(mirrored) > 5
    assert plain != mirrored


def test_a_model_is_trained_as_it_is_written_and_says_which_way_she_drifts(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in COMMANDS[5:8]:
        assert main(words[1:]) == 0, words
    assert json.loads((page / "poses" / "rows.json").read_text())["interval_s"] == 0.1
    manifest = edgevid.read_bundle(page / "own.edgevid").manifest
    assert manifest.keypoints == edgevid.KeypointRows(kind="pose", normalise="hip")
    assert len(decisions(capsys, *COMMANDS[8][2:])) > 3
    assert main(["bench", "own.edgevid", "--processes", "1", "--min-frames", "50", "--min-time", "0.1"]) == 0
    assert "without the networks that find key points" in capsys.readouterr().err


def test_a_video_and_the_rows_of_the_same_video_have_the_same_answers(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pose = str(page / "pose.edgevid")
    from_video = decisions(capsys, pose, "--source", "clips/left/0.avi")
    from_rows = decisions(capsys, pose, "--source", "rows/left/0.npy")
    stated = decisions(capsys, pose, "--source", "clips/left/0.avi", "--keypoints", "pose")
    assert from_video == from_rows == stated
    assert decisions(capsys, pose, "--source", "clips/left/0.avi", "--keypoints", "pose", "--normalise", "hip") != (
        from_video
    )


def test_the_table_of_a_run_has_a_line_for_each_network(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(page / "pose.edgevid"), "--source", "clips/left/0.avi"]) == 0
    table = capsys.readouterr().err
    assert "\npose detector      1  " in table
    assert "\npose landmarks    20  " in table
    assert re.search(r"\npose landmarks .* \d+ x\n", table)
    assert "key points, by the networks below" in table


def test_inspect_shows_the_key_points(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["inspect", str(page / "pose.edgevid")]) == 0
    assert "\nkey points  pose\n" in capsys.readouterr().out


def test_a_region_is_looked_at_alone(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(page / "pose.edgevid"), "--source", "clips/left/0.avi"]
    assert decisions(capsys, *words, "--region", "0.0,0.0,0.9,0.9") != decisions(capsys, *words)


def test_the_bundle_names_the_points_and_python_takes_pictures_and_rows(page: Path) -> None:
    model = edgevid.load(page / "pose.edgevid")
    assert model.bundle.manifest.keypoints == edgevid.KeypointRows(kind="pose")
    rows = np.load("rows/left/0.npy")
    with model.stream(colour="rgb") as stream:
        pictures = [stream.push(grace_hopper(), t_s=index / 10) for index in range(6)]
    with model.stream() as stream:
        answers = [stream.push(row, t_s=index / 10) for index, row in enumerate(rows)]
    assert pictures[-1] is not None
    assert answers[5] is not None
    assert model.classify("clips/left/0.avi").label == model.classify("rows/left/0.npy").label


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("edgevid: ")]
    assert len(lines) == 1
    return lines[0]


def test_what_does_not_fit_is_one_line_each(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pose, source = str(page / "pose.edgevid"), ["--source", "clips/left/0.avi"]
    assert main(["run", pose, *source, "--keypoints", "hands"]) == 2
    assert "which look like 'pose' (33 points x, y, z, visibility)" in error_of(capsys)
    assert main(["run", pose, *source, "--keypoints", "pose", "--normalise", "wrist"]) == 2
    assert "for the normalisation 'wrist'" in error_of(capsys)
    assert main(["run", pose, *source, "--normalise", "hip"]) == 2
    assert "--keypoints with --normalise" in error_of(capsys)
    assert main(["run", str(edgevid.DEMO), *source, "--keypoints", "pose"]) == 2
    assert "a model of pictures" in error_of(capsys)
    convert = ["convert", "pose_lstm.h5", "--clips", "rows", "-o", str(tmp_path / "x.edgevid"), "--interval", "0.1"]
    assert main([*convert, "--keypoints", "holistic"]) == 2
    assert "which look like 'pose'" in error_of(capsys)
    monkeypatch.setenv("EDGEVID_KEYPOINTS", str(tmp_path / "none"))
    assert main(["run", pose, *source]) == 1
    assert "Run: edgevid fetch keypoints." in error_of(capsys)


def test_a_bundle_that_names_no_points_says_what_its_rows_look_like(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, named = tmp_path / "plain.edgevid", edgevid.read_bundle(page / "pose.edgevid")
    bundle.write(dataclasses.replace(named, manifest=dataclasses.replace(named.manifest, keypoints=None)), plain)
    source = ["--source", "clips/left/0.avi"]
    capsys.readouterr()
    assert main(["run", str(plain), *source]) == 1
    assert "They look like key points 'pose' (33 points x, y, z, visibility): pass --keypoints." in error_of(capsys)
    assert decisions(capsys, str(plain), *source, "--keypoints", "pose") == decisions(
        capsys, str(page / "pose.edgevid"), *source
    )
