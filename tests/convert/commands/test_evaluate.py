import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("cv2")
import cv2

import edgevid.inference.engine
from convert import evaluation
from convert.clips.reading import ROWS
from convert.commands import evaluate
from edgevid import bundle
from edgevid.backends.fake import Fake
from edgevid.bundle import write
from edgevid.cli import main
from tests.clips.moving import write_moving
from tests.clips.videos import CODECS, write_video
from tests.models.bundles import LABELS, bundle_for, tiny_bundle, window_manifest
from tests.streams import encode

GRAYS = dict(zip(LABELS, (40, 130, 215), strict=True))


def head(inputs):
    """The class is how bright the newest frame is."""
    scores = np.full((1, len(LABELS)), -128, np.int8)
    scores[0, (int(inputs[0][0, -1, 0]) + 128) // 86] = 127
    return [scores]


@pytest.fixture
def bright_bundle(tmp_path, monkeypatch):
    """A bundle that tells dark, middling and bright clips apart."""
    monkeypatch.setattr(edgevid.inference.engine, "LiteRt", lambda **_options: Fake({"encoder": encode, "head": head}))
    write(tiny_bundle(), tmp_path / "tiny.edgevid")
    return tmp_path / "tiny.edgevid"


def write_grays(root, **levels):
    """Clips `<class>/<number>.avi` of flat grays."""
    for label, grays in levels.items():
        for number, gray in enumerate(grays):
            path = root / label / f"{number}.avi"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[".avi"]), 10.0, (64, 48))
            for _ in range(8):
                writer.write(np.full((48, 64, 3), gray, np.uint8))
            writer.release()
    return root


@pytest.mark.parametrize("views", ["centre", "all"])
def test_a_bundle_is_measured_and_each_answer_given_as_json(bright_bundle, tmp_path, capsys, views):
    clips = write_grays(tmp_path / "clips", none=[40, 130], wave=[130], swipe=[215])
    assert main(["evaluate", str(bright_bundle), str(clips), "--json", "--views", views]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["accuracy"] == 0.75
    assert report["clips"] == 4
    assert report["labels"] == list(LABELS)
    assert report["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    wrong = [each for each in report["predictions"] if each["truth"] != each["answer"]]
    assert [(each["path"], each["answer"]) for each in wrong] == [(str(clips / "none" / "1.avi"), "wave")]
    assert report["skipped"] == []


def test_held_out_segments_of_a_list_are_measured_and_named_by_their_times(bright_bundle, tmp_path, capsys):
    clips = write_grays(tmp_path / "clips", none=[40], wave=[130], swipe=[215])
    rows = ["none/0.avi,none,0,0.4,,train", "none/0.avi,none,0.4,0.8,,test", "wave/0.avi,none,,,,val"]
    (tmp_path / "a.csv").write_text("\n".join(["path,label,start_s,end_s,group,split", *rows]))
    command = ["evaluate", str(bright_bundle), str(tmp_path / "a.csv"), "--videos", str(clips), "--json"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["accuracy"] == 0.5
    assert [(each.get("start_s"), each.get("end_s")) for each in report["predictions"]] == [(0.4, 0.8), (None, None)]
    assert "2 clips of val and test are used, and 1 others are not" in err
    assert main([*command, "--split", "train"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == 1


def test_folders_of_pictures_are_measured_at_the_stated_rate(bright_bundle, tmp_path, capsys):
    for label, gray in (("none", 40), ("wave", 130)):
        (tmp_path / "clips" / label / "a").mkdir(parents=True)
        for number in range(8):
            picture = np.full((48, 64, 3), gray, np.uint8)
            cv2.imwrite(str(tmp_path / "clips" / label / "a" / f"{number}.png"), picture)
    command = ["evaluate", str(bright_bundle), str(tmp_path / "clips"), "--json"]
    assert main([*command, "--fps", "10"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (report["accuracy"], report["clips"]) == (1, 2)
    assert "pictures a second" not in err
    assert main(command) == 0
    assert "25 pictures a second are assumed for 2 folders" in capsys.readouterr().err


def test_the_splits_of_the_command_are_those_of_the_reader():
    assert evaluate.SPLITS == ROWS


def test_metrics_are_printed_as_a_table(bright_bundle, tmp_path, capsys):
    clips = write_grays(tmp_path / "clips", none=[40], wave=[130], swipe=[215])
    (clips / "wave" / "broken.avi").write_bytes(b"RIFF no video")
    assert main(["evaluate", str(bright_bundle), str(clips)]) == 0
    out, err = capsys.readouterr()
    assert "accuracy 1.000 [0.439, 1.000] over 3 clips" in out
    assert "broken.avi" in err
    assert "Skipped 1 of 4 clips." in err


def test_evaluate_reports_that_another_release_of_opencv_made_the_bundle(bright_bundle, tmp_path, capsys):
    write(bundle_for(window_manifest(versions={"opencv-python-headless": "3.4.18.65"})), bright_bundle)
    assert main(["evaluate", str(bright_bundle), str(write_grays(tmp_path / "clips", none=[40]))]) == 0
    assert "Note: Expected OpenCV 3.4, which made the bundle" in capsys.readouterr().err


def test_clips_shorter_than_the_window_are_named_and_counted_by_evaluate(bright_bundle, tmp_path, capsys):
    clips = write_grays(tmp_path / "clips", none=[40], wave=[130])
    writer = cv2.VideoWriter(str(clips / "wave" / "cut.avi"), cv2.VideoWriter.fourcc(*CODECS[".avi"]), 10.0, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), 130, np.uint8))
    writer.release()
    assert main(["evaluate", str(bright_bundle), str(clips)]) == 0
    out, err = capsys.readouterr()
    assert "cut.avi has 3 of the 4 frames of a window: its last one is repeated." in err
    assert "1 of 3 clips are shorter than the window." in err
    assert "accuracy 1.000 [0.439, 1.000] over 3 clips" in out


@pytest.mark.parametrize("count", [1, 5])
def test_evaluate_and_run_answer_a_short_clip_alike_and_in_the_same_words(tmp_path, capfd, caplog, count):
    shipped = Path(edgevid.__file__).parent / "data" / "gestures.edgevid"
    label = bundle.read(shipped).manifest.labels[0]
    clip = write_video(tmp_path / "clips" / label / "cut.avi", count=count, fps=10.0)
    assert main(["evaluate", str(shipped), str(tmp_path / "clips"), "--json"]) == 0
    evaluated, words = capfd.readouterr()
    assert main(["run", str(shipped), "--source", str(clip), "--json"]) == 0
    (decision,) = [each for each in map(json.loads, capfd.readouterr().out.splitlines()) if "scores" in each]
    scores = json.loads(evaluated)["predictions"][0]["scores"]
    assert list(decision["scores"].values()) == pytest.approx(scores, abs=1e-6)
    (line,) = [line for line in words.splitlines() if "repeated" in line]
    assert line == f"{clip} has {count} of the 16 frames of a window: its last one is repeated."
    assert line in caplog.messages
    caplog.clear()
    edgevid.load(shipped).classify(clip)
    assert line in caplog.messages


@pytest.mark.parametrize(
    ("extra", "message"), [({"jump": [40]}, "(none, wave, swipe), got 'jump'"), ({".": [40]}, "got none for")]
)
def test_clips_that_the_model_cannot_be_right_about_are_refused(bright_bundle, tmp_path, capsys, extra, message):
    clips = write_grays(tmp_path / "clips", none=[40], **extra)
    assert main(["evaluate", str(bright_bundle), str(clips)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]


def test_the_help_names_the_suffixes_of_models():
    assert evaluate.MODEL_SUFFIXES == evaluation.MODEL_SUFFIXES


def test_a_model_that_is_not_there_is_a_usage_error(tmp_path, capsys):
    clips = write_grays(tmp_path / "clips", none=[40])
    for name in ("m.keras", "m.edgevid"):
        assert main(["evaluate", str(tmp_path / name), str(clips)]) == 2
        assert name in capsys.readouterr().err


@pytest.mark.tf
def test_a_trained_model_is_measured_as_its_information_says(tmp_path, capsys):
    clips = write_moving(tmp_path / "clips", 2)
    trained = ("--frames", "4", "--size", "32", "--epochs", "1", "--windows-per-clip", "1", "--interval", "0.2")
    assert main(["train", str(clips), "-o", str(tmp_path / "m.keras"), "--val-fraction", "0", *trained]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "m.keras"), str(clips), "--json", "--views", "all"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["labels"] == ["left", "right", "still"]
    assert len(report["predictions"]) == 6
    assert "Note" not in err


@pytest.fixture
def described(tmp_path):
    """A description in JSON, its weights, and labelled sequences of features."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 3))
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.GRU(4)(inputs))
    model = keras.Model(inputs, outputs)
    (tmp_path / "model.json").write_text(model.to_json())
    model.save_weights(str(tmp_path / "model.weights.h5"))
    model.save(tmp_path / "model.keras")
    for label, value in (("down", -1), ("up", 1)):
        (tmp_path / "clips" / label).mkdir(parents=True)
        np.save(tmp_path / "clips" / label / "a.npy", np.full((8, 3), value, np.float32))
    return tmp_path


@pytest.mark.tf
def test_a_description_with_its_weights_is_measured_as_the_whole_model(described, capsys):
    reports = []
    for words in (["model.json", "--weights", str(described / "model.weights.h5")], ["model.keras"]):
        command = ["evaluate", str(described / words[0]), str(described / "clips"), "--json", *words[1:]]
        assert main([*command, "--interval", "0.1"]) == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0]["predictions"] == reports[1]["predictions"]


@pytest.mark.tf
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["model.json"], 1, "--weights"),
        (["model.keras", "--weights", "model.weights.h5"], 2, "Expected a model's description (.json) as MODEL"),
        (["tiny.edgevid", "--weights", "model.weights.h5"], 2, "Expected a model's description (.json) as MODEL"),
    ],
)
def test_weights_and_a_description_need_each_other(described, capsys, monkeypatch, words, code, says):
    monkeypatch.chdir(described)
    (described / "tiny.edgevid").write_bytes(b"a bundle")
    assert main(["evaluate", words[0], "clips", *words[1:]]) == code
    assert says in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.tf
def test_code_in_a_model_is_run_by_evaluate_only_if_allowed(described, capsys):
    import keras

    inputs = keras.Input((4, 3))
    hidden = keras.layers.Lambda(lambda x: x[:, -1] * 2)(inputs)
    keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(hidden)).save(described / "code.keras")
    command = ["evaluate", str(described / "code.keras"), str(described / "clips"), "--interval", "0.1"]
    assert main(command) == 1
    assert "--allow-code" in capsys.readouterr().err
    assert main([*command, "--allow-code"]) == 0


@pytest.mark.parametrize(
    ("options", "given"),
    [(["--interval", "0.3", "--resize", "crop"], "--resize, --interval"), (["--allow-code"], "--allow-code")],
)
def test_options_of_a_training_are_refused_with_a_bundle_instead_of_having_no_effect(
    bright_bundle, tmp_path, capsys, options, given
):
    clips = write_grays(tmp_path / "clips", none=[40], wave=[130])
    assert main(["evaluate", str(bright_bundle), str(clips), *options]) == 2
    assert f"which states how its model was trained, got '{given}'" in capsys.readouterr().err
