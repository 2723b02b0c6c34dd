"""`edgevid run` on sources that cannot be answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgevid import bundle, cli
from edgevid.backends.fake import Fake
from edgevid.frames import Frame
from edgevid.inference import engine
from tests.models.bundles import bundle_for, window_manifest
from tests.streams import Script, answer, encode


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with a window of four frames, whose parts run without an interpreter."""
    monkeypatch.setattr(engine, "LiteRt", lambda *, threads: Fake({"encoder": encode, "head": answer}))
    where = tmp_path / "tiny.edgevid"
    bundle.write(bundle_for(window_manifest()), where)
    return where


def run(monkeypatch: pytest.MonkeyPatch, path: Path, shown: Sequence[int | None], *options: str) -> int:
    monkeypatch.setattr("edgevid.api.session.open_source", lambda _text, _manifest, *, policy: Script(shown))
    return cli.main(["run", str(path), "--source", "any", *options])


@pytest.mark.parametrize("count", [1, 3])
def test_run_fails_when_its_source_is_too_short_for_one_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    assert run(monkeypatch, path, [0] * count) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "Expected" in line]
    assert f"Expected 4 frames, 0.1 s apart, for an answer of tiny, got {count} from script." in line


def test_run_fails_when_gaps_leave_no_window_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, path, [0, None, 0, None, 0, None, 0, None, 0]) == 1
    assert "gaps between them from script" in capsys.readouterr().err


def test_run_succeeds_with_one_answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, path, [0] * 4) == 0


def test_run_succeeds_when_the_user_asked_for_fewer_frames_than_a_window(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, path, [0] * 9, "--max-frames", "2") == 0


def test_run_succeeds_when_a_signal_ends_it_before_the_first_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    class Interrupted(Script):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                if frame.index == 1:
                    os.kill(os.getpid(), signal.SIGINT)
                yield frame

    monkeypatch.setattr("edgevid.api.session.open_source", lambda _text, _manifest, *, policy: Interrupted([0] * 3))
    assert cli.main(["run", str(path), "--source", "any"]) == 0
