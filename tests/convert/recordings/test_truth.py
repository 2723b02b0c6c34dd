"""The truth of long recordings: the table of events, what it may state, and how it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cv2")

from convert.recordings import Recording, TrueEvent, check_durations, check_labels, read_truth, write_truth
from edgevid.errors import TruthError, UsageError

HEADER = "path,label,start_s,end_s"


def streams(folder, *names):
    """A folder of recordings. Reading truth never opens them."""
    root = folder / "streams"
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"video")
    return root


def table(folder, *lines, header=HEADER, newline="\n"):
    path = folder / "events.csv"
    path.write_bytes(newline.join([header, *lines, ""]).encode())
    return path


def refusal(folder, *lines, videos=("a.mp4",), header=HEADER):
    root = streams(folder, *videos)
    with pytest.raises(TruthError) as caught:
        read_truth(table(folder, *lines, header=header), folder=root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_events_of_each_recording_are_ordered_by_start_and_the_recordings_as_their_numbers_mean(tmp_path):
    root = streams(tmp_path, "day10.mp4", "day2.mp4", "night/empty.avi")
    path = table(tmp_path, "day10.mp4,jump,7,8.25", "day2.mp4,wave,1,2", "day10.mp4,wave,0.5,7", "./night/empty.avi,,,")
    assert read_truth(path, folder=root) == (
        Recording(path=root / "day2.mp4", events=(TrueEvent("wave", 1.0, 2.0),)),
        Recording(path=root / "day10.mp4", events=(TrueEvent("wave", 0.5, 7.0), TrueEvent("jump", 7.0, 8.25))),
        Recording(path=root / "night/empty.avi", events=()),
    )


def test_group_and_condition_are_those_of_the_recording(tmp_path):
    root = streams(tmp_path, "a.mp4", "b.mp4")
    path = table(
        tmp_path, "a.mp4,wave,1,2,ann,night", "a.mp4,wave,3,4,ann,night", "b.mp4", header=f"{HEADER},group,condition"
    )
    assert [(each.group, each.condition) for each in read_truth(path, folder=root)] == [("ann", "night"), ("", "")]


def test_a_table_that_excel_or_windows_wrote_is_read(tmp_path):
    root = streams(tmp_path, "a.mp4")
    path = table(tmp_path, '"a.mp4",wave, 1 ,2', "", header="\ufeff" + HEADER, newline="\r\n")
    assert read_truth(path, folder=root)[0].events == (TrueEvent("wave", 1.0, 2.0),)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a.mp4,wave,1,3", "a.mp4,wave,2,4"], "'wave' 1-3 s in line 2 of events.csv and 'wave' 2-4 s in line 3 of"),
        (["a.mp4,wave,1,3", "a.mp4,jump,2.5,2.6"], "Expected events that do not overlap, got 'wave' 1-3 s in line 2"),
        (["a.mp4,jump,5,9", "a.mp4,wave,6,7", "a.mp4,wave,1,2"], "'jump' 5-9 s in line 2 of events.csv and 'wave' 6-7"),
        (["a.mp4,wave,1,3", "./a.mp4,wave,2,4"], "events that do not overlap"),
        (["a.mp4,wave,1,3", "a.mp4,wave,1,3"], "each row once, got 'wave' 1-3 s in line 2 of events.csv and"),
        (["a.mp4,,,", "a.mp4,,,"], "each row once, got nothing at all in line 2 of events.csv and nothing at all in"),
        (["a.mp4,wave,1,3", "a.mp4,,,"], "or one row without any, got nothing at all in line 3 of events.csv and"),
        (["a.mp4,wave,0,3", "a.mp4,,,"], "or one row without any, got nothing at all in line 3 of events.csv and"),
        (["a.mp4,wave,3,2"], "0 <= start_s < end_s in seconds, got 3 and 2 for 'wave' of a.mp4 in line 2"),
        (["a.mp4,wave,3,3"], "got 3 and 3 for 'wave' of a.mp4 in line 2 of events.csv. Mark an event from its begin"),
        (["a.mp4,wave,-1,3"], "got -1 and 3 for 'wave'"),
        (["a.mp4,wave,1,1e999"], "got 1 and inf for 'wave'"),
        (["a.mp4,wave,1,inf"], "end_s in seconds, got 'inf' in line 2 of events.csv. Write seconds, such as 83.5."),
        (["a.mp4,wave,nan,3"], "start_s in seconds, got 'nan' in line 2"),
        (["a.mp4,wave,1_0,30"], "start_s in seconds, got '1_0' in line 2"),
        (["a.mp4,wave,1:02.5,3"], "got '1:02.5' in line 2 of events.csv. Write seconds, such as 83.5 for 1:23.5."),
        (['a.mp4,wave,"1,5",3'], "got '1,5' in line 2 of events.csv. Write 1.5, with a point."),
        (["a.mp4,wave,1,5,2,5"], "Expected 4 columns, got 6 in line 2 of events.csv. Quote cells that contain commas"),
        (["a.mp4,wave,1,"], "or none of them, got no end_s in line 2 of events.csv. Fill in end_s, or leave all three"),
        (["a.mp4,,1,2"], "got no label in line 2"),
        (["a.mp4,wave"], "got no start_s in line 2"),
        ([",wave,1,2"], "Expected a path in each row, got none in line 2 of events.csv. Name the recording."),
        (["b.mp4,wave,1,2"], "got 'b.mp4' in line 2 of events.csv. Did you mean 'a.mp4'?"),
        (["night/film.avi,wave,1,2"], "got 'night/film.avi' in line 2 of events.csv. Correct the path, or"),
        (["../events.csv,wave,1,2"], "got '../events.csv' in line 2 of events.csv. Name recordings by their path in"),
        (["x/../../events.csv,wave,1,2"], "got 'x/../../events.csv' in line 2"),
        (["/etc/passwd,wave,1,2"], "got '/etc/passwd' in line 2"),
        ([".,wave,1,2"], "Expected a video in"),
        (["a\0b.mp4,wave,1,2"], "Expected a"),
        (["x" * 300 + ",wave,1,2"], "Expected a video in"),
        ([], "Expected a CSV file with the columns path, label, start_s and end_s, got"),
        (["", " "], "Write one row for each event under path,label,start_s,end_s."),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_its_line(tmp_path, lines, message):
    assert message in refusal(tmp_path, *lines)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "Expected a CSV file with the columns path, label, start_s and end_s, got"),
        ("path,label,start_s", "with the columns path, label, start_s and end_s, got"),
        ("path;label;start_s;end_s", "Separate the columns by commas. Write numbers with a point."),
        ("path\tlabel\tstart_s\tend_s", "Separate the columns by commas"),
        ("path,label,start_s,end_s,groups", "got 'groups' in line 1 of events.csv. Did you mean 'group'?"),
        ("path,label,start_s,end_s,split", "got 'split' in line 1 of events.csv. Remove the column."),
        ("path,label,start_s,end_s,label", "Expected each column once, got two columns 'label' in line 1"),
    ],
)
def test_a_heading_with_other_columns_is_refused(tmp_path, header, message):
    assert message in refusal(tmp_path, "a.mp4,wave,1,2", header=header)


@pytest.mark.parametrize("column", ["group", "condition"])
@pytest.mark.parametrize("other", ["bob", ""])
def test_two_groups_or_conditions_of_one_recording_are_refused(tmp_path, column, other):
    message = refusal(tmp_path, "a.mp4,wave,1,2,ann", f"a.mp4,wave,3,4,{other}", header=f"{HEADER},{column}")
    assert f"one {column} for each recording, got 'ann' in line 2 of events.csv and {other!r} in line 3" in message


def test_a_video_that_the_truth_does_not_name_is_refused_with_the_row_to_add(tmp_path):
    videos = ("a.mp4", "b,1.mp4", "c.avi", "d/e.mkv", "f.webm", ".hidden.mp4", "notes.txt")
    message = refusal(tmp_path, "a.mp4,wave,1,2", videos=videos)
    assert "got none of b,1.mp4, c.avi, d/e.mkv and 1 more." in message
    assert 'Add the row "b,1.mp4",,, if nothing happens in it' in message


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    root = streams(tmp_path, "a.mp4")
    with pytest.raises(UsageError, match=r"a file of events, got none at .*no\.csv"):
        read_truth(tmp_path / "no.csv", folder=root)
    (tmp_path / "events.csv").write_bytes(b"\xff\xfe\0\0")
    with pytest.raises(TruthError, match="which cannot be read"):
        read_truth(tmp_path / "events.csv", folder=root)
    with pytest.raises(TruthError, match="Expected a folder of recordings, got none at"):
        read_truth(table(tmp_path, "a.mp4,,,"), folder=tmp_path / "nowhere")


def test_a_label_that_the_model_lacks_is_named_and_one_of_the_background_is_not(tmp_path):
    recording = Recording(path=tmp_path / "a.mp4", events=(TrueEvent("none", 0, 1), TrueEvent("wawe", 1, 2.5)))
    check_labels([recording], ["wave", "wawe"], background=["none"])
    with pytest.raises(TruthError, match=r"one of wave, none, got 'wawe' 1-2\.5 s of .*a\.mp4\. Did you mean 'wave'\?"):
        check_labels([recording], ["wave"], background=["none"])
    with pytest.raises(TruthError, match="got 'none' 0-1 s"):
        check_labels([recording], ["wave", "wawe"], background=[])


def test_an_event_behind_the_end_of_its_video_is_refused_but_for_rounding(tmp_path):
    recording = Recording(path=tmp_path / "a.mp4", events=(TrueEvent("wave", 8, 10.09),))
    check_durations(recording, duration_s=10.0)
    with pytest.raises(TruthError, match=r"within the 9\.900 s of .*a\.mp4, got 'wave' 8-10\.09 s\. Correct the times"):
        check_durations(recording, duration_s=9.9)


NAMES = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="/"), min_size=1, max_size=8)
TIMES = st.lists(st.floats(0, 1e6), min_size=2, max_size=8, unique=True).map(sorted)


@given(names=st.lists(NAMES, min_size=1, max_size=3, unique=True), times=TIMES, label=NAMES, group=NAMES, empty=NAMES)
def test_what_is_written_is_read_back_to_the_last_digit(tmp_path_factory, names, times, label, group, empty):
    folder = tmp_path_factory.mktemp("truth")
    root = streams(folder, *(f"{name}.mp4" for name in names), f"{empty}_.mp4")
    events = tuple(TrueEvent(label, start_s, end_s) for start_s, end_s in zip(times[::2], times[1::2], strict=False))
    truth = [Recording(path=root / f"{name}.mp4", events=events, group=group) for name in names]
    truth.append(Recording(path=root / f"{empty}_.mp4", events=(), condition="night"))
    write_truth(folder / "events.csv", truth, folder=root)
    assert sorted(read_truth(folder / "events.csv", folder=root), key=lambda each: each.path) == sorted(
        truth, key=lambda each: each.path
    )


def test_a_written_table_has_the_optional_columns_only_where_they_say_something(tmp_path):
    root = streams(tmp_path, "a.mp4", "b/c.mp4")
    truth = [
        Recording(path=root / "a.mp4", events=(TrueEvent("wave", 1.5, 2.0),)),
        Recording(path=root / "b/c.mp4", events=()),
    ]
    write_truth(tmp_path / "events.csv", truth, folder=root)
    assert (tmp_path / "events.csv").read_text() == f"{HEADER}\na.mp4,wave,1.5,2\nb/c.mp4,,,\n"
    truth[1] = Recording(path=root / "b/c.mp4", events=(), condition="night")
    write_truth(tmp_path / "events.csv", truth, folder=root)
    assert (tmp_path / "events.csv").read_text() == f"{HEADER},condition\na.mp4,wave,1.5,2,\nb/c.mp4,,,,night\n"


def test_what_could_not_be_read_back_is_not_written(tmp_path):
    root = streams(tmp_path, "a.mp4")
    for bad, message in (
        (Recording(path=root / "a.mp4", events=(TrueEvent("wave ", 1, 2),)), "without spaces around it, got 'wave '"),
        (Recording(path=tmp_path / "b.mp4", events=()), "a recording in"),
    ):
        with pytest.raises(TruthError, match=message):
            write_truth(tmp_path / "events.csv", [bad], folder=root)
    with pytest.raises(UsageError, match="an output file"):
        write_truth(tmp_path / "events.txt", [], folder=root)
    assert list(tmp_path.iterdir()) == [root]


def test_features_are_recordings_that_the_truth_has_to_name_like_videos(tmp_path):
    said = refusal(tmp_path, "a.npy,wave,1,2", "./b.npy", videos=("a.npy", "b.npy", "night/c.NPY", ".d.npy"))
    assert said.endswith(
        "Expected each file of features of "
        f"{tmp_path / 'streams'} in events.csv, got none of night/c.NPY. "
        "Add the row night/c.NPY,,, if nothing happens in it, or move it elsewhere."
    )
    path = table(tmp_path, "a.npy,wave,1,2", "b.npy", "night/c.NPY")
    assert [each.path.name for each in read_truth(path, folder=tmp_path / "streams")] == ["a.npy", "b.npy", "c.NPY"]
    (tmp_path / "streams" / "night" / "c.NPY").unlink()
    assert "Did you mean 'b.npy'?" in refusal(tmp_path, "a.npy,wave,1,2", "b2.npy", videos=())


@pytest.mark.parametrize(("named", "other"), [("mp4", "npy"), ("npy", "mp4")])
def test_videos_and_the_features_computed_of_them_may_lie_side_by_side(tmp_path, named, other):
    root = streams(tmp_path, "a.mp4", "a.npy", "b.mp4", "b.npy")
    read = read_truth(table(tmp_path, f"a.{named},wave,1,2", f"b.{named}"), folder=root)
    assert [each.path.name for each in read] == [f"a.{named}", f"b.{named}"]
    assert f"got none of b.{named}" in refusal(tmp_path, f"a.{named},wave,1,2", videos=())
    # Who names both kinds names all of both.
    assert f"got none of b.{other}" in refusal(tmp_path, f"a.{named}", f"b.{named}", f"a.{other}", videos=())
