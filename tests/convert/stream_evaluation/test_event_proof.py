"""`edgevid convert --streams`: int8 is held to the trained model in the events of long recordings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgevid import bundle
from edgevid.cli import main

pytestmark = pytest.mark.tf
FRAMES, INTERVAL_S = 4, 0.1
LABELS = ("loud", "rest", "soft")


def write_model(path: Path) -> None:
    """Save a model of two numbers a row that also answers with "soft" where the second is far below one step of int8.

    The calibration clips reach 100, so a step of the input's grid is 0.4.
    """
    import keras

    rows = keras.Input((FRAMES, 2))
    louder, answer = keras.layers.Dense(2), keras.layers.Dense(3, activation="softmax")
    model = keras.Model(
        rows, answer(keras.layers.ReLU(max_value=6.0)(louder(keras.layers.GlobalAveragePooling1D()(rows))))
    )
    louder.set_weights([np.array([[1.0, 0.0], [0.0, 40.0]]), np.zeros(2)])
    answer.set_weights([np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array([-3.0, 0.0, -3.0])])
    model.save(path)


def rows_of(*parts: tuple[float, float, float]) -> np.ndarray:
    """Rows of stretches, each as seconds and the two numbers."""
    return np.concatenate(
        [np.tile([[first, second]], (round(s / INTERVAL_S), 1)) for s, first, second in parts]
    ).astype(np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its clips, and a recording with three events, of which one is too soft for int8."""
    folder = tmp_path_factory.mktemp("proof")
    write_model(folder / "model.keras")
    for label, numbers in {"loud": (100.0, 0.0), "rest": (0.0, 0.0), "soft": (0.0, 100.0)}.items():
        (folder / "clips" / label).mkdir(parents=True)
        for number in range(4):
            np.save(folder / "clips" / label / f"{number}.npy", rows_of((1.0, *numbers)))
    (folder / "streams").mkdir()
    rest = (2.0, 0.0, 0.0)
    np.save(
        folder / "streams" / "day.npy",
        rows_of(rest, (2.0, 100.0, 0.0), rest, (2.0, 0.0, 100.0), rest, (2.0, 0.0, 0.15), rest),
    )
    (folder / "events.csv").write_text(
        "path,label,start_s,end_s\nday.npy,loud,2,4\nday.npy,soft,6,8\nday.npy,soft,10,12\n"
    )
    return folder


def convert(place: Path, out: Path, *options: str, streams: bool = True) -> int:
    recordings = ["--streams", str(place / "streams"), "--truth", str(place / "events.csv")] if streams else []
    return main(
        [
            "convert",
            str(place / "model.keras"),
            *("--clips", str(place / "clips"), "-o", str(out), "--interval", str(INTERVAL_S)),
            *("--background", "rest"),
            *recordings,
            *options,
        ]
    )


def test_lost_events_are_in_console_page_and_bundle(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.edgevid"
    assert convert(place, out, "--precision", "int8") == 0
    printed = capsys.readouterr().out
    assert "of 3 that the trained model finds, the bundle misses 1, and finds 0 more (of 3)" in printed
    assert "0 more false alarms in 0.00389 h (+0 an hour); announced 0 ms later" in printed
    events = bundle.read(out).report["events"]
    assert (events["found_float"], events["found_bundle"], events["lost"]) == (3, 2, 1)
    assert events["lost_events"] == [{"recording": "day.npy", "label": "soft", "start_s": 10.0, "end_s": 12.0}]
    page = (tmp_path / "out.report.html").read_text()
    assert "Events in long recordings" in page
    assert "missed by the bundle alone" in page
    assert "2 of 3" in page
    assert main(["inspect", str(out)]) == 0
    assert "events in long recordings" in capsys.readouterr().out


def test_a_precision_that_loses_too_many_events_is_passed_over(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.edgevid"
    assert convert(place, out, "--max-missed-events", "0", "--max-extra-false-per-hour", "1", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["trials"][0]["recipe"] == "int8"
    assert report["trials"][0]["failure"] == "misses 1 of 3 events that the trained model finds, more than 0"
    assert report["recipe"] != "int8"
    assert (report["events"]["lost"], report["events"]["found_bundle"]) == (0, 3)
    assert report["budget"]["max_missed_events"] == 0
    assert "at most 0 events are missed, at most 1 false alarms an hour" in (tmp_path / "out.report.html").read_text()


def test_no_bundle_is_written_if_the_only_precision_loses_too_many_events(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.edgevid"
    assert convert(place, out, "--precision", "int8", "--max-missed-events", "0") == 3
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "int8: misses 1 of 3 events that the trained model finds, more than 0." in error
    assert "--max-missed-events" in error
    assert not out.exists()
    page = (tmp_path / "out.report.html").read_text()
    assert "over the budget" in page
    assert "missed by the bundle alone" in page


def test_a_precision_that_the_clips_reject_watches_no_recording(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "clips", tmp_path / "clips")
    for number in range(4, 8):
        np.save(tmp_path / "clips" / "soft" / f"{number}.npy", rows_of((1.0, 0.0, 0.15)))
    out = tmp_path / "out.edgevid"
    assert convert(place, out, "--precision", "int8", "--clips", str(tmp_path / "clips")) == 3
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert report["failure"].startswith("int8: agreement")
    assert report["events"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--truth", "events.csv"], "--streams DIR with options of its events, got '--truth'"),
        (["--max-missed-events", "0"], "--streams DIR with options of its events, got '--max-missed-events'"),
        (["--max-extra-false-per-hour", "1"], "got '--max-extra-false-per-hour'"),
        (["--streams", "here"], "--truth EVENTS.csv with --streams, got none"),
        (["--streams", "here", "--truth", "t.csv", "--regression"], "a model of classes for --streams"),
        (["--streams", "here", "--truth", "t.csv", "--max-missed-events", "-1"], "--max-missed-events of 0 or more"),
        (["--streams", "here", "--truth", "t.csv", "--max-extra-false-per-hour", "nan"], "per-hour of 0 or more"),
        (["--streams", "here", "--truth", "none.csv"], "a file of events, got none at none.csv"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert convert(place, tmp_path / "out.edgevid", *options, streams=False) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("day.npy,lout,2,4", "labels of the model, one of loud, rest, soft, got 'lout' 2-4 s"),
        ("day.npy,loud,2,99", "events within the 14.000 s"),
    ],
)
def test_truth_that_does_not_fit_is_one_line(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str, message: str
) -> None:
    (tmp_path / "wrong.csv").write_text(f"path,label,start_s,end_s\n{rows}\n")
    recordings = ("--streams", str(place / "streams"), "--truth", str(tmp_path / "wrong.csv"))
    assert convert(place, tmp_path / "out.edgevid", *recordings, streams=False) == 1
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert [each.name for each in tmp_path.iterdir()] == ["wrong.csv"]


def test_a_file_that_is_converted_already_is_held_to_itself(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(place, tmp_path / "out.edgevid", "--precision", "int8", streams=False) == 0
    theirs = tmp_path / "theirs.tflite"
    theirs.write_bytes(bundle.read(tmp_path / "out.edgevid").models["whole.tflite"])
    capsys.readouterr()
    recordings = ("--streams", str(place / "streams"), "--truth", str(place / "events.csv"))
    asked = ["convert", str(theirs), "--clips", str(place / "clips"), "-o", str(tmp_path / "again.edgevid")]
    asked += ["--interval", str(INTERVAL_S), "--background", "rest", *recordings, "--max-missed-events", "0"]
    assert main([*asked, "--json"]) == 0
    events = json.loads(capsys.readouterr().out)["events"]
    assert (events["found_float"], events["lost"]) == (2, 0)
