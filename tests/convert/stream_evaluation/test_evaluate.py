"""`edgevid evaluate --streams`: from a bundle, recordings and their truth to metrics."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest

from edgevid.cli import main
from tests.convert.stream_evaluation.gestures import shipped_path, write_recordings


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate") / "streams"
    write_recordings(folder, seeds=[1, 2], seconds=30)
    return folder


def run(streams: Path, *options: str) -> list[str]:
    return [
        "evaluate",
        str(shipped_path()),
        "--streams",
        str(streams),
        "--truth",
        str(streams.parent / "events.csv"),
        *options,
    ]


def test_events_of_the_shipped_model_lie_where_the_gestures_were(
    streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run(streams, "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recordings"] == 2
    assert report["hours"] == pytest.approx(60 / 3600, rel=0.01)
    assert report["f1"]["0.5"] >= 0.85
    assert report["recall"]["share"] >= 0.9
    assert report["false_alarms"] == {"duplicates": 0, "other_class": 0, "spurious": 0}
    assert report["false_per_hour"]["high"] == pytest.approx(3.689 / report["hours"], rel=0.01)
    assert report["delay"]["p50_s"] < 1.2
    assert [row["name"] for row in report["groups"]] in (["even", "odd"], ["odd", "even"])
    first = report["per_recording"][0]
    assert first["path"] == "1.avi"
    assert all(event["announced_s"] > event["start_s"] for event in first["events"])


def test_the_text_says_what_was_found_how_sure_that_is_and_how_late(
    streams: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run(streams, "--max-false-per-hour", "0.5", "--paces")) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Found ")
    assert " 0 false alarms in 0.02 h: 0 an hour (0 to 22" in printed
    assert "At most 0.5 an hour would be sure at 95 % after 6.0 h more" in printed
    assert "s after the true start (median; nine of ten within" in printed
    assert "F1@10/25/50" in printed
    rows = [line.split() for line in printed.splitlines()]
    assert next(row for row in rows if row[:1] == ["pace"])[:2] == ["pace", "level"]
    assert [row[0] for row in rows if row[:1] in (["0"], ["2"], ["3"])] == ["0", "2", "3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1.avi,salute,1,2\n2.avi,,,", r"labels of the model, one of .*got 'salute' 1-2 s of .*1\.avi"),
        ("1.avi,wave,1,200\n2.avi,,,", r"events within the 30\.\d+ s of .*1\.avi, got 'wave' 1-200 s"),
        ("1.avi,wave,1,2", r"2\.avi"),
    ],
    ids=["unknown label", "behind the end", "unnamed recording"],
)
def test_truth_that_does_not_fit_is_one_line(
    streams: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    wrong = streams.parent / "wrong.csv"
    wrong.write_text(f"path,label,start_s,end_s\n{content}\n")
    arguments = run(streams)
    arguments[5] = str(wrong)
    assert main(arguments) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(message, error)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["clips"], "CLIPS or --streams, not both"),
        (["--views", "all"], "options of recordings with --streams, got '--views'"),
        (["--tolerance", "-1"], "a tolerance of 0 to 3600 s"),
        (["--max-false-per-hour", "nan"], "false alarms an hour above 0"),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(
    streams: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(run(streams, *options)) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: CLIPS"),
        (["--streams", "here"], "--truth with --streams"),
        (["clips", "--truth", "events.csv", "--paces"], "--streams with its options, got '--truth, --paces'"),
    ],
)
def test_recordings_need_their_truth_and_clips_need_neither(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with contextlib.suppress(SystemExit):
        assert main(["evaluate", str(shipped_path()), *arguments]) == 2
    assert message in capsys.readouterr().err
