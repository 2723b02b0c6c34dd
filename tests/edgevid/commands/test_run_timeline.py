"""`edgevid run --timeline`, as a person would call it."""

from __future__ import annotations

import csv
import dataclasses
import re
import signal
import subprocess
import sys
from html import escape
from importlib import resources
from pathlib import Path

import pytest

import edgevid
from edgevid import bundle, cli
from edgevid.capture.synthetic import GestureSource
from tests.edgevid.outputs.sinks import until

SHIPPED = Path(str(resources.files("edgevid") / "data" / "gestures.edgevid"))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered stream, at a path that an address has to encode."""
    import cv2

    path = tmp_path_factory.mktemp("run") / "my clips" / "hall #1 & 50%.avi"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 64))
    with GestureSource(seed=3, duration_s=20.0, height_px=64, width_px=64) as source:
        for frame in source.frames():
            writer.write(frame.data[:, :, ::-1])
    writer.release()
    return path


def renamed(folder: Path, name: str, **changes: object) -> Path:
    made = bundle.read(SHIPPED)
    path = folder / f"{name}.edgevid"
    bundle.write(dataclasses.replace(made, manifest=dataclasses.replace(made.manifest, name=name, **changes)), path)
    return path


def test_one_run_writes_every_kind_of_timeline(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [tmp_path / name for name in ("seen.html", "seen.csv", "seen.srt", "seen.vtt")]
    options = [word for name in names for word in ("--timeline", str(name))]
    assert cli.main(["run", str(SHIPPED), "--source", str(video), *options]) == 0
    printed = [line.split()[-2:] for line in capsys.readouterr().out.splitlines()]
    page, table, *subtitles = (name.read_text() for name in names)
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["label"] for row in rows] == [label for label, _ in printed]
    assert [float(row["score"]) for row in rows] == pytest.approx([float(score) for _, score in printed], abs=0.006)
    assert len(rows) >= 3
    assert {row["path"] for row in rows} == {video.name}
    assert all(float(row["start_s"]) < float(row["announced_s"]) for row in rows)
    assert [text.count("-->") for text in subtitles] == [len(rows)] * 2
    address = "../" + "/".join(video.relative_to(tmp_path.parent).parts)
    assert (
        f'data-video="{address.replace("%", "%25").replace(" ", "%20").replace("#", "%23").replace("&", "%26")}"'
        in page
    )
    assert f"<h1>{escape(video.name)}</h1>" in page
    assert page.count("data:image/jpeg") == 3 * len(rows)
    assert re.findall(r'class="tl-mark[^>]*title="(\w+)', page) == [row["label"] for row in rows]


def test_several_models_share_a_timeline_and_their_labels_are_text(video: Path, tmp_path: Path) -> None:
    made = bundle.read(SHIPPED).manifest
    labels = tuple(f"<b>{label}</b> & more" if label != "none" else label for label in made.labels)
    other = renamed(tmp_path, "falls", labels=labels)
    seen = [edgevid.Timeline(tmp_path / name) for name in ("seen.html", "seen.csv", "seen.srt", "seen.vtt")]
    edgevid.run([edgevid.load(SHIPPED), edgevid.load(other)], source=video, outputs=seen)
    page = (tmp_path / "seen.html").read_text()
    rows = list(csv.DictReader((tmp_path / "seen.csv").read_text().splitlines()))
    assert {row["model"] for row in rows} == {"gestures", "falls"}
    assert [float(row["start_s"]) for row in rows] == sorted(float(row["start_s"]) for row in rows)
    assert page.count('class="tl"') == 2
    assert "<b>swipe" not in page
    assert "&lt;b&gt;" in page
    assert "falls: <b>" in (tmp_path / "seen.srt").read_text()
    assert "falls: &lt;b&gt;" in (tmp_path / "seen.vtt").read_text()


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (("synthetic:3", "--policy", "live"), "seen.html", "Expected --timeline of a file, not of a live source, got"),
        (
            ("synthetic:3",),
            "seen.txt",
            "Expected a file for --timeline, one of .html, .csv, .srt, .vtt, got 'seen.txt'.",
        ),
        (("synthetic:3",), "none/seen.csv", "Expected a folder to write seen.csv into"),
    ],
)
def test_a_live_source_and_an_unknown_kind_are_rejected_before_the_first_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: tuple[str, ...], name: str, message: str
) -> None:
    assert cli.main(["run", str(SHIPPED), "--source", *source, "--timeline", str(tmp_path / name)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_stopped_writes_what_it_saw_so_far(video: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", "edgevid.cli", "run", str(SHIPPED), "--source", "synthetic:3", "--timeline", str(seen)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    until(seen.exists)
    rows = list(csv.DictReader(seen.read_text().splitlines()))
    assert rows[0]["label"] in first
    assert rows[0]["path"] == "synthetic:3"


def test_a_configuration_file_may_name_one_timeline_or_several(tmp_path: Path) -> None:
    parser = cli.verb_parser("run")
    from edgevid.commands.run import expand

    for value, expected in (('"a.csv"', ["a.csv"]), ('["a.csv", "b.srt"]', ["a.csv", "b.srt"])):
        (tmp_path / "run.toml").write_text(f'bundles = "a.edgevid"\nsource = "a.mp4"\ntimeline = {value}\n')
        args = parser.parse_args(expand(["--config", str(tmp_path / "run.toml")], parser))
        assert list(map(str, args.timeline)) == expected
    assert parser.parse_args(["a.edgevid", "--source", "a.mp4"]).timeline == []
