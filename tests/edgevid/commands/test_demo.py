"""`edgevid demo` and the bundle that ships inside the package."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import pytest

from edgevid.cli import main
from edgevid.commands.demo import BUNDLE, shipped_bundle
from edgevid.synthetic.gestures import BACKGROUND, LABELS

MAX_BYTES = 300_000


def demo(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["demo", *options]) == 0
    return capsys.readouterr().out


def test_the_shipped_bundle_is_small_and_knows_the_gestures() -> None:
    manifest = shipped_bundle().manifest
    assert (files("edgevid") / "data" / BUNDLE).stat().st_size <= MAX_BYTES
    assert manifest.labels == LABELS
    assert manifest.decision.background == (BACKGROUND,)
    assert {part.precision for part in manifest.parts} <= {"int8", "int16x8"}


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_events_tell_the_truth_on_streams_that_nothing_was_trained_on(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    events = json.loads(demo(capsys, "--seed", str(seed), "--json"))["events"]
    assert len(events["matched"]) >= 10
    assert events["precision"] >= 0.85
    assert events["recall"] >= 0.85


def test_it_prints_the_timeline_the_score_and_the_latency(capsys: pytest.CaptureFixture[str]) -> None:
    text = demo(capsys, "--seconds", "15")
    for wanted in (
        "truth",
        "right",
        "Event precision",
        "F1@50",
        "false alarms an hour",
        "recall",
        "p95 ms",
        "encode",
        "head",
        "15 s of synthetic:0",
    ):
        assert wanted in text


def test_the_same_seed_gives_the_same_events(capsys: pytest.CaptureFixture[str]) -> None:
    first, again = (json.loads(demo(capsys, "--seconds", "12", "--json"))["events"] for _ in range(2))
    assert first == again


def test_a_seed_below_zero_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--seed", "-1"]) == 2
    assert "Expected --seed of at least 0, got -1" in capsys.readouterr().err


def test_it_imports_neither_opencv_nor_tensorflow() -> None:
    code = (
        "import sys; from edgevid.cli import main; main(['demo', '--seconds', '3']); sys.exit(any(m in "
        "sys.modules for m in ('cv2', 'tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
