"""Profiles: every operator once, the slow one in front, and a prefix computes what the whole file does."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import edgevid
from edgevid import bundle, cli
from edgevid.backends import operator_prefixes
from edgevid.backends.litert import LiteRt
from edgevid.backends.operator_prefixes import OperatorPrefixes
from edgevid.bench.profiling import profile as profiling

GESTURES = Path(edgevid.__file__).parent / "data" / "gestures.edgevid"


@pytest.mark.tf
def test_each_operator_is_there_once_and_convolutions_are_the_slowest(capsys: pytest.CaptureFixture[str]) -> None:
    from convert.tflite_file import read_tflite

    assert cli.main(["bench", "profile", str(GESTURES), "--rounds", "5", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    read = bundle.read(GESTURES)
    expected = [
        (part.role, place, operator.kind)
        for part in read.manifest.parts
        for place, operator in enumerate(read_tflite(read.models[part.file]).operators)
    ]
    assert [(each["role"], each["place"], each["kind"]) for each in data["operators"]] == expected
    encoder = [each for each in data["operators"] if each["role"] == "encoder"]
    assert "CONV" in max(encoder, key=lambda each: each["ms"]["value"])["kind"]
    assert sum(each["ms"]["value"] for each in encoder) == pytest.approx(data["whole_ms"]["encoder"], rel=0.5)


def test_a_known_sleep_shows_as_that_operators_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_from = 3
    made = iter(range(1000))

    def timer(_loaded: object) -> object:
        length = next(made) + 1
        return lambda: 0.1 * length + (5.0 if length > slow_from else 0.0)

    monkeypatch.setattr(profiling, "_timer", timer)
    read = bundle.read(GESTURES)
    found = profiling.profile(read, threads=1, rounds=3, say=lambda _text: None)
    encoder = [each.ms.value for each in found.operators if each.role == "encoder"]
    assert encoder[slow_from] == pytest.approx(5.1)
    assert encoder[slow_from - 1] == pytest.approx(0.1)


def test_a_part_of_many_operators_is_timed_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    read = bundle.read(GESTURES)
    (encoder,) = (part for part in read.manifest.parts if part.role == "encoder")
    count = len(OperatorPrefixes(read.models[encoder.file], encoder.file).names)
    held: list[int] = []

    def in_turn(timers: list[object], *, rounds: int, **_: object) -> np.ndarray:
        held.append(len(timers))
        # The prefix of n operators takes n squared ms, wherever its group begins.
        lengths = [timer() for timer in timers]  # type: ignore[operator]
        return np.tile(np.square(lengths), (rounds, 1))

    cut = OperatorPrefixes.prefix
    lengths: list[int] = []

    def prefix(file: OperatorPrefixes, length: int) -> bytes:
        lengths.append(length)
        return cut(file, length)

    monkeypatch.setattr(profiling, "GROUP", 3)
    monkeypatch.setattr(OperatorPrefixes, "prefix", prefix)
    monkeypatch.setattr(profiling, "_timer", lambda _loaded: lambda length=lengths[-1]: length)
    monkeypatch.setattr(profiling, "_in_turn", in_turn)
    found = profiling.profile(read, threads=1, rounds=2, say=lambda _text: None)
    times = [each.ms.value for each in found.operators if each.role == "encoder"]
    assert times == [2 * place + 1 for place in range(count)]
    assert max(held) <= 3 + 2


def test_the_longest_prefix_is_the_file_and_a_shorter_one_computes_its_tensors() -> None:
    data = bundle.read(GESTURES).models["encoder.tflite"]
    pieces = OperatorPrefixes(data, "encoder.tflite")
    whole = LiteRt().open(data, "whole")
    shape = whole.get_input_details()[0]["shape"]
    frame = np.random.default_rng(0).integers(-128, 128, shape, dtype=np.int8)
    prefix = LiteRt().open(pieces.prefix(len(pieces.names)), "prefix")
    for each in (whole, prefix):
        each.set_tensor(each.get_input_details()[0]["index"], frame)
        each.invoke()
    first, second = (each.get_tensor(each.get_output_details()[0]["index"]) for each in (whole, prefix))
    assert np.array_equal(first, second)
    assert LiteRt().open(pieces.prefix(1), "one").get_output_details()


def test_the_trace_lays_the_operators_end_to_end(tmp_path: Path) -> None:
    trace = tmp_path / "t.json"
    assert cli.main(["bench", "profile", str(GESTURES), "--rounds", "2", "--trace", str(trace)]) == 0
    events = [each for each in json.loads(trace.read_text())["traceEvents"] if each["ph"] == "X"]
    for earlier, later in itertools.pairwise(events):
        assert later["ts"] == pytest.approx(earlier["ts"] + earlier["dur"], abs=0.01)


@pytest.mark.parametrize(
    "arguments", [["--rounds", "1"], ["--trace", "t.txt"], ["--trace", "/nowhere/t.json"], ["-o", "t.txt"]]
)
def test_bad_input_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "profile", str(GESTURES), *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_interpreter_that_writes_no_files_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As with tflite-runtime, which has no such module.
    monkeypatch.setattr(operator_prefixes, "_TOOLS", "ai_edge_litert.tools.no_such_module")
    assert cli.main(["bench", "profile", str(GESTURES)]) == 2
    assert "the package ai-edge-litert" in capsys.readouterr().err
