"""`edgevid run --count`, as a person would call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edgevid
from edgevid import bundle, cli
from edgevid.backends.fake import Fake
from edgevid.events.rule import DecisionRule
from edgevid.inference import engine
from tests.models.bundles import LABELS, bundle_for, window_manifest
from tests.streams import Script, answer, encode

FIRST, SECOND = LABELS[1], LABELS[2]
# Each class for a second: two whole cycles and a half.
SHOWN = [each for _ in range(3) for each in [1] * 10 + [2] * 10]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with a window of four frames, whose parts run without an interpreter."""
    monkeypatch.setattr(engine, "LiteRt", lambda *, threads: Fake({"encoder": encode, "head": answer}))
    monkeypatch.setattr("edgevid.api.session.open_source", lambda _text, _manifest, **_options: Script(SHOWN))
    where = tmp_path / "tiny.edgevid"
    bundle.write(bundle_for(window_manifest()), where)
    return where


def test_each_repetition_is_a_line_and_its_time(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(path), "--source", "any", "--count", f"{FIRST},{SECOND}"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "number" in line]
    assert [line[2:] for line in lines] == [[f"{FIRST},{SECOND}", "number", str(number)] for number in (1, 2)]
    # The cycles end at 2 and 4 s; a window of 0.3 s and the median are late.
    assert [float(line[0]) for line in lines] == [pytest.approx(end_s, abs=0.45) for end_s in (2.2, 4.2)]


def test_every_decision_has_every_count(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--count", f"{FIRST},{SECOND}", "--count", SECOND, "--json"]
    assert cli.main(["run", str(path), "--source", "any", *options]) == 0
    counts = [
        fields["counts"] for line in capsys.readouterr().out.splitlines() if "t_s" in (fields := json.loads(line))
    ]
    assert len(counts) == len(SHOWN) - 3
    assert counts[0] == {f"{FIRST},{SECOND}": 0, SECOND: 0}
    assert counts[-1] == {f"{FIRST},{SECOND}": 2, SECOND: 2}


def test_a_run_that_does_not_count_says_nothing_of_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(path), "--source", "any", "--json"]) == 0
    assert "counts" not in capsys.readouterr().out


@pytest.mark.parametrize("asked", ["squat", f"{FIRST},squat", "", f"{FIRST},"])
def test_a_class_that_no_model_has_is_one_line(path: Path, capsys: pytest.CaptureFixture[str], asked: str) -> None:
    assert cli.main(["run", str(path), "--source", "any", "--count", asked]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        f"Expected classes of one model to count, with commas between, one of {', '.join(LABELS)}, got {asked!r}."
    )


def test_only_models_with_the_classes_count(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.edgevid"
    labels = tuple(f"other_{label}" for label in LABELS)
    bundle.write(bundle_for(window_manifest(name="other", labels=labels, decision=DecisionRule())), other)
    seen = edgevid.Collector()
    edgevid.run([edgevid.load(path), edgevid.load(other)], source="any", outputs=[seen], count=[f"{FIRST},{SECOND}"])
    newest = {decision.model: dict(decision.counts) for decision in seen.decisions}
    assert newest == {"tiny": {f"{FIRST},{SECOND}": 2}, "other": {}}


def test_each_stream_counts_from_nothing(path: Path) -> None:
    model = edgevid.load(path)
    for _ in range(2):
        seen = edgevid.Collector()
        edgevid.run(model, source="any", outputs=[seen], count=f"{FIRST},{SECOND}")
        assert dict(seen.decisions[-1].counts) == {f"{FIRST},{SECOND}": 2}


def test_decisions_of_watch_are_counted_alike(path: Path) -> None:
    found = list(edgevid.count(edgevid.load(path).watch("any"), FIRST, SECOND))
    assert [each.number for each in found] == [1, 2]
