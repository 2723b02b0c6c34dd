"""The page "My camera sees too much" runs as it is written, with a made-up camera in place of the real one."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

import edgevid
from convert import TrainOptions
from edgevid import bundle, cli
from edgevid.bundle.framing import Framing
from edgevid.capture import Orientation, open_source, oriented
from edgevid.capture.synthetic import GestureSource
from edgevid.commands.provisioning.deployment_options import read_deployment
from edgevid.frames.region import Region
from edgevid.outputs.web.region_file import RegionFile
from tests.convert.stream_evaluation.gestures import write_recordings
from tests.docs.pages import ROOT, shell_commands
from tests.edgevid.provision.deployments import write

PAGE = (ROOT / "docs" / "how-to" / "camera-sees-too-much.md").read_text()
RUNS = [words for words in shell_commands(PAGE) if words[:2] == ["edgevid", "run"]]
COMMANDS = [words for words in RUNS if "--follow" not in words]
FOLLOWS = [words for words in RUNS if "--follow" in words]
MEASURES = [words for words in shell_commands(PAGE) if "--streams" in words]
TRAINS = [words for words in shell_commands(PAGE) if words[1] in ("train", "convert")]
TABLES = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
FRAMES = "80"


def camera(text: str, manifest: Any, **options: Any) -> Any:
    """A camera of 640x480 that shows gestures; everything else is opened as it is."""
    if not text.startswith("v4l2:"):
        return open_source(text, manifest, **options)
    turn = Orientation(rotate=options["rotate"], flip=options["flip"])
    return oriented(GestureSource(seed=3, height_px=480, width_px=640), turn)


def decisions(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[list[float]]:
    # The port of the page may be taken, and a camera never ends.
    words = [word.replace("localhost:8080", "localhost:0") for word in words]
    assert cli.main([*words[1:], "--max-frames", FRAMES, "--json"]) == 0, words
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return [line["scores"] for line in lines if "scores" in line]


def test_every_command_of_the_page_runs_and_every_region_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgevid.api.session.open_source", camera)
    shutil.copy(edgevid.DEMO, "action.edgevid")
    assert len(COMMANDS) == 10
    seen = {" ".join(words): decisions(words, capsys) for words in COMMANDS}
    whole = next(scores for line, scores in seen.items() if line.endswith("--record seen.avi"))
    turned = next(scores for line, scores in seen.items() if "--rotate 90" in line)
    drag = next(scores for line, scores in seen.items() if line.endswith("--region-file region.toml"))
    # Shares and pixels of a camera of 640x480 are two ways to write one rectangle.
    shares, pixels = [scores for line, scores in seen.items() if re.search(r"v4l2:0 --region [\d.,]+$", line)]
    assert whole
    assert drag == whole != turned
    assert shares == pixels != whole
    # What the page saves is what the file brings at the next start.
    RegionFile(Path("region.toml")).write(Region(box=(0.25, 0.1, 0.5, 0.8)))
    assert decisions(COMMANDS[0], capsys) == shares
    masked = [scores for line, scores in seen.items() if "--mask" in line]
    assert len(masked) == 2
    assert all(scores not in (whole, shares) for scores in masked)
    # The recording is of the whole picture: a region on it differs from none.
    replayed, cut = [scores for line, scores in seen.items() if "replay:seen.avi" in line]
    assert replayed != cut


def test_the_commands_that_measure_a_region_on_recordings_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(edgevid.DEMO, "action.edgevid")
    write_recordings(tmp_path / "recordings", seeds=[3, 4])
    found = []
    for words in MEASURES:
        # The recordings of a reader are longer.
        more = ["--min-background-h", "0"] if words[1] == "calibrate" else ["--json"]
        assert cli.main([*words[1:], *more]) == 0, words
        found.append(capsys.readouterr().out)
    assert [words[1] for words in MEASURES] == ["evaluate", "evaluate", "calibrate"]
    assert found[0] != found[1]
    assert bundle.read(Path("tuned.edgevid")).manifest.framing == Framing(box=(0.25, 0.1, 0.5, 0.8))


@pytest.mark.usefixtures("keypoint_files")
def test_the_command_that_follows_a_person_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgevid.api.session.open_source", camera)
    shutil.copy(edgevid.DEMO, "action.edgevid")
    (words,) = FOLLOWS
    assert decisions(words, capsys)


def test_the_trainings_of_the_page_name_parts_that_a_model_can_carry() -> None:
    from convert.commands import train
    from convert.commands.options import options_from

    parser = argparse.ArgumentParser()
    train.configure(parser)
    found = [
        options_from(parser.parse_args(words[2:]), TrainOptions).framing for words in TRAINS if words[1] == "train"
    ]
    assert found == [Framing(box=(0.25, 0.1, 0.5, 0.8)), Framing(follow="person")]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_of_the_page_is_one_that_a_card_takes(table: str, tmp_path: Path) -> None:
    options = tomllib.loads(table)
    read_deployment(write(tmp_path, run=options))
    if "region" in options:
        config = tmp_path / "run.toml"
        config.write_text(table)
        words = ["run", str(edgevid.DEMO), "--source", "synthetic:3", "--max-frames", FRAMES]
        assert cli.main([*words, "--config", str(config)]) == 0


def test_the_page_has_both_tables() -> None:
    assert len(TABLES) == 2
