"""The command `edgevid truth`."""

import json

import pytest

pytest.importorskip("cv2")

from edgevid import cli
from tests.clips.videos import write_numbered


@pytest.fixture
def root(tmp_path):
    write_numbered(tmp_path / "streams/a.mp4", count=100)
    write_numbered(tmp_path / "streams/b.avi", count=50)
    return tmp_path / "streams"


def test_it_writes_the_table_of_events_and_prints_what_there_is(root, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("0.5\t1.5\twave\n2\t2\tjump\n3\t3.75\twave\n")
    out = tmp_path / "events.csv"
    arguments = ["truth", str(tmp_path / "a.txt"), "--streams", str(root), "--point", "0.25", "--rest-is-empty"]
    assert cli.main([*arguments, "--rename", "jump=leap", "-o", str(out)]) == 0
    assert out.read_text() == (
        "path,label,start_s,end_s\na.mp4,wave,0.5,1.5\na.mp4,leap,2,2.25\na.mp4,wave,3,3.75\nb.avi,,,\n"
    )
    assert capsys.readouterr().out.splitlines() == [
        "class  events  seconds  shortest s  longest s",
        "leap        1     0.25        0.25       0.25",
        "wave        2     1.75        0.75       1.00",
        "",
        "2 recordings, 1 of them without an event, 0.002 h; 0.001 h of background",
    ]
    assert cli.main(["truth", str(out), "--streams", str(root), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["classes"][1] == {
        "label": "wave",
        "events": 2,
        "seconds": 1.75,
        "shortest_s": 0.75,
        "longest_s": 1.0,
    }
    assert summary["hours"] == pytest.approx(6 / 3600)
    assert summary["background_hours"] == pytest.approx(4 / 3600)


def test_groups_conditions_and_notes_are_shown(root, tmp_path, capsys):
    path = tmp_path / "events.csv"
    path.write_text("path,label,start_s,end_s,group,condition\na.mp4,,,,ann,night\nb.avi,,,,bob,day\n")
    assert cli.main(["truth", str(path), "--streams", str(root)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 groups, conditions day, night"
    path = tmp_path / "net.json"
    path.write_text('{"database": {"a": {"annotations": []}, "x": {"annotations": []}}}')
    assert cli.main(["truth", str(path), "--streams", str(root), "--rest-is-empty"]) == 0
    assert capsys.readouterr().err.strip() == "Note: 1 videos of net.json are not there."


@pytest.mark.parametrize(
    ("rows", "options", "code", "message"),
    [
        (["a.mp4,wave,1,4.2", "b.avi,,,"], [], 1, "within the 4.000 s of"),
        (["a.mp4,wave,1,4.05", "b.avi,,,"], [], 0, ""),
        (["a.mp4,wave,1,2"], [], 1, "Add the row b.avi,,, if nothing happens"),
        (["a.mp4,,,", "b.avi,,,"], ["-o", "events.txt"], 2, "an output file *.csv"),
        (["a.mp4,,,", "b.avi,,,"], ["-o", "no/events.csv"], 2, "a folder to write events.csv into"),
        (["a.mp4,,,", "b.avi,,,"], ["--omit", "wave"], 2, "a label of truth.csv, got 'wave'"),
        (["a.mp4,,,", "b.avi,,,"], ["--point", "0"], 2, "a length of points above 0 s, got 0.0"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    root, tmp_path, capsys, monkeypatch, rows, options, code, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.csv").write_text("\n".join(["path,label,start_s,end_s", *rows]))
    assert cli.main(["truth", "truth.csv", "--streams", "streams", *options]) == code
    error = capsys.readouterr().err
    assert message in error
    # Without a terminal, the bar is an empty line.
    assert len(error.split()) == 0 if code == 0 else len(error.strip().splitlines()) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["streams", "truth.csv"]


def test_a_video_that_cannot_be_read_is_named(root, tmp_path, capsys):
    (root / "b.avi").write_bytes(b"no video")
    (tmp_path / "truth.csv").write_text("path,label,start_s,end_s\na.mp4,,,\nb.avi,,,\n")
    assert cli.main(["truth", str(tmp_path / "truth.csv"), "--streams", str(root)]) == 1
    assert "b.avi" in capsys.readouterr().err


def test_a_rename_names_both_labels(capsys):
    with pytest.raises(SystemExit):
        cli.main(["truth", "x.csv", "--streams", ".", "--rename", "wave="])
    assert "Expected OLD=NEW such as Diving=dive, got 'wave='." in capsys.readouterr().err
