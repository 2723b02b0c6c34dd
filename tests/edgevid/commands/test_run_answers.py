"""`edgevid run` on sources that cannot be answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgevid import bundle, cli
from edgevid.backends.fake import Fake
from edgevid.frames import Frame
from edgevid.inference import engine
from tests.models.bundles import LABELS, bundle_for, window_manifest
from tests.streams import Script, answer, encode


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with a window of four frames, whose parts run without an interpreter."""
    monkeypatch.setattr(engine, "LiteRt", lambda *, threads: Fake({"encoder": encode, "head": answer}))
    where = tmp_path / "tiny.edgevid"
    bundle.write(bundle_for(window_manifest()), where)
    return where


def run(monkeypatch: pytest.MonkeyPatch, path: Path, shown: Sequence[int | None], *options: str) -> int:
    monkeypatch.setattr("edgevid.api.session.open_source", lambda _text, _manifest, **_options: Script(shown))
    return cli.main(["run", str(path), "--source", "any", *options])


@pytest.mark.parametrize("count", [1, 3])
def test_run_answers_a_clip_shorter_than_a_window_once_and_names_the_repeated_frame(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    count: int,
) -> None:
    assert run(monkeypatch, path, [0] * (count - 1) + [2], "--json") == 0
    (decision,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (decision["t_s"], decision["label"]) == (pytest.approx(0.1 * (count - 1)), LABELS[2])
    assert caplog.messages == [f"script has {count} of the 4 frames of a window: its last one is repeated."]


def test_run_repeats_no_frame_of_a_clip_with_a_whole_window(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(monkeypatch, path, [0] * 4) == 0
    assert "repeated" not in caplog.text


def test_run_fails_on_a_stream_too_short_for_one_answer_under_the_live_policy(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, path, [0] * 3, "--policy", "live") == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "Expected" in line]
    assert "Expected 4 frames, 0.1 s apart, for an answer of tiny, got" in line


def test_run_fails_when_gaps_leave_no_window_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, path, [0, None, 0, None, 0, None, 0, None, 0]) == 1
    assert "gaps between them from script" in capsys.readouterr().err


def test_run_succeeds_when_the_user_asked_for_fewer_frames_than_a_window(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, path, [0] * 9, "--max-frames", "2") == 0


def test_run_succeeds_and_repeats_no_frame_when_a_signal_ends_it_before_the_first_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import os
    import signal

    class Interrupted(Script):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                if frame.index == 1:
                    os.kill(os.getpid(), signal.SIGINT)
                yield frame

    monkeypatch.setattr("edgevid.api.session.open_source", lambda _text, _manifest, **_options: Interrupted([0] * 3))
    assert cli.main(["run", str(path), "--source", "any"]) == 0
    assert "repeated" not in caplog.text
