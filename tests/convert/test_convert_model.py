"""The conversion end to end on real files: a model, videos, a bundle, and the device's commands on it."""

import dataclasses
import json
import re

import numpy as np
import pytest

from edgevid import bundle
from edgevid.cli import main
from edgevid.errors import ConversionError, VerificationFailed
from tests.clips.clip_folders import LABELS, write_folder
from tests.clips.videos import write_video
from tests.models.keras_models import FRAMES, cnn_rnn, over_features

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with clips and a model for them."""
    folder = tmp_path_factory.mktemp("conversion")
    write_folder(folder / "clips")
    (folder / "clips" / "left" / "broken.avi").write_bytes(b"RIFF no video")
    cnn_rnn("lstm").save(folder / "model.keras")
    return folder


@pytest.fixture(scope="module")
def converted(place):
    from convert import Options, convert_model

    options = Options(interval=0.1, precision="int8", min_agreement=0.9, max_drop=100)
    return convert_model(place / "model.keras", place / "clips", place / "model.edgevid", options=options)


def test_the_report_says_what_was_proven(converted):
    from convert.reporting.report_schema import SECTIONS

    report = converted.report
    assert report["plan"] == "window"
    assert set(report["precision"]) == {"encoder", "head"}
    assert (report["clips"], len(report["clips_skipped"])) == (12, 1)
    assert report["agreement"] >= 0.9
    assert 0 < report["max_abs_error"] < 0.2
    assert 0 <= report["accuracy_bundle"] <= 1
    assert report["bundle_bytes"] == converted.path.stat().st_size
    assert [stage["name"] for stage in report["stages"]] == [
        "float Keras",
        "float split",
        "bundle, whole window",
        "bundle, stream",
    ]
    assert report["stages"][1]["max_abs_error"] < 1e-5
    assert report["stages"][2] | {"name": ""} == report["stages"][3] | {"name": ""}
    assert report["joined_in_integers"] is True
    assert report["confusion"] is not None
    assert {(layer["part"], layer["precision"]) for layer in report["layers"]} == {
        ("encoder", "int8"),
        ("head", "int8"),
    }
    assert (report["layers_unmeasured"], report["blame"]) == ([], "")
    assert report["layers"] == sorted(report["layers"], key=lambda layer: layer["snr_db"])
    assert [place["part"] for place in report["placement"]] == ["encoder", "head"]
    assert report["calibration"]["classes"] == {label: {"clips": 4, "calibrated": 4} for label in LABELS}
    assert report["latency"]["machine"]
    keys = [key.name for section in SECTIONS for key in dataclasses.fields(section)]
    assert list(report) == [*keys, "bundle_bytes"]
    json.dumps(report)


def test_the_bundle_carries_its_proof(converted):
    from convert.placement.operation_counts import parts_work
    from edgevid.prediction.reported import reported_work

    held = bundle.read(converted.path)
    assert held.manifest.labels == LABELS
    assert held.manifest.window.interval_s == 0.1
    assert held.report["agreement"] == converted.report["agreement"]
    # The work that `edgevid flash` predicts from is that of the parts.
    assert reported_work(held) == parts_work(held)
    assert all(part.work.products > 0 for part in parts_work(held))
    assert held.golden.frames.shape[0] == FRAMES + 4
    assert np.abs(held.golden.scores - held.golden.float_scores).max() < 0.2
    assert held.manifest.provenance["source"] == "model.keras"


def test_the_devices_commands_take_the_bundle(converted, place, capsys):
    path = str(converted.path)
    assert main(["selftest", path]) == 0
    assert "identical" in capsys.readouterr().out.lower()
    assert main(["inspect", path]) == 0
    clip = str(next((place / "clips" / "right").glob("*.avi")))
    capsys.readouterr()
    assert main(["run", path, "--source", clip, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    decisions = [line for line in lines if "label" in line]
    assert len(decisions) == 12 - FRAMES + 1, "30 frames at 25 fps end at 1.16 s and hold twelve samples 0.1 s apart"
    assert all(set(line["scores"]) == set(LABELS) for line in decisions)
    assert main(["evaluate", path, str(place / "clips"), "--json"]) == 0


def test_a_failed_conversion_writes_nothing_and_keeps_the_old_bundle(place, tmp_path, monkeypatch):
    from convert import Options, convert_model
    from convert.verification.budget import Budget

    monkeypatch.setattr(Budget, "broken", lambda *_stages: "no conversion is good enough today")

    out = tmp_path / "kept.edgevid"
    out.write_bytes(b"the bundle before")
    with pytest.raises(VerificationFailed) as caught:
        convert_model(place / "model.keras", place / "clips", out, options=Options(interval=0.1, precision="int8"))
    assert out.read_bytes() == b"the bundle before"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept.edgevid", "kept.report.html", "kept.report.json"]
    page = (tmp_path / "kept.report.html").read_text()
    assert "no conversion is good enough today" in page
    assert "over the budget" in page
    assert str(caught.value).count("dB in int8)") == 3
    assert caught.value.report["failure"].startswith("int8: no conversion")
    assert caught.value.report["blame"] in page.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("head", "precision", "error", "stages"),
    [
        ("lstm", "int8", VerificationFailed, ["float Keras", "float split"]),
        ("attention", "int8+int16x8", ConversionError, ["float Keras", "float split"]),
    ],
)
def test_a_conversion_that_is_stopped_leaves_a_page_that_says_how_far_it_came(
    place, tmp_path, monkeypatch, capsys, head, precision, error, stages
):
    from convert.heads.lstm import LstmCell
    from convert.reporting import outcome

    trained, reports = LstmCell.step, []
    monkeypatch.setattr(LstmCell, "step", lambda cell, projected, states: trained(cell, projected * 0.5, states))
    write = outcome.write_html
    monkeypatch.setattr(
        outcome, "write_html", lambda report, *args, **more: reports.append(report) or write(report, *args, **more)
    )
    cnn_rnn(head).save(tmp_path / "model.keras")
    asked = ["--interval", "0.1", "--precision", precision, "--json"]
    code = main(
        [
            "convert",
            str(tmp_path / "model.keras"),
            "--clips",
            str(place / "clips"),
            "-o",
            str(tmp_path / "stopped.edgevid"),
            *asked,
        ]
    )
    assert code == error.exit_code
    output = capsys.readouterr()
    printed = json.loads(output.out)
    assert (
        printed["error"].endswith("stopped.report.html shows how far the conversion came.")
        and printed["error"] in output.err
    )
    assert printed == reports[0] | {"error": printed["error"], "exit_code": code}
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "model.keras",
        "stopped.report.html",
        "stopped.report.json",
    ]
    assert [stage["name"] for stage in reports[0]["stages"]] == stages
    assert reports[0]["stopped_by"] in (tmp_path / "stopped.report.html").read_text().replace("&#39;", "'").replace(
        "&#34;", '"'
    )
    assert json.loads((tmp_path / "stopped.report.json").read_text()) == reports[0]
    # The layers of parts converted before the error are measured.
    assert {(layer["part"], layer["precision"]) for layer in reports[0]["layers"]} == (
        {("encoder", "int8")} if error is ConversionError else set()
    )


def test_what_was_assumed_is_said_where_no_bundle_came_of_it(place, tmp_path, monkeypatch, capsys):
    import convert
    from convert.reporting.outcome import OverBudget

    def fails(*_args, **_options):
        raise OverBudget("no precision does", report={"notes": ["sampling assumed to be uniform"]}, path=tmp_path)

    monkeypatch.setattr(convert, "convert_model", fails)
    asked = [
        "convert",
        str(place / "model.keras"),
        "--clips",
        str(place / "clips"),
        "-o",
        str(tmp_path / "none.edgevid"),
    ]
    assert main(asked) == 3
    assert "note: sampling assumed to be uniform\n" in capsys.readouterr().err


def test_a_refusal_before_the_work_began_is_one_json_object_too(place, tmp_path, capsys):
    asked = ["convert", str(place / "model.keras"), "--clips", str(place / "clips"), "--json", "-o"]
    assert main([*asked, str(tmp_path / "bundle.zip")]) == 2
    output = capsys.readouterr()
    printed = json.loads(output.out)
    assert (printed["exit_code"], printed["failure"], printed["stages"]) == (2, printed["error"], [])
    assert printed["layers"] == []
    assert printed["error"] in output.err


def test_an_answer_that_is_no_number_is_null_in_the_json():
    from convert.reporting.report import as_json

    report = {"stages": [{"max_abs_error": float("nan")}], "budget": (1.0, float("inf"))}
    assert json.loads(as_json(report)) == {"stages": [{"max_abs_error": None}], "budget": [1.0, None]}


def test_a_conversion_for_the_edge_tpu_without_its_compiler_is_a_bundle_and_a_warning(
    place, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    more = [
        "--interval",
        "0.1",
        "--min-agreement",
        "0.5",
        "--max-drop",
        "100",
        "--delegate",
        "coral",
        "--report",
        str(tmp_path / "proof.html"),
    ]
    out = tmp_path / "coral.edgevid"
    assert main(["convert", str(place / "model.keras"), "--clips", str(place / "clips"), "-o", str(out), *more]) == 0
    output = capsys.readouterr().out
    assert "careful: no edgetpu_compiler on PATH" in output
    assert re.search(r"encoder: the Edge TPU's table takes (\d) of \1 operators; not compiled", output)
    assert "encoder: XNNPACK runs" in output
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "coral.edgevid",
        "coral.encoder.tflite",
        "proof.html",
        "proof.report.json",
    ]
    held = bundle.read(out)
    assert (tmp_path / "coral.encoder.tflite").read_bytes() == held.models["encoder.tflite"]
    assert held.report["edgetpu"]["kept"] == "coral.encoder.tflite"
    assert "edgetpu_compiler on PATH" in (tmp_path / "proof.html").read_text()


def test_feature_sequences_convert_from_arrays(tmp_path):
    from convert import Options, convert_model

    over_features("lstm").save(tmp_path / "model.keras")
    for number in range(8):
        path = tmp_path / "clips" / f"{number}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.cumsum(np.random.default_rng(number).normal(0, 0.3, (20, 10)), axis=0))
    done = convert_model(
        tmp_path / "model.keras",
        tmp_path / "clips",
        tmp_path / "model.edgevid",
        options=Options(interval="uniform", min_agreement=0.8),
    )
    assert done.report["plan"] == "window"
    assert done.report["accuracy_float"] is None
    assert done.manifest.labels == ("class_0", "class_1", "class_2")


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_both_frameworks_and_the_stateful_plan_convert(place, tmp_path, framework):
    from convert import Options, convert_model

    cnn_rnn("gru", framework=framework).save(tmp_path / "model.keras")
    options = Options(
        interval="uniform", plan="stateful", min_agreement=0.5, max_drop=100, color="bgr", background=("down",)
    )
    done = convert_model(tmp_path / "model.keras", place / "clips", tmp_path / "model.edgevid", options=options)
    assert list(done.report["precision"]) == ["encoder", "step"]
    assert [stage["name"] for stage in done.report["stages"]] == ["float Keras", "float split", "bundle, stream"]
    assert done.manifest.window.sampling == "uniform"
    assert done.manifest.window.interval_s == pytest.approx(0.2)
    assert (done.manifest.input.color, done.manifest.decision.background) == ("bgr", ("down",))


def arguments(place, *more, model="model.keras", clips="clips", out="new.edgevid"):
    return ["convert", str(place / model), "--clips", str(place / clips), "-o", str(place / out), *more]


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"model": "absent.keras"}, 2, "got nothing at"),
        ({"clips": "absent"}, 2, "got nothing at"),
        ({"clips": "empty"}, 1, "got none"),
        ({"clips": "unreadable"}, 1, "got none of 1"),
        ({"clips": "strangers"}, 1, "the model's"),
        ({"out": "new.zip"}, 2, ".edgevid"),
        ({"out": "absent/new.edgevid"}, 2, ".edgevid"),
        ({"more": ["--interval", "soon"]}, 2, "--interval"),
        ({"more": ["--interval", "-1"]}, 2, "--interval"),
        ({"more": ["--color", "gray"]}, 2, "--color rgb or bgr"),
        ({"more": ["--labels", "absent.txt"]}, 2, "cannot be read"),
        ({"more": ["--frames", "9"]}, 1, "--frames 6"),
        ({"more": ["--range", "1,0"]}, 2, "range"),
        ({"more": ["--background", "nobody"]}, 2, "background"),
        ({"more": ["--min-agreement", "98"]}, 2, "0 to 1"),
    ],
)
def test_bad_input_is_one_line_and_the_right_exit_code(place, capsys, change, code, says):
    (place / "empty").mkdir(exist_ok=True)
    (place / "unreadable" / "left").mkdir(parents=True, exist_ok=True)
    (place / "unreadable" / "left" / "clip.avi").write_bytes(b"nothing")
    write_video(place / "strangers" / "left" / "a.avi")
    write_video(place / "strangers" / "juggle" / "a.avi")
    labels = place / "labels.txt"
    labels.write_text("".join(f"{label}\n" for label in LABELS))
    more = change.get("more", ["--labels", str(labels)] if change.get("clips") == "strangers" else [])
    before = sorted(place.iterdir())
    assert main(arguments(place, *more, **{key: value for key, value in change.items() if key != "more"})) == code
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith("edgevid: Expected")
    assert says in error[-1]
    assert sorted(place.iterdir()) == before


def test_a_light_head_behind_an_int8_encoder_is_tried_in_float_first(place, tmp_path):
    from convert import Options, convert_model

    done = convert_model(
        place / "model.keras",
        place / "clips",
        tmp_path / "auto.edgevid",
        options=Options(interval=0.1, min_agreement=0.5, max_drop=100),
    )
    assert done.report["precision"] == {"encoder": "int8", "head": "float32"}
    assert [trial["recipe"] for trial in done.report["trials"]] == ["int8+float"]


@pytest.mark.parametrize("plan", ["window", "stateful", "stack"])
def test_numbers_beside_the_scores_are_carried_proven_and_told(place, tmp_path, capsys, plan):
    import keras

    from convert import Options, convert_model
    from convert.verification.stages import stream_answers

    trained = cnn_rnn("lstm")
    hidden = trained.layers[-2].output
    k = keras.layers
    keras.Model(
        trained.input, [k.Dense(4, name="box")(hidden), k.Dense(3, activation="softmax", name="label")(hidden)]
    ).save(tmp_path / "two.keras")
    options = Options(interval=0.1, precision="int8", plan=plan, min_agreement=0.3, max_drop=100, max_value_error=0.2)
    done = convert_model(tmp_path / "two.keras", place / "clips", tmp_path / "two.edgevid", options=options)
    (value,) = done.report["values"]
    assert (value["name"], value["stage"]) == ("box", "bundle, stream")
    assert 0 < value["mean_abs_error"] <= value["max_abs_error"] < value["span"]
    assert [(each.name, each.size) for each in done.manifest.values] == [("box", 4)]
    assert "Auxiliary outputs" in done.page.read_text()
    held = bundle.read(done.path)
    window = held.golden.frames[:FRAMES]
    trained_box = np.asarray(keras.models.load_model(tmp_path / "two.keras")(window[None] / np.float32(255))[0])
    assert np.abs(stream_answers(held, [window])[0][1][0][-1] - trained_box).max() <= 2 * value["max_abs_error"] + 0.05
    assert held.golden.values.shape == (len(held.golden.scores), 4)
    assert main(["selftest", str(done.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == held.golden.values.size
    wrong = dataclasses.replace(
        held, golden=dataclasses.replace(held.golden, values=held.golden.values + np.ptp(held.golden.values))
    )
    bundle.write(wrong, tmp_path / "wrong.edgevid")
    assert main(["selftest", str(tmp_path / "wrong.edgevid")]) == 3
    assert "'box'" in capsys.readouterr().err
    assert (
        main(["run", str(done.path), "--source", str(next((place / "clips" / "left").glob("s*.avi"))), "--json"]) == 0
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert {len(line["values"]["box"]) for line in lines if "label" in line} == {4}


def test_values_that_are_too_far_off_break_the_budget():
    from convert.verification.value_drift import ValueDrift, broken

    near = ValueDrift(name="speed", stage="bundle, stream", mean_abs_error=0.1, max_abs_error=0.5, span=4.0)
    far = ValueDrift(name="box", stage="bundle, stream", mean_abs_error=0.3, max_abs_error=0.5, span=4.0)
    assert broken([near], most=0.05) == broken([], most=0.05) == ""
    assert broken([near, far], most=0.05) == "'box' is off by 7.5% of its span on average, more than 5.0%"


def test_the_fastest_measured_precision_is_written_and_its_time_is_in_the_report(place, monkeypatch, capsys):
    from convert.precision import measured

    times = {"int8": 0.3, "int8+float": 0.1}
    monkeypatch.setattr(measured, "_here", lambda candidates: {name: times.get(name, 0.5) for name in candidates})
    out = place / "fast.edgevid"
    options = ["--interval", "0.1", "--min-agreement", "0.5", "--max-drop", "100", "--measure-on", "host"]
    assert main(["convert", str(place / "model.keras"), "--clips", str(place / "clips"), "-o", str(out), *options]) == 0
    held = bundle.read(out)
    assert {part.role: part.precision for part in held.manifest.parts} == {"encoder": "int8", "head": "float32"}
    frame_ms = {trial["recipe"]: trial["frame_ms"] for trial in held.report["trials"]}
    assert (frame_ms["int8"], frame_ms["int8+float"], frame_ms["float32"]) == (0.3, 0.1, 0.5)
    assert "the fastest within the budget: int8+float" in capsys.readouterr().err
