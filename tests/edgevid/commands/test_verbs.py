"""The commands of the device, from their arguments to their output."""

from __future__ import annotations

import gc
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgevid import bundle, cli
from edgevid.backends.fake import Fake
from edgevid.capture.source import ClosingSource
from edgevid.commands import run as run_command
from edgevid.events.rule import DecisionRule
from edgevid.frames import Frame
from edgevid.inference import engine
from tests.boards import PI_5
from tests.edgevid.inference.test_selftest import Machine
from tests.edgevid.inference.test_selftest import bundle as golden_bundle
from tests.models.bundles import LABELS, bundle_for, features_manifest, window_manifest
from tests.streams import Script, answer, encode

SHARP = DecisionRule(smoothing_s=0, enter=0.6, exit=0.4, min_duration_s=0.1, cooldown_s=0, background=("none",))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle on disk whose parts run without an interpreter."""
    monkeypatch.setattr(engine, "LiteRt", lambda *, threads: Fake({"encoder": encode, "head": answer}))
    where = tmp_path / "tiny.edgevid"
    bundle.write(bundle_for(window_manifest(decision=SHARP)), where)
    return where


def show(monkeypatch: pytest.MonkeyPatch, source: ClosingSource) -> None:
    monkeypatch.setattr("edgevid.api.session.open_source", lambda _text, _manifest, **_options: source)


def test_run_prints_an_event_a_line_and_the_latency_table_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Script([0] * 5 + [1] * 5 + [0] * 5 + [2] * 5)
    show(monkeypatch, source)
    assert cli.main(["run", str(path), "--source", "any"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[5] for line in out.splitlines()] == ["wave", "swipe"]
    assert err.splitlines()[0] == "tiny.edgevid on script, fake, threads: 1"
    assert "p99 ms" in err
    assert source.closed == 1


def test_run_json_prints_each_decision_and_each_event(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(monkeypatch, Script([0] * 5 + [1] * 5))
    assert cli.main(["run", str(path), "--source", "any", "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    decisions = [each for each in objects if "label" in each]
    events = [each for each in objects if "event" in each]
    assert len(decisions) == 7
    assert len(events) == 1
    assert set(decisions[0]["scores"]) == set(LABELS)
    assert events[0] == {
        "event": "wave",
        "start_s": 0.35,
        "end_s": 0.75,
        "announced_s": 0.6,
        "score": pytest.approx(230 / 256, abs=1e-6),
    }


def test_several_bundles_run_on_one_source_and_every_line_names_its_model(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = path.with_name("other.edgevid")
    bundle.write(bundle_for(window_manifest(decision=SHARP, name="other")), other)
    show(monkeypatch, Script([0] * 5 + [1] * 5))
    assert cli.main(["run", str(path), str(other), "--source", "any", "--json"]) == 0
    out, err = capsys.readouterr()
    models = [json.loads(line)["model"] for line in out.splitlines()]
    assert models.count("other") == len(models) / 2 == 8
    assert [line.split()[0] for line in err.splitlines() if "on script" in line] == ["tiny.edgevid", "other.edgevid"]


def test_one_bundle_twice_is_a_usage_error(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(path), str(path), "--source", "any"]) == 2
    assert "a name of its own" in capsys.readouterr().err


def test_what_was_there_before_the_first_frame_is_not_searched_for_garbage_while_the_loop_runs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asks(Script):
        spared = 0

        def frames(self) -> Iterator[Frame]:
            self.spared = gc.get_freeze_count()
            return super().frames()

    source = Asks([1] * 5)
    show(monkeypatch, source)
    assert cli.main(["run", str(path), "--source", "x"]) == 0
    assert source.spared > 1000
    assert gc.get_freeze_count() == 0


def test_run_stops_after_max_frames(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(monkeypatch, Script([1] * 50))
    assert cli.main(["run", str(path), "--source", "any", "--json", "--max-frames", "6"]) == 0
    assert sum("label" in json.loads(line) for line in capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_cleanly_with_its_event_and_table(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    class Interrupted(Script):
        def frames(self):
            for frame in super().frames():
                if frame.index == 8:
                    os.kill(os.getpid(), number)
                yield frame

    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    source = Interrupted([1] * 10_000)
    show(monkeypatch, source)
    assert cli.main(["run", str(path), "--source", "any"]) == 0
    out, err = capsys.readouterr()
    assert out.split()[5] == "wave"
    assert "10000 seen" not in err
    assert source.closed == 1
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_stalled_source_is_one_line_after_the_table(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forever = threading.Event()

    class Stuck(Script):
        def frames(self):
            yield from super().frames()
            forever.wait(30)

    show(monkeypatch, Stuck([1] * 8))
    assert cli.main(["run", str(path), "--source", "any", "--stall", "0.05"]) == 1
    forever.set()
    err = capsys.readouterr().err
    assert "p99 ms" in err
    assert err.splitlines()[-1].startswith("edgevid: Expected a frame from script within 0.05 s")


def test_run_refuses_a_source_of_another_kind_in_one_line(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((9, 5), np.float32))
    assert cli.main(["run", str(path), "--source", str(tmp_path / "rows.npy")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("edgevid: Expected a picture")
    assert err.count("\n") == 1


def test_run_on_a_source_that_is_not_there_is_a_usage_error(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(path), "--source", "nowhere.mp4"]) == 2
    assert "nowhere.mp4" in capsys.readouterr().err


def test_inspect_shows_all_that_the_device_must_know(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    for expected in (
        "tiny: 3 classes, plan 'window'",
        "4 frames, 0.1 s apart",
        "8x6 rgb",
        "none, wave, swipe",
        "encoder.tflite",
        "1x4x5 int8",
        "agreement",
        "tiny.keras",
    ):
        assert expected in out


def test_inspect_shows_a_model_over_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle.write(bundle_for(features_manifest()), tmp_path / "rows.edgevid")
    assert cli.main(["inspect", str(tmp_path / "rows.edgevid")]) == 0
    assert "9 numbers a row" in capsys.readouterr().out


def test_inspect_json_is_the_manifest_and_the_report(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["manifest"]["labels"] == list(LABELS)
    assert data["report"] == {"agreement": 1.0, "clips": 3}


def test_inspect_of_a_file_that_is_no_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.edgevid").write_bytes(b"not a zip")
    assert cli.main(["inspect", str(tmp_path / "bad.edgevid")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def golden_path(tmp_path: Path) -> Path:
    where = tmp_path / "golden.edgevid"
    bundle.write(golden_bundle(), where)
    return where


def test_selftest_says_that_every_answer_is_identical(
    golden_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine()
    monkeypatch.setattr(engine, "LiteRt", lambda *, threads: Fake({"encoder": machine.encode, "head": machine.head}))
    assert cli.main(["selftest", str(golden_path)]) == 0
    assert capsys.readouterr().out.startswith("passed: 4 golden answers, all bit-identical; 4 windows equal the stream")


def test_selftest_fails_with_3_and_prints_no_result(
    golden_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(np.roll(Machine().rows, 1, axis=1))
    monkeypatch.setattr(engine, "LiteRt", lambda *, threads: Fake({"encoder": machine.encode, "head": machine.head}))
    assert cli.main(["selftest", str(golden_path), "--json"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("edgevid: Expected golden answer 0")


def test_selftest_reports_that_another_release_of_opencv_made_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine, where = Machine(), tmp_path / "other.edgevid"
    bundle.write(golden_bundle(window_manifest(versions={"opencv-python-headless": "3.4.18.65"})), where)
    monkeypatch.setattr(engine, "LiteRt", lambda *, threads: Fake({"encoder": machine.encode, "head": machine.head}))
    assert cli.main(["selftest", str(where)]) == 0
    assert "Expected OpenCV 3.4, which made the bundle" in capsys.readouterr().err


def test_the_summary_of_a_run_ends_with_the_board(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_command, "BOARD_ROOT", PI_5.plant(tmp_path / "root"))
    show(monkeypatch, Script([0] * 8))
    assert cli.main(["run", str(path), "--source", "any"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        "board: 61.7 °C before, 61.7 °C after, 61.7 °C at most, fan 2870 RPM, 2400 of 2400 MHz "
        "(ondemand), throttled during the run: no"
    )
