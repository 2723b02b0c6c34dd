"""The page of `edgevid evaluate --streams --report`."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.event_metrics import Answered, MeasureOptions, ScoreTrace, Segment
from convert.event_metrics.alarms import match_recording
from convert.event_metrics.measure import measure
from convert.recordings import TrueEvent, read_truth
from convert.stream_evaluation import StreamEvaluation, evaluate_streams, page_pictures, page_strips
from convert.stream_evaluation.page import write_streams_page
from convert.stream_evaluation.page_pictures import pictures_of, worst
from convert.stream_evaluation.page_strips import watched
from convert.stream_evaluation.text import promise, verdict
from edgevid.cli import main
from edgevid.events.decide import Event
from edgevid.events.timeline import TOLERANCE_S
from tests.chromium import needs_chromium, visit
from tests.clips.videos import level, write_video
from tests.convert.stream_evaluation.gestures import shipped_path, write_recordings


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "my streams #1"
    write_recordings(folder, seeds=[1, 2], seconds=30)
    return folder


@pytest.fixture(scope="module")
def result(streams: Path) -> StreamEvaluation:
    """An evaluation with a miss, a false alarm of each kind and two groups."""
    found = evaluate_streams(shipped_path(), streams, streams.parent / "events.csv")
    first, second = found.recordings
    extra = Event("wave", 27.0, 28.0, 0.99, announced_s=27.5)
    again = replace(first.events[0], start_s=first.events[0].end_s, end_s=first.events[0].end_s + 0.2)
    other = Event("circle_cw", first.truth[1].start_s, first.truth[1].end_s, 0.7, announced_s=first.truth[1].end_s)
    faulty = replace(first, events=(*first.events[:1], again, other, *first.events[2:], extra), truth=first.truth[:-1])
    recordings = (second, faulty)
    model = found.model
    metrics = measure(recordings, model.labels, model.rule, model.decider, options=MeasureOptions())
    return replace(found, recordings=recordings, metrics=metrics, paces={2: metrics})


@pytest.fixture(scope="module")
def page(result: StreamEvaluation, streams: Path) -> Path:
    path = streams.parent / "reports" / "page.html"
    path.parent.mkdir()
    write_streams_page(result, path, title="<b>a model</b>", folder=streams, tolerance_s=TOLERANCE_S, seconds=1.0)
    return path


def test_the_page_begins_with_the_verdict_and_the_promise(page: Path, result: StreamEvaluation) -> None:
    text = page.read_text()
    header = text[text.index("<header>") : text.index("</header>")]
    assert f"<p>{verdict(result.metrics)} {promise(result.metrics)}</p>" in header
    assert "promise not kept yet" in header
    assert "<b>a model" not in text
    for card in ("Recall", "False alarms an hour", "F1@50", "Announced after"):
        assert f'<div class="card">{card}<b>' in text
    for table in ("Classes", "Delay", "Confusions", "By group", "Pace levels"):
        assert f"<h2>{table}</h2>" in text
    assert text.count("data:image/svg+xml") == 3
    assert page.stat().st_mode & 0o777 == 0o640


def test_each_recording_has_its_truth_and_events_and_the_worst_comes_first(
    page: Path, result: StreamEvaluation
) -> None:
    text = page.read_text()
    strips = text.split('<div class="tl" ')[1:]
    assert [re.search(r'data-name="([^"]*)"', strip)[1] for strip in strips] == ["1.avi", "2.avi"]
    score = match_recording(result.recordings[1], tolerance_s=TOLERANCE_S).score
    marks = Counter(re.findall(r'class="tl-mark tl-(\w+)"', strips[0]))
    assert marks == {
        "found": len(score.matched),
        "hit": len(score.matched),
        "missed": len(score.missed),
        "false": len(score.false_alarms),
    }
    assert marks["missed"] >= 1
    # Also the event of the truth that was taken away.
    assert marks["false"] == 4
    assert 'data-video="../my%20streams%20%231/1.avi"' in strips[0]
    for words in ("(nothing happened)", "(said before)", "(it was "):
        assert f"{words}" in strips[0]


def test_what_went_wrong_has_pictures_that_begin_with_the_surest_false_alarm(page: Path) -> None:
    text = page.read_text()
    cards = re.findall(r'class="tl-card".*?</button>', text, re.S)
    assert 'aria-label="false alarm: wave 0:27.0 to 0:28.0, score 0.99' in cards[0]
    assert 'aria-label="missed: ' in cards[1]
    assert all(card.count("data:image/jpeg") == 3 for card in cards)
    assert len(cards) >= page_pictures.LEAST_SHOWN


@needs_chromium
def test_the_page_fits_a_phone_without_a_word_on_the_console(page: Path, tmp_path: Path) -> None:
    script = "document.title = [document.documentElement.scrollWidth, ...[...document.images].map(i => i.naturalWidth)]"
    own = tmp_path / "page.html"
    own.write_text(page.read_text().replace("</body>", f"<script>{script}</script></body>"))
    dom, console = visit(own, width_px=500)
    width, *pictures = map(int, re.search(r"<title>([\d,]*)</title>", dom)[1].split(","))
    assert console == []
    assert width <= 500
    assert min(pictures) > 0


def test_the_command_writes_the_page_and_says_where(
    streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, report = str(streams.parent / "events.csv"), tmp_path / "page.html"
    command = ["evaluate", str(shipped_path()), "--streams", str(streams), "--truth", truth, "--report"]
    assert main([*command, str(report)]) == 0
    captured = capsys.readouterr()
    assert str(report) in captured.err
    assert captured.out.split("\n")[0] in report.read_text()
    for wrong in (tmp_path / "page.pdf", tmp_path / "none" / "page.html"):
        assert main([*command, str(wrong)]) == 2
        assert capsys.readouterr().out == ""


def recording(name: str, *, events: int = 0, missed: int = 0, duration_s: float = 30.0) -> page_strips.Watched:
    trace = ScoreTrace(
        times_s=np.array([1.0]), scores=np.array([[0.5, 0.5]]), segments=(Segment(0, 0.0),), duration_s=duration_s
    )
    answered = Answered(
        name=name,
        truth=tuple(TrueEvent("a", 20.0 * index, 20.0 * index + 1 + index) for index in range(missed)),
        trace=trace,
        events=tuple(Event("b", 20.0 * index + 10, 20.0 * index + 11, 0.5 + index / 100) for index in range(events)),
    )
    return watched(answered, match_recording(answered, tolerance_s=0.5), number=0)


def test_false_alarms_and_misses_share_the_room_for_pictures() -> None:
    shown = worst([recording("a", events=30, missed=2), recording("b", missed=30)])
    assert len(shown) == page_pictures.MOST_SHOWN
    kinds = [each.mark.kind for each in shown]
    assert kinds[:4] == ["false", "missed", "false", "missed"]
    assert kinds.count("false") == 20
    assert shown[0].mark.text.startswith("false alarm: b 9:50.0 to 9:51.0, score 0.79")


def test_a_page_holds_a_bounded_number_of_rows_and_names_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    strips = [
        page_strips.strip_of(
            recording(str(index), duration_s=3600), labels=("a", "b"), colors={}, background=(), video=""
        )
        for index in range(4)
    ]
    monkeypatch.setattr(page_strips, "MOST_ROWS", 30)
    assert [strip.name for strip in page_strips.drawn(strips)] == ["0", "1"]
    monkeypatch.setattr(page_strips, "MOST_ROWS", 3)
    assert [strip.name for strip in page_strips.drawn(strips)] == ["0"]


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_pictures_are_the_frames_at_start_middle_and_end(tmp_path: Path, suffix: str) -> None:
    write_video(tmp_path / f"a{suffix}", count=400, fps=10.0)
    one = recording(f"a{suffix}", events=2)
    (late, early) = pictures_of(worst([one]), tmp_path)
    # Events from 10 to 11 s, and from 30 to 31 s.
    for pictures, places in ((early, (100, 105, 110)), (late, (300, 305, 310))):
        grays = [float(cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR).mean()) for each in pictures]
        assert grays == pytest.approx([level(place) for place in places], abs=5)


def test_a_video_that_is_gone_has_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    assert pictures_of(worst([recording("a.mp4", events=1)]), tmp_path) == [[]]
    assert pictures_of(worst([recording("a.npy", events=1)]), tmp_path) == [[]]


def test_a_table_of_a_run_is_truth_after_its_last_columns_are_cut(streams: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen.csv"
    source = streams / "1.avi"
    assert main(["run", str(shipped_path()), "--source", str(source), "--timeline", str(seen)]) == 0
    rows = list(csv.reader(seen.read_text().splitlines()))
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "1.avi").write_bytes(source.read_bytes())
    truth = tmp_path / "truth.csv"
    truth.write_text("\n".join(",".join(row[:4]) for row in rows) + "\n")
    (read,) = read_truth(truth, folder=folder)
    assert [event.label for event in read.events] == [row[1] for row in rows[1:]]
