"""`edgevid calibrate`: a bundle that differs in its rule alone."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from convert.rule_search import CalibrationOptions, calibrate
from convert.rule_search.calibration import _unknown_below
from convert.rule_search.search import Found
from edgevid import bundle
from edgevid.cli import main
from edgevid.errors import TruthError, UsageError
from tests.convert.event_metrics.recordings import LABELS, RULE, scored
from tests.convert.stream_evaluation.gestures import shipped_path, write_recordings


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrate") / "streams"
    write_recordings(folder, seeds=[1, 2], seconds=40)
    return folder


def arguments(streams: Path, out: Path, *options: str) -> list[str]:
    truth = str(streams.parent / "events.csv")
    return ["calibrate", str(shipped_path()), "--streams", str(streams), "--truth", truth, "-o", str(out), *options]


def test_the_bundle_differs_in_its_rule_alone_and_the_rule_is_stated_with_its_worth(
    streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tuned.edgevid"
    assert main(arguments(streams, out, "--min-background-h", "0", "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    with zipfile.ZipFile(shipped_path()) as before, zipfile.ZipFile(out) as after:
        assert before.namelist() == after.namelist()
        for name in before.namelist():
            if name != "manifest.json":
                assert before.read(name) == after.read(name)
        old, new = (json.loads(each.read("manifest.json")) for each in (before, after))
    assert new["decision"] == result["rule"] != old["decision"] == result["before"]
    assert {**new, "decision": None} == {**old, "decision": None}
    assert {each["label"] for each in new["decision"]["delays"]} == {*old["labels"]} - {"none"}
    # One group each: what the rule is chosen on is not what it is checked on.
    assert [result["kept_together"], *sorted(result["chosen_on"] + result["checked_on"])] == [
        "groups",
        "1.avi",
        "2.avi",
    ]
    checked = result["checked"]
    assert checked["recordings"] == 1
    assert checked["f1"]["0.5"] >= 0.85
    assert abs(checked["delay"]["end_error_s"]) < abs(result["checked_before"]["delay"]["end_error_s"])


def test_the_text_shows_both_rules_and_their_worth(
    streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tuned.edgevid"
    assert main(arguments(streams, out, "--min-background-h", "0", "--unknown", "--max-false-per-hour", "5")) == 0
    printed = capsys.readouterr().out
    assert "checked on" in printed.splitlines()[0]
    assert f"Wrote {out}" in printed
    assert "\nAt most 5 an hour " in printed
    assert 0 < bundle.read(out).manifest.decision.unknown_below < 1


def test_too_little_background_is_refused_before_anything_is_watched(
    streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tuned.edgevid"
    assert main(arguments(streams, out)) == 1
    assert "at least 1 h in which nothing happens" in capsys.readouterr().err
    assert not out.exists()


def test_a_promise_that_no_rule_keeps_writes_nothing(
    streams: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A rule that can only be what it is: each gesture is an event of another class.
    monkeypatch.setattr(
        "convert.rule_search.calibration.search_rule", lambda _trials, start: Found(start, 0, second_look=True)
    )
    wrong = tmp_path / "wrong.csv"
    rows = (streams.parent / "events.csv").read_text().replace("swipe_left", "wave").replace("swipe_right", "wave")
    wrong.write_text(rows)
    out = tmp_path / "tuned.edgevid"
    options = CalibrationOptions(min_background_h=0, max_false_per_hour=1.0)
    with pytest.raises(TruthError, match="a rule with at most 1 false alarms an hour"):
        calibrate(shipped_path(), streams, wrong, out, options=options)
    assert not out.exists()


def test_a_bundle_that_finds_nothing_is_not_tuned_to_silence(
    streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Every gesture under the name of another: what the model says is always wrong.
    names = {"swipe_left": "circle_cw", "swipe_right": "circle_ccw", "swipe_up": "wave", "swipe_down": "swipe_left"}
    names |= {"wave": "swipe_right", "circle_cw": "swipe_up", "circle_ccw": "swipe_down"}
    lines = (streams.parent / "events.csv").read_text().splitlines()
    swapped = [",".join(names.get(cell, cell) for cell in line.split(",")) for line in lines]
    (tmp_path / "swapped.csv").write_text("\n".join(swapped) + "\n")
    out = tmp_path / "tuned.edgevid"
    call = arguments(streams, out, "--min-background-h", "0", "--max-false-per-hour", "1")
    call[5] = str(tmp_path / "swapped.csv")
    assert main(call) == 1
    assert "a rule that finds an event, got none that has so few false alarms" in capsys.readouterr().err
    assert not out.exists()


def test_a_model_is_to_be_converted_first(streams: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = arguments(streams, tmp_path / "tuned.edgevid")
    call[1] = "model.keras"
    assert main(call) == 2
    assert "model.keras, a model. Convert it first" in capsys.readouterr().err


def test_unknown_names_at_most_one_of_twenty_right_answers() -> None:
    one = scored([], [0.0234375] * 100)
    assert _unknown_below([one], LABELS, RULE) == 0.976


@pytest.mark.parametrize("options", [{"min_background_h": -1}, {"max_false_per_hour": 0}, {"tolerance_s": -1}])
def test_options_without_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="Expected"):
        CalibrationOptions(**options)


def test_the_output_is_a_bundle_in_a_folder_that_exists(streams: Path, tmp_path: Path) -> None:
    assert main(arguments(streams, tmp_path / "missing" / "tuned.edgevid")) == 2
    assert main(arguments(streams, tmp_path / "tuned.txt")) == 2
