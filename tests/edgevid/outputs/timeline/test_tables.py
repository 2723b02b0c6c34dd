"""The events of a run as CSV, SubRip and WebVTT."""

from __future__ import annotations

import csv
import io

import pytest

from edgevid.events.decide import Event
from edgevid.outputs.timeline.clock import clock_text, cue_time
from edgevid.outputs.timeline.tables import COLUMNS, csv_text, srt_text, vtt_text

EVENTS = (
    Event("wave", 1.25, 3.5, 0.934, model="tiny", announced_s=2.0),
    Event('a "<b>" & c,\nd', 3725.0, 3725.1, 1.0, model="falls", announced_s=3725.1),
)


def test_the_table_has_a_row_for_each_event_whatever_its_label() -> None:
    heading, *rows = csv.reader(io.StringIO(csv_text(EVENTS, path="a #1,2.mp4")))
    assert tuple(heading) == COLUMNS
    assert rows == [
        ["a #1,2.mp4", "wave", "1.25", "3.5", "2.0", "0.934", "tiny"],
        ["a #1,2.mp4", 'a "<b>" & c,\nd', "3725.0", "3725.1", "3725.1", "1.0", "falls"],
    ]


def test_subtitles_have_one_numbered_cue_an_event() -> None:
    assert srt_text(EVENTS, several=False) == (
        '1\n00:00:01,250 --> 00:00:03,500\nwave 0.93\n\n2\n01:02:05,000 --> 01:02:05,500\na "<b>" & c, d 1.00\n'
    )


def test_webvtt_escapes_what_would_be_markup() -> None:
    assert vtt_text(EVENTS, several=True) == (
        "WEBVTT\n\n00:00:01.250 --> 00:00:03.500\ntiny: wave 0.93\n\n"
        '01:02:05.000 --> 01:02:05.500\nfalls: a "&lt;b&gt;" &amp; c, d 1.00\n'
    )


def test_a_run_without_an_event_leaves_files_without_one() -> None:
    assert csv_text((), path="a.mp4") == ",".join(COLUMNS) + "\n"
    assert srt_text((), several=False) == ""
    assert vtt_text((), several=False) == "WEBVTT\n"


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [(0, 0, "0:00"), (65.4, 0, "1:05"), (59.96, 1, "1:00.0"), (7_389.55, 1, "2:03:09.6"), (-1, 0, "0:00")],
)
def test_a_clock_shows_hours_only_if_there_are_any(seconds: float, decimals: int, text: str) -> None:
    assert clock_text(seconds, decimals=decimals) == text


def test_a_cue_of_a_very_long_video_has_more_digits_of_hours() -> None:
    assert cue_time(360_000.0004, point=".") == "100:00:00.000"
