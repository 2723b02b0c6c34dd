"""Lines for programs and for people."""

from __future__ import annotations

import dataclasses
import io
import json

import pytest

from edgevid.events.decide import Decision, Event
from edgevid.outputs.jsonl import EventLines, JsonLines

DECISION = Decision(1.25, "wave", 0.75, [0.25, 0.75], 12.3456, ("none", "wave"), "gestures")
EVENT = Event("wave", 1.0, 2.5, 0.8125, 12.3456, "gestures", announced_s=1.0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Flushed(io.StringIO):
    """Knows what a reader on the other side of a pipe has seen."""

    seen = ""

    def flush(self) -> None:
        self.seen = self.getvalue()


def test_a_decision_is_one_object_with_its_scores_by_label() -> None:
    stream = io.StringIO()
    JsonLines(stream).decided(DECISION)
    assert json.loads(stream.getvalue()) == {
        "t_s": 1.25,
        "label": "wave",
        "score": 0.75,
        "scores": {"none": 0.25, "wave": 0.75},
        "age_ms": 12.346,
    }


def test_what_a_model_gives_beside_its_scores_is_told_by_name() -> None:
    stream = io.StringIO()
    JsonLines(stream).decided(dataclasses.replace(DECISION, values={"box": [0.1234567, 2.0]}))
    assert json.loads(stream.getvalue())["values"] == {"box": [0.123457, 2.0]}


def test_an_event_is_one_object() -> None:
    stream = io.StringIO()
    JsonLines(stream).ended(EVENT)
    assert json.loads(stream.getvalue()) == {
        "event": "wave",
        "start_s": 1.0,
        "end_s": 2.5,
        "announced_s": 1.0,
        "score": 0.8125,
    }


def test_the_model_is_named_where_there_are_several() -> None:
    stream, sentences = io.StringIO(), io.StringIO()
    lines = JsonLines(stream, several=True)
    lines.decided(DECISION)
    lines.ended(EVENT)
    assert [json.loads(line)["model"] for line in stream.getvalue().splitlines()] == ["gestures", "gestures"]
    EventLines(sentences, io.StringIO(), several=True).ended(EVENT)
    assert "gestures: wave" in sentences.getvalue()


def test_each_line_is_flushed_when_it_is_written() -> None:
    stream = Flushed()
    lines = JsonLines(stream)
    lines.decided(DECISION)
    assert stream.seen.count("\n") == 1
    lines.ended(EVENT)
    assert stream.seen.count("\n") == 2


def test_an_event_is_one_readable_line() -> None:
    stream = Flushed()
    EventLines(stream, io.StringIO()).ended(EVENT)
    assert stream.seen.split() == ["1.00", "s", "to", "2.50", "s", "wave", "0.81"]


def test_the_live_line_is_drawn_on_a_terminal_only_and_never_on_the_data_stream() -> None:
    stream, file, terminal = io.StringIO(), io.StringIO(), Terminal()
    EventLines(stream, file).decided(dataclasses.replace(DECISION, ongoing=EVENT))
    lines = EventLines(stream, terminal)
    lines.decided(dataclasses.replace(DECISION, ongoing=EVENT))
    lines.close()
    assert stream.getvalue() == file.getvalue() == ""
    assert "wave 0.75  [wave since 1.0 s]" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_the_live_line_is_not_redrawn_faster_than_it_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_ns = [0]
    monkeypatch.setattr("edgevid.outputs.jsonl.monotonic_ns", lambda: clock_ns[0])
    terminal = Terminal()
    lines = EventLines(io.StringIO(), terminal)
    for _ in range(10):
        lines.decided(DECISION)
        clock_ns[0] += 30_000_000
    assert terminal.getvalue().count("wave") == 3


def test_counts_are_in_every_object_of_a_run_that_counts_and_a_sentence_each_time_they_rise() -> None:
    stream, sentences = io.StringIO(), io.StringIO()
    lines, spoken = JsonLines(stream), EventLines(sentences, io.StringIO())
    for count in (0, 0, 1, 1, 2):
        decision = dataclasses.replace(DECISION, counts={"up,down": count, "jack": 0})
        lines.decided(decision)
        spoken.decided(decision)
    assert [json.loads(line)["counts"]["up,down"] for line in stream.getvalue().splitlines()] == [0, 0, 1, 1, 2]
    assert [line.split()[2:] for line in sentences.getvalue().splitlines()] == [
        ["up,down", "number", "1"],
        ["up,down", "number", "2"],
    ]


def test_each_model_has_counts_of_its_own_in_sentences() -> None:
    sentences = io.StringIO()
    lines = EventLines(sentences, io.StringIO(), several=True)
    for model in ("squats", "jacks"):
        lines.decided(dataclasses.replace(DECISION, counts={"wave": 1}, model=model))
    assert [line.split(maxsplit=2)[2] for line in sentences.getvalue().splitlines()] == [
        "squats: wave number 1",
        "jacks: wave number 1",
    ]
