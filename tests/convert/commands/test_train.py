import json

import pytest

pytest.importorskip("keras")

from convert.training import fit
from convert.training_info import read_info
from edgevid.bundle.framing import Framing
from edgevid.cli import main
from tests.clips.moving import write_moving
from tests.clips.videos import write_numbered

pytestmark = pytest.mark.tf
SMALL = ("--frames", "4", "--size", "32", "--epochs", "1", "--windows-per-clip", "1")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_moving(tmp_path_factory.mktemp("clips"), 4)


def refused(capsys, *argv, code):
    """The one line that a command ends with."""
    assert main(["train", *map(str, argv)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1]


def test_a_model_is_written_and_the_metrics_on_held_out_clips_printed(clips, tmp_path, capsys):
    options = (
        "--size",
        "40x32",
        "--color",
        "gray",
        "--interval",
        "0.2",
        "--flip",
        "still,left=right",
        "--background",
        "still",
        "--group-by",
        "subject",
        *("--rotate", "90", "--flip-pictures", "both", "--region", "0.25,0.0,0.5,1.0"),
    )
    assert main(["train", str(clips), "-o", str(tmp_path / "m.keras"), *SMALL, *options]) == 0
    out, err = capsys.readouterr()
    assert "accuracy" in out
    assert "over 6 clips" in out
    assert "Wrote" in err
    info = read_info(tmp_path / "m.keras")
    assert info is not None
    assert info.labels == ("left", "right", "still")
    assert (info.window.frames, info.window.interval_s) == (4, 0.2)
    assert (info.input.width, info.input.height, info.input.color) == (40, 32, "gray")
    assert info.decision.background == ("still",)
    assert info.framing == Framing(rotate=90, flip="both", box=(0.25, 0.0, 0.5, 1.0))


def test_a_clip_that_cannot_be_read_is_named_and_counted(tmp_path, capsys):
    root = write_moving(tmp_path / "clips", 2)
    (root / "left" / "broken.avi").write_bytes(b"RIFF no video")
    assert main(["train", str(root), "-o", str(tmp_path / "m.keras"), *SMALL, "--val-fraction", "0"]) == 0
    out, err = capsys.readouterr()
    assert "broken.avi" in err
    assert "Skipped 1 of 7 clips." in err
    assert out == ""


def test_segments_of_recordings_are_trained_on_with_the_rest_as_background(tmp_path, capsys):
    for number in range(3):
        write_numbered(tmp_path / "days" / f"{number}.mp4", count=150)
    rows = [f"{n}.mp4,{label},{start},{start + 0.8},{'test' if n == 2 else 'train'}"
            for n in range(3) for label, start in (("left", 1), ("right", 3.5))]  # fmt: skip
    (tmp_path / "days.csv").write_text("\n".join(["path,label,start_s,end_s,split", *rows]))
    options = ("--videos", str(tmp_path / "days"), "--background", "rest", *SMALL)
    command = ["train", str(tmp_path / "days.csv"), "-o", str(tmp_path / "m.keras"), *options]
    assert main([*command, "--allow-duplicates"]) == 0
    out, err = capsys.readouterr()
    assert "15 of 15 pieces of up to 0.8 s that no segment covers are clips of 'rest'" in err
    assert "over 7 clips" in out
    assert read_info(tmp_path / "m.keras").labels == ("left", "rest", "right")
    # The model's background is measured on the same clips.
    assert main(["evaluate", str(tmp_path / "m.keras"), *command[1:2], "--videos", options[1], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == 7
    # The three recordings are the same.
    assert main(command) == 1
    assert "(1-1.8 s) in 'train' and" in capsys.readouterr().err


def test_a_wrong_line_of_a_list_ends_the_training_with_its_number(tmp_path, capsys):
    (tmp_path / "days.csv").write_text("path,label,start_s,end_s\na.mp4,left,3,2\n")
    assert "got 3 and 2 in line 2 of days.csv" in refused(capsys, tmp_path / "days.csv", "-o", "m.keras", code=1)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("-o", "m.h5"), 2, "*.keras"),
        (("-o", "no/such/m.keras"), 2, "folder"),
        (("-o", "m.keras", "--report", "no/such/m.html"), 2, "folder"),
        (("-o", "m.keras", "--report", "m.txt"), 2, "*.html"),
        (("-o", "m.keras", "--learning-curve", "on"), 2, "--folds"),
        (("-o", "m.keras", "--flip", "up"), 2, "left, right, still"),
        (("-o", "m.keras", "--background", "none"), 2, "left, right, still"),
        (("-o", "m.keras", "--group-by", "("), 2, "regular expression"),
        (("-o", "m.keras", "--group-by", "(_)"), 1, "--group-by none"),
        (("-o", "m.keras", "--size", "8"), 2, "at least 16 pixels"),
        (("-o", "m.keras", "--val-fraction", "1.5"), 2, "fraction"),
        (("-o", "m.keras", "--interval", "0"), 2, "interval"),
    ],
)
def test_a_wrong_option_gets_one_line_and_nothing_is_written(
    clips, tmp_path, capsys, monkeypatch, options, code, message
):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, clips, *options, code=code)
    assert line.startswith("edgevid: Expected ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_a_class_with_one_clip_is_refused(tmp_path, capsys):
    root = write_moving(tmp_path / "clips", 2)
    (root / "still" / "ann_1.avi").unlink()
    assert "one of still" in refused(capsys, root, "-o", tmp_path / "m.keras", code=1)


def test_a_folder_without_clips_is_refused(tmp_path, capsys):
    (tmp_path / "clips").mkdir()
    assert "got none" in refused(capsys, tmp_path / "clips", "-o", tmp_path / "m.keras", code=1)


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path, capsys):
    assert "got nothing" in refused(capsys, tmp_path / "clips", "-o", tmp_path / "m.keras", code=2)


def test_clips_of_which_none_can_be_read_are_refused(tmp_path, capsys):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.mp4").write_bytes(b"no video")
    assert "none of 2" in refused(capsys, tmp_path, "-o", tmp_path / "m.keras", code=1)


def test_folds_of_the_small_network_are_held_out_in_turn(clips, tmp_path, capsys):
    folds = ("--folds", "groups", "--group-by", "subject", "--json")
    assert main(["train", str(clips), "-o", str(tmp_path / "m.keras"), *SMALL, *folds]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [fold["groups"] for fold in printed["folds"]] == [["ann"], ["bob"]]
    assert sum(fold["clips"] for fold in printed["folds"]) == printed["clips"] == 12
    assert set(printed["groups"]) == {"ann", "bob"}
    assert printed["low"] <= printed["accuracy"] <= printed["high"]


def test_a_report_of_one_hold_out_shows_what_there_is(clips, tmp_path, capsys):
    page = tmp_path / "training.html"
    command = ["train", str(clips), "-o", str(tmp_path / "m.keras"), *SMALL, "--report", str(page), "--json"]
    assert main(command) == 0
    printed = json.loads(capsys.readouterr().out)
    text = page.read_text(encoding="utf-8")
    correct = sum(each["answer"] == each["truth"] for each in printed["predictions"])
    assert f"Right on {correct} of {printed['clips']} clips" in text
    assert "loss by epoch" in text
    assert "Groups and folds" not in text


def test_the_small_network_learns_from_fewer_clips_when_asked(tmp_path, capsys, monkeypatch):
    root, counts = write_moving(tmp_path / "clips", 6), []
    real = fit.train

    def watched(clips, *args, **options):
        counts.append(len(clips.clips))
        return real(clips, *args, **options)

    monkeypatch.setattr(fit, "train", watched)
    options = ("--folds", "2", "--learning-curve", "on")
    assert main(["train", str(root), "-o", str(tmp_path / "m.keras"), *SMALL, *options]) == 0
    # Two folds of three clips of each class, the same with two of each, and all clips.
    assert counts == [9, 9, 6, 6, 18]
    assert "From 2 to 3 clips a class" in capsys.readouterr().out
