"""The page on PyTorch runs as it is written."""

import shutil

import numpy as np
import pytest

from edgevid.cli import main
from tests.clips.moving import write_moving
from tests.docs.pages import ROOT, shell_commands
from tests.models.onnx_models import cnn_lstm, rows_lstm, save

PAGE = (ROOT / "docs" / "how-to" / "pytorch.md").read_text()
COMMANDS = [words for words in shell_commands(PAGE) if words[0] == "edgevid"]


@pytest.mark.tf
def test_every_command_of_the_page_on_pytorch_runs_in_its_order(tmp_path, monkeypatch):
    """With small files as PyTorch exports them, and a video in place of the camera."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "model.onnx", cnn_lstm())
    save(tmp_path / "pose_lstm.onnx", rows_lstm())
    write_moving(tmp_path / "clips", 2)
    (tmp_path / "labels.txt").write_text("left\nright\nstill\n")
    shutil.copy(next((tmp_path / "clips" / "left").iterdir()), tmp_path / "camera.avi")
    (tmp_path / "rows").mkdir()
    np.save(tmp_path / "rows" / "a.npy", np.random.default_rng(0).uniform(-1, 1, (60, 10)).astype(np.float32))
    assert len(COMMANDS) == 6
    for words in COMMANDS:
        arguments = ["camera.avi" if word == "picamera2" else word for word in words[1:]]
        assert main(arguments) == 0, words
