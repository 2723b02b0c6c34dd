"""What a model sees of recordings: turned, then cut, as `edgevid run` does it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.watching.timed import open_recording
from convert.watching.watch_bundle import bundle_watch
from convert.watching.watch_keras import keras_watch
from edgevid import cli
from edgevid.api.model import Model
from edgevid.api.session import Session
from edgevid.bundle import read
from edgevid.bundle.framing import Framing
from edgevid.bundle.manifest import Window
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError, UsageError
from edgevid.frames.preprocess import InputSpec
from edgevid.frames.region import Region
from edgevid.inference.engine import Engine
from edgevid.outputs.collect import Collector
from tests.convert.stream_evaluation.gestures import shipped, shipped_path, write_recordings

SPEC = InputSpec(height=6, width=8, channels=3)
WINDOW = Window(frames=4, interval_s=0.1)
FRAMING = Framing(rotate=90, flip="horizontal", box=(0, 0, 24, 32), masks=((0, 0, 24, 0, 24, 16, 0, 16),))


def write_noise(path: Path, count: int = 8) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for index in range(count):
        writer.write(np.random.default_rng(index).integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    return path


def test_a_recording_is_turned_and_then_cut_and_masked(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.avi")
    with VideoFile(path) as video, open_recording(path, "frames", WINDOW, FRAMING) as seen:
        for frame, part in zip(video.frames(), seen.frames(), strict=True):
            wanted = np.rot90(frame.data, -1)[:, ::-1][:32, :24].copy()
            wanted[16:] = 0
            np.testing.assert_array_equal(part.data, wanted)
            assert (part.timestamp_ns, part.index) == (frame.timestamp_ns, frame.index)
    assert seen.decodes_video


def test_a_bundle_scores_what_a_run_on_the_same_region_scores(tmp_path: Path) -> None:
    (recording,) = write_recordings(tmp_path / "streams", seeds=[3], seconds=4)
    region = Region(box=(0.1, 0.2, 0.8, 0.7))
    framing = Framing(rotate=180, box=(0.1, 0.2, 0.8, 0.7))
    seen = Collector()
    with Session(Model(shipped()), source=recording.path, outputs=[seen], rotate=180, region=region) as session:
        session.run()
    wanted = [decision.probabilities for decision in seen.decisions]
    watch = bundle_watch(Engine(shipped()))
    assert watch(recording.path, framing).scores.tolist() == wanted
    assert watch(recording.path).scores.tolist() != wanted


def test_a_keras_model_sees_the_same_part(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.avi")
    seen: list[np.ndarray] = []

    def score(frames: np.ndarray) -> np.ndarray:
        seen.append(frames.copy())
        return np.zeros((len(frames) - 3, 2))

    masked = Framing(masks=((0.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 0.5),))
    keras_watch(score, SPEC, WINDOW, classes=2)(path, masked)
    assert not seen[0][:, 3:].any()
    assert seen[0][:, :3].any(axis=(1, 2, 3)).all()


def test_a_region_beyond_the_pictures_and_rows_of_features_are_rejected(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.avi")
    beyond = Framing(box=(60, 0, 10, 10))
    with (
        open_recording(path, "frames", WINDOW, beyond) as source,
        pytest.raises(SourceError, match="inside of the pictures of 64x48 px"),
    ):
        next(source.frames())
    np.save(tmp_path / "rows.npy", np.zeros((4, 5), np.float32))
    with pytest.raises(UsageError, match="Expected pictures to turn or cut, got a model of features"):
        open_recording(tmp_path / "rows.npy", "features", WINDOW, beyond)


def test_evaluate_and_calibrate_take_what_run_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_recordings(tmp_path / "streams", seeds=[3, 4])
    words = [str(shipped_path()), "--streams", str(tmp_path / "streams"), "--truth", str(tmp_path / "events.csv")]
    found = []
    for more in ([], ["--region", "0.0,0.0,1.0,1.0"], ["--rotate", "180", "--flip", "both"], ["--region", "0,0,8,8"]):
        assert cli.main(["evaluate", *words, "--json", *more]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1] == found[2] != found[3]
    out = ["-o", str(tmp_path / "tuned.edgevid"), "--min-background-h", "0"]
    assert cli.main(["calibrate", *words, *out, "--region", "60,0,10,10"]) == 2
    assert "Expected shares of the picture in a region or mask" in capsys.readouterr().err
    assert not (tmp_path / "tuned.edgevid").exists()
    assert cli.main(["calibrate", *words, *out, "--region", "0.0,0.0,1.0,0.9"]) == 0
    assert read(tmp_path / "tuned.edgevid").manifest.framing == Framing(box=(0.0, 0.0, 1.0, 0.9))
