"""Each example runs as its heading says, and is short enough to be read at a glance."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import edgevid
from edgevid.bundle import read, write
from tests.repo.files import ROOT
from tests.servers.broker import free_port

FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.py"))
SYNTHETIC = ("--source", "synthetic:3", "--max-frames", "300")
LABELS = ["swipe_up", "swipe_down", "swipe_right", "circle_ccw"]


def run(name: str, *arguments: str, cwd: Path) -> str:
    """Run an example as a user would, in a process of its own."""
    command = [sys.executable, str(FOLDER / name), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_short_and_says_what_to_buy_install_and_run(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert len(text.splitlines()) < 40
    heading = ast.get_docstring(ast.parse(text)) or ""
    assert re.search(r"^Buy: .+\nInstall: (pip|sudo).+\nRun: python " + re.escape(name), heading, re.MULTILINE)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_uses_public_names_only(name: str) -> None:
    for node in ast.walk(ast.parse((FOLDER / name).read_text())):
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.startswith(("edgevid.", "convert."))]
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith(("edgevid", "convert"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_tested_here(name: str) -> None:
    assert f'"{name}"' in Path(__file__).read_text()


def test_the_camera_example_prints_decisions_and_events(tmp_path: Path) -> None:
    lines = run("camera.py", *SYNTHETIC, cwd=tmp_path).splitlines()
    assert lines[0].startswith("<edgevid.Model 'gestures'")
    assert sum(bool(re.match(r" +[\d.]+ s  \w+ +[\d.]+$", line)) for line in lines) == 135
    assert [line.split()[1].rstrip(",") for line in lines if "event:" in line] == LABELS


def test_the_pin_example_switches_the_pin_on_while_its_gesture_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    Device.pin_factory = factory = MockFactory()
    try:
        monkeypatch.setattr(sys, "argv", ["gpio_pin.py", "swipe_down", *SYNTHETIC])
        runpy.run_path(str(FOLDER / "gpio_pin.py"), run_name="__main__")
        states = [state.state for state in factory.pin(17).states]
    finally:
        factory.close()
        Device.pin_factory = None
    assert states[-2:] == [True, False]
    assert states.count(True) == 1


def test_the_example_with_frames_of_ones_own_sees_the_gestures(tmp_path: Path) -> None:
    out = run("own_frames.py", cwd=tmp_path)
    assert re.findall(r"(\w+) started", out) == LABELS
    assert re.findall(r"(\w+) ended after", out) == LABELS
    assert "decisions" in out


def test_the_example_with_two_models_names_the_model_of_each_event(tmp_path: Path) -> None:
    bundle = read(edgevid.DEMO)
    write(
        dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, name="other")),
        tmp_path / "other.edgevid",
    )
    page = ("--page", f"127.0.0.1:{free_port()}")
    out = run("two_models.py", str(edgevid.DEMO), "other.edgevid", *SYNTHETIC, *page, cwd=tmp_path)
    for name in ("gestures", "other"):
        assert re.findall(rf"^{name}: (\w+), ", out, re.MULTILINE) == LABELS
        assert f"{name}: 4 events in 300 frames" in out


def test_the_counting_example_counts_a_class_and_a_cycle(tmp_path: Path) -> None:
    out = run("count_repetitions.py", *SYNTHETIC, cwd=tmp_path)
    assert re.fullmatch(r" +[\d.]+ s  swipe_up number 1, [\d.]+ s long\n1 counted\n", out)
    # Each of the four gestures once: no cycle comes back to its first.
    phases = (str(edgevid.DEMO), "swipe_up", "swipe_down")
    assert run("count_repetitions.py", *phases, *SYNTHETIC, cwd=tmp_path) == "0 counted\n"
    assert run("count_repetitions.py", *SYNTHETIC, "--shortest", "9", cwd=tmp_path) == "0 counted\n"


def test_the_clip_example_leaves_a_video_of_each_event(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    out = run("save_clips.py", *SYNTHETIC, "--folder", "kept", cwd=tmp_path)
    facts = [json.loads(path.read_text())["event"] for path in sorted((tmp_path / "kept").glob("*.json"))]
    assert facts == LABELS
    assert out.count(".avi") == 4


@pytest.mark.tf
def test_the_conversion_example_converts_and_measures(tmp_path: Path) -> None:
    import convert
    from tests.clips.moving import write_moving

    clips, model = write_moving(tmp_path / "clips", 6), tmp_path / "moving.keras"
    options = convert.TrainOptions(frames=4, size=(32, 32), epochs=6, windows_per_clip=2, val_fraction=0.0)
    assert len(convert.train(clips, model, options=options).history) == 6
    out = run("convert_model.py", str(model), str(clips), "out.edgevid", cwd=tmp_path)
    assert (tmp_path / "out.edgevid").is_file()
    assert re.search(r"agreement [\d.]+%, precision ", out)
    assert len(re.findall(r"accuracy [\d.]+%", out)) == 2
