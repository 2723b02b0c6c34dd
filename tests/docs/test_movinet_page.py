"""The page on streams that others made runs as it is written."""

import shutil

import numpy as np
import pytest

from edgevid.cli import main
from tests.clips.moving import write_moving
from tests.docs.pages import ROOT, shell_commands
from tests.models.streams import ROW, UNITS, conv_stream, gru_step

COMMANDS = shell_commands((ROOT / "docs" / "how-to" / "movinet.md").read_text())


@pytest.mark.tf
def test_every_command_of_the_page_on_movinet_runs_in_its_order(tmp_path, monkeypatch):
    """With a small stream in place of MoViNet, and a video in place of the camera."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "movinet_a0_stream.tflite").write_bytes(conv_stream(tmp_path / "conv"))
    (tmp_path / "gru_step.tflite").write_bytes(gru_step(tmp_path / "gru"))
    write_moving(tmp_path / "clips", 2)
    (tmp_path / "labels.txt").write_text("left\nright\nstill\n")
    shutil.copy(next((tmp_path / "clips" / "left").iterdir()), tmp_path / "camera.avi")
    (tmp_path / "rows").mkdir()
    np.save(tmp_path / "rows" / "a.npy", np.random.default_rng(0).uniform(-1, 1, (60, ROW)).astype(np.float32))
    np.savez(tmp_path / "start.npz", h=np.full((1, UNITS), 0.5, np.float32))
    assert len(COMMANDS) == 6
    for words in COMMANDS:
        arguments = ["camera.avi" if word == "picamera2" else word for word in words[1:]]
        assert (words[0], main(arguments)) == ("edgevid", 0), words
