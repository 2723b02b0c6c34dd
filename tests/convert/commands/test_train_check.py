"""`edgevid train --check`: a table of the clips, without training."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from edgevid.cli import main
from tests.clips.clip_folders import write_clip, write_folder


def check(capsys, *argv):
    code = main(["train", *map(str, argv), "--check", "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_the_table_counts_clips_groups_seconds_sizes_and_rates_of_each_class(tmp_path, capsys):
    write_folder(tmp_path, each=3)
    (tmp_path / "left" / "broken.avi").write_bytes(b"RIFF no video")
    (tmp_path / "left" / "notes.txt").write_text("x")
    write_clip(tmp_path / "right" / "s0_more.mp4", label="right", seed=9, count=10, fps=10.0)
    code, found, _ = check(capsys, tmp_path, "--group-by", "subject")
    assert (code, found["trainable"]) == (0, True)
    right = found["classes"][2]
    assert (right["label"], right["clips"], right["groups"], right["sizes"], right["rates"]) == (
        "right",
        4,
        3,
        ["64x48"],
        [10.0, 25.0],
    )
    assert right["seconds"] == pytest.approx(3 * 1.2 + 1.0, abs=0.01)
    assert [each["path"].rpartition("/")[2] for each in found["skipped"]] == ["broken.avi", "notes.txt"]
    assert main(["train", str(tmp_path), "--check"]) == 0
    table = capsys.readouterr().out
    assert "These clips can be trained on." in table
    assert "Skipped (2):" in table
    assert "broken.avi" in table


def test_nothing_is_trained_or_imported_for_it(tmp_path):
    write_folder(tmp_path / "clips", each=2)
    code = (
        "import sys; from edgevid.cli import main\n"
        f"code = main(['train', {str(tmp_path / 'clips')!r}, '--check'])\n"
        "print(code, [name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout.splitlines()[-1] == "0 []"
    assert [path.name for path in tmp_path.iterdir()] == ["clips"]


def test_a_copy_in_another_group_is_a_problem_with_both_names(tmp_path, capsys):
    write_folder(tmp_path, each=3)
    video = cv2.VideoCapture(str(tmp_path / "left" / "s0_left.avi"))
    writer = cv2.VideoWriter(str(tmp_path / "left" / "zed_copy.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (96, 72))
    while (read := video.read())[0]:
        writer.write(cv2.resize(read[1], (96, 72)))
    writer.release()
    code, found, err = check(capsys, tmp_path, "--group-by", "subject")
    assert (code, found["trainable"]) == (1, False)
    (pair,) = found["near_duplicates"]
    assert pair["leak"]
    assert "s0_left.avi in 's0' and" in err
    assert "zed_copy.mp4 in 'zed'" in err
    code, found, _ = check(capsys, tmp_path, "--group-by", "subject", "--allow-duplicates")
    assert (code, found["trainable"], len(found["near_duplicates"])) == (0, True, 1)
    code, found, _ = check(capsys, tmp_path)
    assert code == 0
    assert "nearly the same clips may be held out from each other" in found["warnings"][1]


def test_all_problems_are_listed_and_the_first_is_the_error(tmp_path, capsys):
    write_clip(tmp_path / "left" / "a_1.avi", label="left")
    write_clip(tmp_path / "right" / "a_1.avi", label="right")
    code, found, err = check(capsys, tmp_path)
    assert code == 1
    assert "one of left, right" in found["problems"][0]
    assert err.splitlines()[-1] == f"edgevid: {found['problems'][0]}"


def test_a_group_that_holds_one_class_is_a_warning_with_its_line_and_an_error_where_none_can_be_held_out(
    tmp_path, capsys
):
    write_folder(tmp_path / "videos", each=2, labels=("left", "right"))
    rows = [f"{label}/s{n}_{label}.avi,{label}" for label in ("left", "right") for n in range(2)]
    path = tmp_path / "a.csv"

    def with_groups(*groups):
        lines = [f"{row},{group}" for row, group in zip(rows, groups, strict=True)]
        path.write_text("\n".join(["path,label,group", *lines]))
        return check(capsys, path, "--videos", tmp_path / "videos")

    code, found, _ = with_groups("ann", "ben", "ann", "ann")
    assert code == 0
    assert "1 of 2 groups hold one class only, such as 'ben' (line 3 of a.csv)" in found["warnings"][1]
    assert "1 of 2 classes are in one group only, such as 'right' (line 4 of a.csv)" in found["warnings"][2]
    code, found, _ = with_groups("ann", "ann", "ben", "ben")
    assert code == 1
    assert "every class in at least two of the 2 groups" in found["problems"][0]
    assert with_groups("ann", "ann", "ann", "ann")[0] == 1


def test_sequences_of_features_are_counted(tmp_path, capsys):
    for label in ("DAY", "GOOD"):
        for sequence in range(2):
            folder = tmp_path / label / str(sequence)
            folder.mkdir(parents=True)
            for number in range(20):
                np.save(folder / f"{number}.npy", np.random.default_rng((sequence, label == "DAY")).random(6))
    code, found, _ = check(capsys, tmp_path)
    assert code == 0
    assert [(row["clips"], row["sizes"], row["seconds"]) for row in found["classes"]] == [(2, ["6 features"], 4.0)] * 2
    assert "0.1 s are assumed between two rows" in found["notes"][0]


def test_clips_shorter_than_the_window_are_counted(tmp_path, capsys):
    write_folder(tmp_path, each=2, count=20)
    _, found, _ = check(capsys, tmp_path)
    assert "6 of 6 clips are shorter than the window of 1.50 s" in found["warnings"][0]


@pytest.mark.parametrize(
    ("argv", "message"),
    [(("--json",), "-o FILE.keras"), ((), "-o FILE.keras")],
)
def test_training_needs_a_file_to_write_and_check_needs_none(tmp_path, capsys, argv, message):
    assert main(["train", str(tmp_path), *argv]) == 2
    assert message in capsys.readouterr().err
