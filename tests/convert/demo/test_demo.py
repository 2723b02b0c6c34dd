"""The way from clips to a report.

Training and conversion have tests of their own; the bundle that ships stands in for their result.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from convert.demo import __main__ as whole
from convert.demo.dataset import Dataset, DatasetSpec, write_dataset
from convert.progress import Silent
from edgevid.commands.demo import BUNDLE
from edgevid.errors import VerificationFailed
from edgevid.synthetic.gestures import LABELS

SPEC = DatasetSpec(
    train=2,
    validation=1,
    test=1,
    none_share=1,
    height_px=48,
    width_px=48,
    fps=10.0,
    stream_s=12.0,
    codec="FFV1",
    seed=78,
)


def test_it_leaves_a_report_and_a_video_and_prints_the_timeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "_train", lambda _dataset, out, _epochs, _progress: out)
    monkeypatch.setattr(
        whole,
        "_convert",
        lambda _dataset, _model, out, _progress: Path(shutil.copyfile(str(files("edgevid") / "data" / BUNDLE), out)),
    )
    assert whole.demo(tmp_path, SPEC, epochs=1, processes=1, progress=Silent()) == 0
    text = capsys.readouterr().out
    for wanted in (
        "truth",
        "Event precision",
        "F1@50",
        "false alarms an hour",
        "p95 ms",
        "report.html",
        "annotated.mp4",
    ):
        assert wanted in text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 1
    assert page.count('class="tl-plot"') == 1
    assert page.count('<table class="matrix">') == 2
    assert 'href="annotated.mp4"' in page
    assert (tmp_path / "annotated.mp4").stat().st_size > 10_000


def test_a_conversion_that_is_refused_ends_the_demo_with_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> None:
        raise VerificationFailed("Expected the same answers.")

    monkeypatch.setattr(whole, "DatasetSpec", lambda: SPEC)
    monkeypatch.setattr(whole, "_train", lambda _dataset, out, _epochs, _progress: out)
    monkeypatch.setattr(whole, "_convert", refuse)
    assert whole.main(["--dir", str(tmp_path), "--processes", "1"]) == VerificationFailed.exit_code
    assert "demo: Expected the same answers." in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.tf
def test_training_writes_a_model_that_knows_its_labels_and_its_rule(tmp_path: Path) -> None:
    from convert.demo.training import RULE, train_gestures, train_options
    from convert.training_info import read_info

    dataset: Dataset = write_dataset(tmp_path / "clips", SPEC, Silent(), processes=1)
    train_gestures(dataset, tmp_path / "gestures.keras", train_options(epochs=1), Silent())
    info = read_info(tmp_path / "gestures.keras")
    assert info is not None
    assert info.labels == LABELS
    assert info.decision == RULE
