"""The lists of public data sets: UCF-101, HMDB-51, Kinetics, Jester and Something-Something."""

import json

import cv2
import pytest

from convert.clips import Reading, decode, list_clips
from edgevid.errors import ClipsError
from edgevid.frames.preprocess import InputSpec
from tests.clips.videos import number_of, numbered_picture, write_numbered, write_video

SPEC = InputSpec(height=48, width=64, channels=3)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def seen(listing):
    return [(ref.path.name, ref.label, ref.group, ref.split) for ref in listing.refs]


@pytest.fixture
def ucf(tmp_path):
    names = [f"{label}/v_{label}_g0{group}_c01.avi" for label in ("Bowling", "Archery") for group in (1, 8)]
    touch(tmp_path / "videos", *names)
    write(tmp_path / "lists" / "classInd.txt", "1 Archery", "2 Bowling")
    train = [f"{name} {1 + ('Bowling' in name)}" for name in names if "_g08_" in name]
    write(tmp_path / "lists" / "trainlist01.txt", *train)
    write(tmp_path / "lists" / "testlist01.txt", *(name for name in names if "_g01_" in name))
    return tmp_path


def test_a_training_list_of_ucf101_brings_its_list_of_test(ucf):
    listing = list_clips(ucf / "lists" / "trainlist01.txt", reading=Reading(videos=ucf / "videos"))
    assert seen(listing) == [
        ("v_Archery_g01_c01.avi", "Archery", "g01", "test"),
        ("v_Archery_g08_c01.avi", "Archery", "g08", "train"),
        ("v_Bowling_g01_c01.avi", "Bowling", "g01", "test"),
        ("v_Bowling_g08_c01.avi", "Bowling", "g08", "train"),
    ]
    assert "testlist01.txt beside trainlist01.txt" in listing.notes[0]
    assert listing.refs[1].path.is_file()
    assert listing.refs[0].origin == "line 2 of testlist01.txt"


def test_a_list_of_test_of_ucf101_stands_alone_and_its_group_may_be_named(ucf):
    reading = Reading(videos=ucf / "videos" / "Bowling")
    listing = list_clips(ucf / "lists" / "testlist01.txt", reading=reading, group=lambda path: path.stem[2:6])
    assert [ref.split for ref in listing.refs] == ["test", "test"]
    assert {ref.group for ref in listing.refs} == {"Bowl", "Arch"}
    # Without folders of classes.
    assert [ref.path.is_file() for ref in listing.refs if ref.label == "Bowling"] == [True]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Archery/v_Archery_g08_c01.avi 2"], "number 1 of 'Archery' in classInd.txt, got 2 in line 1 of trainlist01"),
        (["Archery/a.avi 1", "Curling/b.avi 3"], "a class of classInd.txt, got 'Curling' in line 2"),
        (["v_Archery_g08_c01.avi 1"], "<class>/<video>, got 'v_Archery_g08_c01.avi' in line 1"),
        (["Archery/v_Archery_g01_c01.avi 1"], "do not overlap"),
        (["Archery/a.avi 1", "Archery/a.avi 1"], "line 1 of trainlist01.txt and the whole file in line 2 of train"),
        ([""], "a list of UCF-101"),
    ],
)
def test_a_wrong_line_of_a_list_of_ucf101_is_named(ucf, lines, message):
    path = write(ucf / "lists" / "trainlist01.txt", *lines)
    with pytest.raises(ClipsError) as error:
        list_clips(path)
    assert message in str(error.value)


@pytest.fixture
def hmdb(tmp_path):
    touch(tmp_path / "videos", *(f"{label}/{n}.avi" for label in ("run", "brush_hair") for n in "abc"))
    for label in ("run", "brush_hair"):
        write(tmp_path / "lists" / f"{label}_test_split1.txt", "a.avi 1 ", "b.avi 2 ", "c.avi 0 ")
        write(tmp_path / "lists" / f"{label}_test_split2.txt", "a.avi 2", "b.avi 1", "c.avi 1")
    return tmp_path


def test_a_folder_of_hmdb51_lists_is_its_first_split_and_unused_videos_are_named(hmdb):
    listing = list_clips(hmdb / "lists", reading=Reading(videos=hmdb / "videos"))
    assert seen(listing) == [
        ("a.avi", "brush_hair", "", "train"),
        ("b.avi", "brush_hair", "", "test"),
        ("a.avi", "run", "", "train"),
        ("b.avi", "run", "", "test"),
    ]
    assert [(path.name, reason) for path, reason in listing.passed_over] == [
        ("c.avi", f"not in this split (line 3 of {label}_test_split1.txt)") for label in ("brush_hair", "run")
    ]
    assert "split 1 of 1, 2 is used" in listing.notes[0]


def test_one_list_of_hmdb51_names_the_split_of_all_classes(hmdb):
    listing = list_clips(hmdb / "lists" / "run_test_split2.txt", reading=Reading(videos=hmdb / "videos"))
    assert [ref.split for ref in listing.refs] == ["test", "train", "train"] * 2
    assert {ref.label for ref in listing.refs} == {"run", "brush_hair"}


def test_a_wrong_line_of_a_list_of_hmdb51_is_named(hmdb):
    write(hmdb / "lists" / "run_test_split1.txt", "a.avi 1", "b.avi 3")
    with pytest.raises(ClipsError, match=r"0, 1 or 2, got 'b\.avi 3' in line 2 of run_test_split1\.txt"):
        list_clips(hmdb / "lists")


def kinetics(folder, *rows, header="label,youtube_id,time_start,time_end,split"):
    return write(folder / "kinetics.csv", header, *rows)


def test_videos_of_kinetics_are_found_cut_or_whole_and_gone_ones_passed_over(tmp_path):
    write_numbered(tmp_path / "videos" / "juggling balls" / "-abc_000010_000012.mp4", count=50)
    write_numbered(tmp_path / "videos" / "whole.mp4", count=400)
    write_numbered(tmp_path / "videos" / "already_cut.mp4", count=52)
    write_numbered(tmp_path / "videos" / "half.mp4", count=100)
    path = kinetics(
        tmp_path,
        "juggling balls,-abc,10,12,train",
        "juggling balls,whole,10,12,validate",
        "juggling balls,already_cut,100,102,test",
        "juggling balls,half,100,102,test",
        "juggling balls,gone,1,11,train",
    )
    listing = list_clips(path, reading=Reading(videos=tmp_path / "videos"))
    found = {ref.group: ref for ref in listing.refs}
    assert {name: (str(ref.segment), ref.split, ref.label) for name, ref in found.items()} == {
        "-abc": ("None", "train", "juggling balls"),
        "whole": ("10-12 s", "val", "juggling balls"),
        "already_cut": ("None", "test", "juggling balls"),
    }
    assert [number_of(frame) for frame in decode(found["whole"], SPEC).frames] == list(range(250, 300))
    assert [(place.name, reason) for place, reason in listing.passed_over] == [
        ("half.mp4", "4.0 s are neither the whole video nor 100-102 s of it (line 5 of kinetics.csv)"),
        ("gone_000001_000011.mp4", "no such video (line 6 of kinetics.csv)"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,x,ten,12,train", "time_start and time_end in seconds, got 'ten' and '12' in line 2"),
        ("a,x,12,10,train", "time_start < time_end, got 12 and 10 in line 2"),
        ("a,x,1,2,holdout", "one of train, val, validate, test, got 'holdout' in line 2"),
        ("a,x,1,2", "5 columns, got 4 in line 2"),
        ("a,x,1,2,train", "videos of kinetics.csv, got none of 1 in"),
    ],
)
def test_a_wrong_line_of_kinetics_is_named(tmp_path, row, message):
    with pytest.raises(ClipsError) as error:
        list_clips(kinetics(tmp_path, row))
    assert message in str(error.value)


def write_pictures(folder, count=4):
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{number + 1:05d}.jpg"), numbered_picture(number))


def test_jester_is_read_from_numbered_folders_of_pictures_at_its_rate(tmp_path):
    for number in (7, 12, 100):
        write_pictures(tmp_path / "videos" / str(number))
    train = write(tmp_path / "jester-v1-train.csv", "100;Drumming Fingers", "12;Swiping Left", "9;Swiping Left")
    write(tmp_path / "jester-v1-validation.csv", "7;Drumming Fingers")
    listing = list_clips(train, reading=Reading(videos=tmp_path / "videos"))
    assert seen(listing) == [
        ("7", "Drumming Fingers", "", "val"),
        ("12", "Swiping Left", "", "train"),
        ("100", "Drumming Fingers", "", "train"),
    ]
    assert [(path.name, reason) for path, reason in listing.passed_over] == [
        ("9", "no such folder or video (line 3 of jester-v1-train.csv)")
    ]
    assert "jester-v1-validation.csv beside jester-v1-train.csv" in listing.notes[0]
    assert "12 pictures a second of the set are assumed for 3 folders" in listing.notes[1]
    clip = decode(listing.refs[0], SPEC)
    assert [number_of(frame) for frame in clip.frames] == [0, 1, 2, 3]
    assert clip.timestamps_ns[3] == 250_000_000
    stated = list_clips(train, reading=Reading(videos=tmp_path / "videos", fps=24))
    assert decode(stated.refs[0], SPEC).timestamps_ns[3] == 125_000_000


def test_something_something_is_read_from_json_with_its_template_as_the_label(tmp_path):
    write_video(tmp_path / "videos" / "78687.avi")
    write_pictures(tmp_path / "videos" / "5")
    entries = [
        {"id": "78687", "label": "holding a cup", "template": "Holding [something]", "placeholders": ["a cup"]},
        {"id": 5, "label": "pushing a pen", "template": "Pushing [something] with [something]"},
    ]
    path = write(tmp_path / "something-something-v2-train.json", json.dumps(entries))
    listing = list_clips(path, reading=Reading(videos=tmp_path / "videos"))
    assert seen(listing) == [
        ("5", "Pushing something with something", "", "train"),
        ("78687.avi", "Holding something", "", "train"),
    ]
    assert listing.refs[1].origin == "entry 1 of something-something-v2-train.json"
    assert len(decode(listing.refs[1], SPEC).frames) == 20


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a-train.csv", "12;x\ntwelve;x\n", "<number>;<label>, got 'twelve;x' in line 2 of a-train.csv"),
        ("a-train.csv", "12;x\n", "folders or videos of a-train.csv, got none of 1 in"),
        ("a.json", "{", "a JSON array of objects with id and template, got"),
        ("a.json", '{"id": 1}', "a JSON array of objects"),
        (
            "a.json",
            '[{"id": "1"}, {"template": "x"}]',
            "an object with an id of digits, got {'template': 'x'} in entry 2",
        ),
        ("a.json", '["1"]', "got '1' in entry 1"),
    ],
)
def test_a_wrong_entry_of_a_numbered_list_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    write_pictures(tmp_path / "1")
    with pytest.raises(ClipsError) as error:
        list_clips(tmp_path / name)
    assert message in str(error.value)


def test_a_clip_that_is_listed_twice_is_refused(tmp_path):
    write_pictures(tmp_path / "3")
    path = write(tmp_path / "a-train.csv", "3;x", "3;y")
    with pytest.raises(ClipsError, match=r"line 1 of a-train\.csv and the whole file in line 2 of a-train\.csv"):
        list_clips(path)
