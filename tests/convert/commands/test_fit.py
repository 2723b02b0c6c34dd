"""The command `edgevid fit`."""

import json
from importlib import resources

import pytest

from convert.commands import fit
from edgevid import cli
from edgevid.prediction import boards

pytestmark = pytest.mark.tf

SHIPPED = str(resources.files("edgevid") / "data" / "gestures.edgevid")


def test_the_first_line_names_the_board_and_every_line_calls_it_a_prediction(capsys):
    assert cli.main(["fit", SHIPPED]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    verdict, _, heading, *rows = out.splitlines()
    assert verdict.startswith("Prediction: a Raspberry Pi Zero 2 W or faster; it takes up to ")
    assert verdict.endswith(" ms of the 100 ms that the model's rate leaves.")
    assert heading.split("  ")[0] == "board"
    assert "predicted ms a frame" in heading
    assert [row.split()[0] for row in rows[:7]] == ["zero-2-w", "3b", "3b-plus", "4b", "cm4", "400", "5"]
    assert "not measured" in out
    assert out.count("measured") == 1


def test_json_has_the_work_the_range_and_the_basis(capsys):
    assert cli.main(["fit", SHIPPED, "--threads", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["threads"], found["needs"]) == ("prediction", 4, "zero-2-w")
    assert [part["precision"] for part in found["parts"]] == ["int8", "int8"]
    last = found["predictions"][-1]
    assert last["board"] == "5"
    assert last["low_ms"] < last["predicted_ms"] < last["high_ms"] < last["interval_ms"]
    assert last["basis"] == "int8: ncnn on Cortex-A76"


def test_a_model_that_no_board_keeps_up_with_says_so(monkeypatch, capsys):
    """The same bundle at ten thousand frames a second."""
    real = boards.predict
    monkeypatch.setattr(boards, "predict", lambda parts, _interval_s, threads: real(parts, 1e-5, threads=threads))
    assert cli.main(["fit", SHIPPED]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("Prediction: no board is sure to keep the rate; Raspberry Pi 5 Model B takes up to ")


@pytest.mark.parametrize(("content", "code"), [(None, 2), (b"", 1), (b"PK\x05\x06 no archive", 1)])
def test_bad_input_is_one_line(tmp_path, capsys, content, code):
    path = tmp_path / "model.edgevid"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["fit", str(path)]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("edgevid: Expected ")


def test_threads_of_which_nothing_is_published_are_a_usage_error(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["fit", SHIPPED, "--threads", "3"])
    assert caught.value.code == 2
    assert "--threads" in capsys.readouterr().err


def test_the_help_offers_the_threads_of_the_predictions():
    assert fit.THREADS == boards.THREADS
