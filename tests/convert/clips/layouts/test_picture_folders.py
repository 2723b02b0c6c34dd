"""Folders of pictures as clips: `<class>/<clip>/<frame>.jpg`."""

import cv2
import pytest

from convert.clips import Reading, decode, find_clips, list_clips
from edgevid.errors import ClipsError, SourceError, UsageError
from edgevid.frames.preprocess import InputSpec
from tests.clips.videos import number_of, numbered_picture, write_video

SPEC = InputSpec(height=48, width=64, channels=3)


def write_pictures(folder, names):
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), numbered_picture(number))
    return folder


def test_a_folder_of_pictures_is_a_clip_in_the_order_of_its_numbers(tmp_path):
    write_pictures(tmp_path / "wave" / "ann", [f"f_{number}.jpg" for number in range(1, 13)])
    write_pictures(tmp_path / "wave" / "deep" / "ben", [f"{number:05d}.png" for number in range(8)])
    write_video(tmp_path / "none" / "a.avi")
    refs = find_clips(tmp_path, reading=Reading(fps=10))
    assert [(ref.path.relative_to(tmp_path).as_posix(), ref.label) for ref in refs] == [
        ("none/a.avi", "none"),
        ("wave/ann", "wave"),
        ("wave/deep/ben", "wave"),
    ]
    clip = decode(refs[1], SPEC)
    assert [number_of(frame) for frame in clip.frames] == list(range(12))
    assert clip.timestamps_ns[:3].tolist() == [0, 100_000_000, 200_000_000]


def test_an_assumed_rate_of_pictures_is_stated_once(tmp_path):
    for name in ("a", "b"):
        write_pictures(tmp_path / "wave" / name, ["1.jpg", "2.jpg"])
    listing = list_clips(tmp_path)
    assert len(listing.notes) == 1
    assert "25 pictures a second are assumed for 2 folders of pictures" in listing.notes[0]
    assert decode(listing.refs[0], SPEC).timestamps_ns.tolist() == [0, 40_000_000]
    assert list_clips(tmp_path, reading=Reading(fps=30)).notes == ()


def test_pictures_that_are_no_clip_are_named_with_the_reason(tmp_path):
    write_video(tmp_path / "wave" / "take" / "a.avi")
    cv2.imwrite(str(tmp_path / "wave" / "take" / "preview_1.jpg"), numbered_picture(1))
    cv2.imwrite(str(tmp_path / "wave" / "take" / "preview_2.jpg"), numbered_picture(1))
    cv2.imwrite(str(tmp_path / "wave" / "1.jpg"), numbered_picture(1))
    write_pictures(tmp_path / "wave" / "single", ["1.jpg"])
    listing = list_clips(tmp_path)
    assert [ref.path.name for ref in listing.refs] == ["a.avi"]
    assert [(path.name, reason) for path, reason in listing.passed_over] == [
        ("1.jpg", "a picture outside of a folder <class>/<clip>"),
        ("1.jpg", "a single picture, or one next to videos"),
        ("preview_1.jpg", "a single picture, or one next to videos"),
        ("preview_2.jpg", "a single picture, or one next to videos"),
    ]


def test_files_beside_the_pictures_of_a_clip_are_passed_over(tmp_path):
    folder = write_pictures(tmp_path / "wave" / "ann", ["1.jpg", "2.jpg"])
    (folder / "notes.txt").write_text("x")
    assert [path.name for path, _ in list_clips(tmp_path).passed_over] == ["notes.txt"]


def test_pictures_directly_in_a_class_are_refused_with_the_right_layout(tmp_path):
    write_pictures(tmp_path / "wave", ["1.jpg", "2.jpg"])
    with pytest.raises(ClipsError, match=r"<class>/<clip>/<frame>\.jpg"):
        find_clips(tmp_path)


@pytest.mark.parametrize(
    ("names", "is_whole"),
    [
        (["1.jpg", "2.jpg", "4.jpg"], False),
        (["f_001.jpg", "f_002.jpg", "f_003.jpg", "f_007.jpg", "f_008.jpg"], False),
        (["f_0.jpg", "f_5.jpg", "f_10.jpg"], True),
        (["20.jpg", "21.jpg"], True),
        (["1710000000.jpg", "1710000007.jpg", "1710000031.jpg"], True),
        (["a_1.jpg", "b_1.jpg", "c_9.jpg"], True),
    ],
)
def test_pictures_with_a_gap_in_their_numbers_are_refused(tmp_path, names, is_whole):
    folder = write_pictures(tmp_path / "wave" / "ann", names)
    (ref,) = find_clips(tmp_path)
    if is_whole:
        assert len(decode(ref, SPEC).frames) == len(names)
    else:
        with pytest.raises(SourceError, match=f"pictures without a gap, got one after .* in {folder}"):
            decode(ref, SPEC)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_of_pictures_that_is_none_is_refused(fps):
    with pytest.raises(UsageError, match="--fps above 0"):
        Reading(fps=fps)


def test_a_folder_of_videos_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="a folder of videos, got none at"):
        Reading(videos=tmp_path / "gone")
