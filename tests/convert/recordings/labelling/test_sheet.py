"""The table that grows while a person marks events: nothing is lost, and nothing wrong is written."""

import pytest

pytest.importorskip("cv2")

from convert.recordings import Recording, TrueEvent, read_truth
from convert.recordings.labelling.page import open_sheet, read_labels
from convert.recordings.labelling.sheet import Sheet
from convert.recordings.streams import StreamFolder
from edgevid.errors import TruthError, UsageError
from tests.convert.recordings.test_truth import HEADER, streams, table


def put(sheet, video, *events, stated=False, **about):
    recording = Recording(path=video, events=tuple(TrueEvent(*event) for event in events), **about)
    sheet.put(recording, is_stated=stated, length_s=10.0)


def lines(path):
    return path.read_text().splitlines()[1:]


def test_the_file_states_a_recording_from_its_first_event_on_and_forgets_it_with_the_last(tmp_path):
    root = streams(tmp_path, "day2.mp4", "day10.mp4")
    videos, sheet = open_sheet(root, tmp_path / "events.csv", labels=["wave"])
    assert [name for name, _ in videos] == ["day2.mp4", "day10.mp4"]
    assert not sheet.path.exists()
    put(sheet, root / "day10.mp4", ("wave", 3, 4), ("wave", 1, 2.5))
    put(sheet, root / "day2.mp4", stated=True)
    assert lines(sheet.path) == ["day2.mp4,,,", "day10.mp4,wave,1,2.5", "day10.mp4,wave,3,4"]
    assert len(read_truth(sheet.path, folder=root)) == 2
    put(sheet, root / "day10.mp4")
    put(sheet, root / "day2.mp4")
    assert lines(sheet.path) == []
    assert open_sheet(root, sheet.path, labels=["wave"])[1].recordings == ()


def test_a_later_call_goes_on_with_the_file_and_keeps_what_it_does_not_show(tmp_path):
    root = streams(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    path = table(tmp_path, "b.mp4,jump,1,2,ann", header=f"{HEADER},group")
    videos, sheet = open_sheet(root / "a.mp4", path, labels=["wave", "wave"])
    assert videos == [("a.mp4", root / "a.mp4")]
    assert sheet.labels == ("wave", "jump")
    assert sheet.find(root / "a.mp4") is None
    put(sheet, root / "a.mp4", ("wave", 0.5, 1), condition="night")
    assert path.read_text().splitlines() == [
        "path,label,start_s,end_s,group,condition",
        "a.mp4,wave,0.5,1,,night",
        "b.mp4,jump,1,2,ann,",
    ]


@pytest.mark.parametrize(
    ("events", "about", "message"),
    [
        ([("wave", 1, 3), ("jump", 2, 4)], {}, "events that do not overlap, got 'wave' 1-3 s in the page and"),
        ([("wave", 3, 3)], {}, "0 <= start_s < end_s"),
        ([("wave", 9, 10.2)], {}, "events within the 10.000 s"),
        ([("", 1, 2)], {}, "a label of visible characters, got ''"),
        ([("wa\nve", 1, 2)], {}, "a label of visible characters"),
        ([(" wave", 1, 2)], {}, "a label of visible characters"),
        ([("wave", 1, 2)], {"group": "a\0"}, "Expected a word, got"),
        ([("wave", 1, 2)], {"condition": " night"}, "Expected a word, got"),
    ],
)
def test_what_could_not_be_read_again_is_refused_and_the_file_stays(tmp_path, events, about, message):
    root = streams(tmp_path, "a.mp4")
    _, sheet = open_sheet(root, None, labels=[])
    put(sheet, root / "a.mp4", ("wave", 1, 2))
    with pytest.raises(TruthError) as caught:
        put(sheet, root / "a.mp4", *events, **about)
    assert message in str(caught.value)
    assert lines(root / "events.csv") == ["a.mp4,wave,1,2"]
    assert sheet.find(root / "a.mp4").events == (TrueEvent("wave", 1, 2),)


def test_a_file_that_another_program_changed_is_not_overwritten(tmp_path):
    root = streams(tmp_path, "a.mp4")
    _, sheet = open_sheet(root, tmp_path / "events.csv", labels=[])
    put(sheet, root / "a.mp4", ("wave", 1, 2))
    for change in (lambda: table(tmp_path, "a.mp4,jump,5,6"), sheet.path.unlink):
        change()
        with pytest.raises(TruthError, match="as it was written here, got another content"):
            put(sheet, root / "a.mp4", ("wave", 1, 2), ("wave", 3, 4))


def test_a_table_that_is_wrong_is_refused_before_the_page_opens(tmp_path):
    root = streams(tmp_path, "a.mp4")
    with pytest.raises(TruthError, match=r"got 'gone\.mp4' in line 2 of events\.csv"):
        open_sheet(root, table(tmp_path, "gone.mp4,wave,1,2"), labels=[])
    with pytest.raises(TruthError, match="a label of visible characters"):
        Sheet(tmp_path / "new.csv", StreamFolder(root), labels=["a\tb"])


def test_what_is_no_recording_or_no_table_is_refused(tmp_path):
    root = streams(tmp_path, "a.mp4")
    with pytest.raises(UsageError, match="a recording, or a folder of recordings, got none at"):
        open_sheet(tmp_path / "no.mp4", None, labels=[])
    with pytest.raises(UsageError, match=r"an output file \*\.csv"):
        open_sheet(root, tmp_path / "events.txt", labels=[])
    (tmp_path / "empty").mkdir()
    with pytest.raises(TruthError, match=r"Expected videos, one of \.avi, .*, got none in"):
        open_sheet(tmp_path / "empty", None, labels=[])


def test_labels_are_read_from_a_file_one_a_line(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbfwave\r\n\r\n jump \r\n")
    assert read_labels(tmp_path / "labels.txt") == ("wave", "jump")
    with pytest.raises(UsageError, match="a file of labels, one a line, got"):
        read_labels(tmp_path / "no.txt")
