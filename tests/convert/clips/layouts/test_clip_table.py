"""CSV files of clips: whole files, segments of recordings, groups and splits."""

import numpy as np
import pytest

pytest.importorskip("cv2")

from convert.clips import Reading, decode, decode_all, find_clips, list_clips
from edgevid.capture.video_files import VideoFile
from edgevid.errors import ClipsError, SourceError
from edgevid.frames.preprocess import InputSpec
from tests.clips.videos import number_of, numbered_picture, write_numbered

SPEC = InputSpec(height=48, width=64, channels=3)


def table(folder, *lines, header="path,label,start_s,end_s,group,split"):
    path = folder / "clips.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def numbers(clip):
    return [number_of(frame) for frame in clip.frames]


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mpg"])
def test_a_segment_is_exactly_the_frames_of_its_seconds_and_its_time_begins_at_zero(tmp_path, suffix):
    video = write_numbered(tmp_path / f"day{'.mp4' if suffix == '.mp4' else '.avi'}", count=700)
    video = video.rename(video.with_suffix(suffix))
    path = table(tmp_path, f"{video.name},wave,20.4,21", f"{video.name},wave,0,0.2", f"{video.name},jump,27.8,28")
    clips = decode_all(find_clips(path), SPEC).clips
    assert [numbers(clip) for clip in clips] == [
        list(range(5)),
        list(range(510, 525)),
        list(range(695, 700)),
    ]
    for clip in clips:
        assert clip.timestamps_ns[:3].tolist() == pytest.approx([0, 40_000_000, 80_000_000], abs=1000)
    assert [clip.ref.label for clip in clips] == ["wave", "wave", "jump"]


def test_only_the_seconds_of_a_segment_are_decoded(tmp_path, monkeypatch):
    write_numbered(tmp_path / "day.mp4", count=1500)
    path = table(tmp_path, "day.mp4,wave,50.03,51")
    delivered = []
    pictures = VideoFile._pictures
    monkeypatch.setattr(
        VideoFile, "_pictures", lambda self, wanted: (delivered.append(1) or each for each in pictures(self, wanted))
    )
    # The search for the recording's end takes its last seconds.
    (ref,) = find_clips(path)
    assert 0 < len(delivered) < 100
    delivered.clear()
    assert numbers(decode(ref, SPEC)) == list(range(1251, 1275))
    assert 0 < len(delivered) < 100


def test_a_segment_of_a_folder_of_pictures_is_cut_by_the_stated_rate(tmp_path):
    import cv2

    (tmp_path / "day").mkdir()
    for number in range(30):
        cv2.imwrite(str(tmp_path / "day" / f"{number}.png"), numbered_picture(number))
    path = table(tmp_path, "day,wave,1,2")
    (ref,) = find_clips(path, reading=Reading(fps=10))
    assert numbers(decode(ref, SPEC)) == list(range(10, 20))


def test_rows_of_features_are_cut_into_segments(tmp_path):
    np.save(tmp_path / "day.npy", np.arange(30.0)[:, None])
    spec = InputSpec(kind="features", height=1, width=1, channels=1, color="none")
    (ref,) = find_clips(table(tmp_path, "day.npy,wave,1,1.5"), kind="features")
    assert decode(ref, spec, interval_s=0.1).frames[:, 0].tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a.mp4,wave,3,2,,"], r"0 <= start_s < end_s, got 3 and 2 in line 2 of clips\.csv"),
        (["a.mp4,wave,0,1,,", "a.mp4,wave,1,1,,"], "got 1 and 1 in line 3"),
        (["a.mp4,wave,-1,2,,"], "got -1 and 2 in line 2"),
        (["a.mp4,wave,nan,2,,"], "in line 2"),
        (["a.mp4,wave,0,inf,,"], "in line 2"),
        (["a.mp4,wave,0:10,0:12,,"], "seconds, or neither, got '0:10' and '0:12' in line 2"),
        (["a.mp4,wave,1,,,"], "or neither, got '1' and '' in line 2"),
        (
            ["a.mp4,wave,1,2,,", "b.mp4,wave,,,,", "a.mp4,jump,1.5,3,,"],
            r"1-2 s in line 2 of clips\.csv and 1\.5-3 s in line 4",
        ),
        (["a.mp4,wave,1,2,,", "./a.mp4,wave,1,2,,"], "do not overlap"),
        (["a.mp4,wave,1,2,,", "a.mp4,jump,,,,"], "the whole file in line 3"),
        (["a.mp4,wave,,,,", "a.mp4,jump,,,,"], "the whole file in line 2 of clips.csv and the whole file in line 3"),
        (["a.mp4,wave,1,9,,"], r"a segment within the 4\.000 s of .*a\.mp4, got 1-9 s in line 2 of clips\.csv"),
        (["a.mp4,wave,,,,testing"], "one of train, val, test, got 'testing' in line 2"),
        (["a.mp4,wave,,,ann,train", "b.mp4,wave,,,ann,test"], "'ann' in test, and in train in line 2, in line 3"),
        (["a.mp4,wave,,,,,x"], "6 columns, got 7 in line 2"),
        ([",wave,,,,"], "a path in each row of .*got none in line 2"),
    ],
)
def test_a_wrong_line_of_a_table_is_named_in_one_sentence(tmp_path, lines, message):
    write_numbered(tmp_path / "a.mp4", count=100)
    with pytest.raises(ClipsError, match=message) as error:
        find_clips(table(tmp_path, *lines))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("path,label,start,end_s", "got 'start' in line 1 of clips.csv. Did you mean 'start_s'?"),
        ("path,label,weather", "got 'weather' in line 1 of clips.csv. Remove the column."),
        ("path;label", "columns path and label, got"),
        ("path;label", "Separate the columns by commas."),
        ("path,label,label", "two columns 'label' in line 1"),
        ("path,label,start_s", "both columns start_s and end_s, got one of them in line 1"),
    ],
)
def test_an_unknown_column_of_a_table_is_refused(tmp_path, header, message):
    with pytest.raises(ClipsError) as error:
        find_clips(table(tmp_path, "a.mp4,wave", header=header))
    assert message in str(error.value)


def test_segments_that_touch_share_no_frame_and_are_accepted(tmp_path):
    write_numbered(tmp_path / "a.mp4", count=100)
    first, second = decode_all(find_clips(table(tmp_path, "a.mp4,wave,2,3", "a.mp4,jump,1,2")), SPEC).clips
    assert numbers(first) + numbers(second) == list(range(25, 75))


def test_a_segment_may_end_where_the_recording_ends_as_people_round_it(tmp_path):
    write_numbered(tmp_path / "a.mp4", count=99)
    (ref,) = find_clips(table(tmp_path, "a.mp4,wave,3,4"))
    assert numbers(decode(ref, SPEC)) == list(range(75, 99))


def test_a_recording_that_turns_out_shorter_than_its_segment_is_a_source_error(tmp_path):
    np.save(tmp_path / "day.npy", np.zeros((10, 3)))
    spec = InputSpec(kind="features", height=1, width=1, channels=3, color="none")
    (ref,) = find_clips(table(tmp_path, "day.npy,wave,0,2"), kind="features")
    with pytest.raises(SourceError, match=r"a segment within the 1\.000 s of .*day\.npy, got 0-2 s"):
        decode(ref, spec)


def test_a_clip_of_a_table_that_cannot_be_read_is_skipped_with_its_line(tmp_path):
    write_numbered(tmp_path / "a.mp4", count=100)
    path = table(tmp_path, "a.mp4,wave,,,,", "gone.mp4,wave,1,2,,", "away.mp4,wave,,,,")
    read = decode_all(find_clips(path), SPEC)
    assert [(missing.name, reason.partition(":")[0]) for missing, reason in read.skipped] == [
        ("away.mp4", "line 4 of clips.csv"),
        ("gone.mp4", "line 3 of clips.csv"),
    ]


def test_seconds_that_no_segment_covers_become_background_only_where_a_class_is_named(tmp_path):
    write_numbered(tmp_path / "day.mp4", count=300)
    path = table(tmp_path, "day.mp4,wave,2,3,ann,train", "day.mp4,jump,9,10,bob,test")
    unused = list_clips(path)
    assert len(unused.refs) == 2
    assert "10.0 s of 1 recordings are in no segment and not used" in unused.notes[0]
    listing = list_clips(path, reading=Reading(background="none", window_s=1.0))
    rest = [ref for ref in listing.refs if ref.label == "none"]
    assert [(str(ref.segment), ref.group, ref.split) for ref in rest] == [
        ("0-2 s", "ann", "train"),
        ("3-5 s", "bob", "test"),
        ("5-7 s", "bob", "test"),
        ("7-9 s", "bob", "test"),
        ("10-12 s", "bob", "test"),
    ]
    assert "5 of 5 pieces of up to 2 s that no segment covers are clips of 'none'" in listing.notes[0]
    assert numbers(decode(rest[-1], SPEC)) == list(range(250, 300))


def test_a_long_recording_gives_a_bounded_number_of_background_clips_spread_over_it(tmp_path):
    write_numbered(tmp_path / "day.mp4", count=2000)
    path = table(tmp_path, "day.mp4,wave,40,41")
    listing = list_clips(path, reading=Reading(background="none", window_s=0.5))
    rest = [ref.segment for ref in listing.refs if ref.label == "none"]
    assert len(rest) == 20
    assert (rest[0].start_s, rest[-1].end_s) == (0, 80)
    assert "20 of 79 pieces" in listing.notes[0]


def test_a_remainder_shorter_than_a_window_is_no_background_clip(tmp_path):
    write_numbered(tmp_path / "day.mp4", count=125)
    path = table(tmp_path, "day.mp4,wave,0,0.6")
    refs = find_clips(path, reading=Reading(background="none", window_s=1.0))
    assert [str(ref.segment) for ref in refs if ref.label == "none"] == ["0.6-2.6 s", "2.6-4.6 s"]


def test_the_paths_of_a_table_are_relative_to_the_folder_of_videos(tmp_path):
    (tmp_path / "videos").mkdir()
    path = table(tmp_path, "a.mp4,wave,,,,")
    assert find_clips(path, reading=Reading(videos=tmp_path / "videos"))[0].path == tmp_path / "videos" / "a.mp4"


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [("held-out", "bc"), ("train", "a"), ("val", "b"), ("test", "c"), ("all", "abc")],
)
def test_the_wanted_split_of_a_table_is_read_and_the_others_counted(tmp_path, rows, wanted):
    path = table(tmp_path, "a.mp4,x,,,,train", "b.mp4,x,,,,val", "c.mp4,x,,,,test")
    listing = list_clips(path, reading=Reading(rows=rows))
    assert "".join(ref.path.stem for ref in listing.refs) == wanted
    assert len(listing.notes) == (rows != "all")


def test_clips_without_a_split_are_all_used(tmp_path):
    path = table(tmp_path, "a.mp4,x,,,,", "b.mp4,x,,,,")
    assert len(find_clips(path, reading=Reading(rows="held-out"))) == 2
    with pytest.raises(ClipsError, match="clips of the split test, got none among the 2 clips"):
        find_clips(path, reading=Reading(rows="test"))
