import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cv2")

from convert.clips import (
    Clip,
    ClipRef,
    centre_window,
    decode,
    decode_all,
    evenly_spread,
    find_clips,
    passed_over,
    read_folder,
    window_indices,
)
from convert.progress import Silent
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, SourceError, UsageError
from edgevid.frames.preprocess import InputSpec
from tests.clips.videos import level, write_video

SPEC = InputSpec(height=12, width=16, channels=3)
FEATURES = InputSpec(kind="features", height=1, width=1, channels=3, color="none")


def made_clip(count: int, fps: float = 25.0) -> Clip:
    """A clip in memory whose frame `i` holds the number i."""
    stamps = np.array([round(index * 1e9 / fps) for index in range(count)], np.int64)
    return Clip(ClipRef(None), np.arange(count)[:, None], stamps)


def folder_of(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def found(root, **options):
    return [(ref.path.relative_to(root).as_posix(), ref.label, ref.group) for ref in find_clips(root, **options)]


def test_clips_are_found_by_class_folder_and_sorted_by_path(tmp_path):
    folder_of(tmp_path, "wave/b.MP4", "wave/a.avi", "none/c.webm", "none/deep/d.mkv", "none/notes.txt", "wave/rows.npy")
    assert found(tmp_path) == [
        ("none/c.webm", "none", ""),
        ("none/deep/d.mkv", "none", ""),
        ("wave/a.avi", "wave", ""),
        ("wave/b.MP4", "wave", ""),
    ]
    assert found(tmp_path, kind="features") == [("wave/rows.npy", "wave", "")]


def test_clips_of_every_container_of_phones_and_cameras_are_found(tmp_path):
    names = ["IMG_0001.MOV", "a.m4v", "b.mpg", "c.mpeg", "d.3gp", "e.ts", "f.MTS", "g.m2ts", "h.wmv"]
    folder_of(tmp_path / "wave", *names)
    assert sorted(name for name, *_ in found(tmp_path / "wave")) == sorted(names)


def test_clips_are_sorted_by_the_numbers_in_their_names(tmp_path):
    folder_of(tmp_path, *(f"c{number}/f_{number}.mp4" for number in (1, 10, 9, 100, 2)))
    assert [label for _, label, _ in found(tmp_path)] == ["c1", "c2", "c9", "c10", "c100"]


def test_clips_listed_in_a_csv_file_are_sorted_by_their_numbers(tmp_path):
    (tmp_path / "clips.csv").write_text("path,label\n" + "".join(f"f_{number}.mp4,x\n" for number in (10, 2, 1)))
    assert [ref.path.name for ref in find_clips(tmp_path / "clips.csv")] == ["f_1.mp4", "f_2.mp4", "f_10.mp4"]


def test_files_of_the_file_manager_are_no_clips(tmp_path):
    folder_of(tmp_path, "wave/a.mp4", "wave/._a.mp4", "__MACOSX/wave/a.mp4", ".trash/b.mp4", "wave/.DS_Store")
    assert found(tmp_path) == [("wave/a.mp4", "wave", "")]
    assert passed_over(tmp_path) == ()


def test_files_that_are_no_clips_are_named_among_the_skipped_ones(tmp_path):
    write_video(tmp_path / "wave/a.avi")
    folder_of(tmp_path, "none/b.heic", "none/notes.txt")
    clips = read_folder(tmp_path, SPEC, progress=Silent())
    assert [path.name for path, _ in clips.skipped] == ["b.heic", "notes.txt"]
    assert "no clip (.avi, " in clips.skipped[0][1]


def test_a_folder_of_other_files_is_refused_and_one_of_them_named(tmp_path):
    folder_of(tmp_path, "wave/a.heic", "wave/b.heic")
    with pytest.raises(ClipsError, match=r"got 2 other files, such as .*a\.heic"):
        find_clips(tmp_path)


def test_clips_directly_in_the_folder_have_no_label(tmp_path):
    folder_of(tmp_path, "a.mp4", "b.mp4")
    assert found(tmp_path) == [("a.mp4", None, ""), ("b.mp4", None, "")]


def test_the_group_of_a_clip_is_what_the_caller_makes_of_its_path(tmp_path):
    folder_of(tmp_path, "wave/ann_1.mp4", "wave/bob_1.mp4")
    assert [group for *_, group in found(tmp_path, group=lambda path: path.stem.split("_")[0])] == ["ann", "bob"]


@pytest.mark.parametrize("kind", ["frames", "features"])
def test_frames_beyond_what_memory_may_hold_are_read_back_as_they_were(tmp_path, monkeypatch, kind):
    import convert.clips.decoding

    for number in range(5):
        if kind == "frames":
            write_video(tmp_path / f"{number}.avi", count=8 - number // 4)
        else:
            np.save(
                tmp_path / f"{number}.npy",
                np.random.default_rng(number).random((8 - number // 4, 3)).astype(np.float32),
            )
    refs, spec = find_clips(tmp_path, kind=kind), SPEC if kind == "frames" else FEATURES
    in_memory = decode_all(refs, spec).clips
    # The fifth clip stays in memory; the others move to the file, two at a time.
    monkeypatch.setattr(
        convert.clips.decoding, "MOST_HELD_BYTES", sum(clip.frames.nbytes for clip in in_memory[:2]) - 1
    )
    on_disk = decode_all(refs, spec).clips
    for clip, read in zip(in_memory, on_disk, strict=True):
        np.testing.assert_array_equal(read.frames[:], clip.frames)
        assert read.frames.dtype == clip.frames.dtype
        assert read.ref == clip.ref
    assert [isinstance(clip.frames, np.ndarray) for clip in on_disk] == [False, False, False, False, True]


def test_a_folder_named_like_a_clip_is_not_one(tmp_path):
    folder_of(tmp_path, "wave/a.mp4", "odd.mp4/b.mp4")
    assert found(tmp_path) == [("odd.mp4/b.mp4", "odd.mp4", ""), ("wave/a.mp4", "wave", "")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_file_names_clips_beside_it(tmp_path, encoding):
    table = tmp_path / "clips.csv"
    table.write_text("path,label,group\nz/b.mp4,wave,ann\na.mp4,,\nc.mp4,none,\n", encoding=encoding)
    refs = [
        (ref.path.relative_to(tmp_path).as_posix(), ref.label, ref.group)
        for ref in find_clips(table, group=lambda path: path.stem)
    ]
    assert refs == [("a.mp4", None, "a"), ("c.mp4", "none", "c"), ("z/b.mp4", "wave", "ann")]


@pytest.mark.parametrize(
    "content", [b"", b"path,label\n", b"file,class\na,b\n", b"\xff\xfe\x00binary", b"path,label\n" + b"x" * 200_000]
)
def test_a_file_that_is_no_table_of_clips_is_refused(tmp_path, content):
    (tmp_path / "clips.csv").write_bytes(content)
    with pytest.raises(ClipsError, match="Expected a CSV file with the columns path and label"):
        find_clips(tmp_path / "clips.csv")


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(ClipsError, match=r"Expected clips \(\.avi, \.mp4, .*\) in .*got none"):
        find_clips(tmp_path)


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="got nothing at"):
        find_clips(tmp_path / "gone")


def test_a_video_is_decoded_as_the_device_would_prepare_it(tmp_path):
    clip = decode(ClipRef(write_video(tmp_path / "clip.avi", count=10, fps=20)), SPEC)
    assert clip.frames.shape == (10, 12, 16, 3)
    assert clip.frames.dtype == np.uint8
    assert [int(gray) for gray in clip.frames[:, 6, 8, 0]] == pytest.approx(
        [level(index) for index in range(10)], abs=5
    )
    assert clip.timestamps_ns.tolist() == pytest.approx([index * 50_000_000 for index in range(10)], abs=1_000_000)
    assert clip.duration_s == pytest.approx(0.5, abs=0.002)


def test_a_feature_clip_is_decoded_with_the_interval_that_is_stated(tmp_path):
    np.save(tmp_path / "clip.npy", np.arange(12.0).reshape(4, 3))
    clip = decode(ClipRef(tmp_path / "clip.npy"), FEATURES, interval_s=0.5)
    assert np.array_equal(clip.frames, np.arange(12.0).reshape(4, 3))
    assert clip.frames.dtype == np.float32
    assert clip.timestamps_ns.tolist() == [0, 500_000_000, 1_000_000_000, 1_500_000_000]
    assert clip.duration_s == pytest.approx(2.0)


def test_clips_that_cannot_be_read_are_skipped_and_named(tmp_path):
    good = ClipRef(write_video(tmp_path / "wave/good.avi"), "wave")
    (tmp_path / "wave/bad.avi").write_bytes(b"no video")
    clips = decode_all([ClipRef(tmp_path / "wave/bad.avi", "wave"), good], SPEC)
    assert [clip.ref for clip in clips.clips] == [good]
    assert [path for path, _reason in clips.skipped] == [tmp_path / "wave/bad.avi"]
    assert "bad.avi" in clips.skipped[0][1]


def test_feature_rows_of_another_length_are_skipped(tmp_path):
    np.save(tmp_path / "good.npy", np.zeros((4, 3)))
    np.save(tmp_path / "wide.npy", np.zeros((4, 5)))
    clips = decode_all(find_clips(tmp_path, kind="features"), FEATURES)
    assert len(clips.clips) == 1
    assert "features of shape (3,), got (5,)" in clips.skipped[0][1]


def test_a_run_ends_only_when_no_clip_is_left(tmp_path):
    (tmp_path / "bad.avi").write_bytes(b"no video")
    with pytest.raises(ClipsError, match=r"got none of 1: .*bad\.avi"):
        decode_all(find_clips(tmp_path), SPEC)
    with pytest.raises(ClipsError, match="got none of 0: there are none"):
        decode_all([], SPEC)


def test_progress_sees_every_clip(tmp_path):
    refs = [ClipRef(write_video(tmp_path / name)) for name in ("a.avi", "b.avi")]
    seen = []
    decode_all(refs, SPEC, progress=lambda given: (seen.append(ref) or ref for ref in given))
    assert seen == refs


@pytest.mark.parametrize(
    ("classes", "wanted"), [(["wave", "none", "wave"], ("none", "wave")), (["wave", None], ()), ([None, None], ())]
)
def test_the_labels_are_the_classes_found_and_none_where_a_clip_has_none(tmp_path, classes, wanted):
    path = write_video(tmp_path / "clip.avi", count=2)
    assert decode_all([ClipRef(path, label) for label in classes], SPEC).labels == wanted


@pytest.mark.parametrize(
    ("count", "window", "start", "wanted"),
    [
        (30, Window(frames=4, interval_s=0.1), 0, [0, 3, 5, 8]),
        (30, Window(frames=4, interval_s=0.1), 10, [10, 13, 15, 18]),
        (8, Window(frames=4, interval_s=0.1), 0, [0, 3, 5, 5]),
        (30, Window(frames=4, interval_s=0.1, sampling="uniform"), 0, [0, 7, 14, 21]),
        (30, Window(frames=4, interval_s=0.1, sampling="uniform"), 10, [0, 7, 14, 21]),
    ],
)
def test_a_window_takes_the_frames_that_the_device_would_take(count, window, start, wanted):
    assert window_indices(made_clip(count), window, start=start) == wanted


@given(count=st.integers(1, 120), fps=st.sampled_from([10.0, 24.0, 25.0, 29.97, 50.0]), frames=st.integers(1, 20))
def test_the_centre_window_lies_in_the_middle_and_holds_a_frame_only_where_the_clip_is_too_short(count, fps, frames):
    clip, window = made_clip(count, fps), Window(frames=frames, interval_s=0.1)
    indices = centre_window(clip, window)[:, 0].tolist()
    span_s, clip_s = (frames - 1) * 0.1, (count - 1) / fps
    assert len(indices) == frames
    if clip_s >= span_s + 0.001:
        assert len(set(indices)) == frames
        assert abs((indices[0] + indices[-1]) / 2 - (count - 1) / 2) <= 1.5
    else:
        assert indices[0] == 0


def test_the_centre_window_of_uniform_sampling_spans_the_clip():
    assert centre_window(made_clip(41), Window(frames=5, interval_s=0.1, sampling="uniform"))[:, 0].tolist() == [
        0,
        8,
        16,
        24,
        32,
    ]


@pytest.mark.parametrize(
    ("count", "wanted", "indices"), [(0, 4, []), (1, 4, [0]), (3, 4, [0, 1, 2]), (10, 4, [0, 3, 6, 9]), (10, 1, [0])]
)
def test_indices_are_spread_over_a_whole_list(count, wanted, indices):
    assert evenly_spread(count, wanted) == indices


@given(count=st.integers(0, 3000), wanted=st.integers(2, 300))
def test_spread_indices_are_as_many_as_wanted_and_nearly_equally_far_apart(count, wanted):
    indices = evenly_spread(count, wanted)
    steps = np.diff(indices)
    assert len(indices) == min(count, wanted)
    assert not len(steps) or (indices[0], indices[-1]) == (0, count - 1)
    assert not len(steps) or (steps.min() >= 1 and np.ptp(steps) <= 1)


def test_a_clip_that_is_no_video_is_a_source_error(tmp_path):
    (tmp_path / "bad.avi").write_bytes(b"no video")
    with pytest.raises(SourceError):
        decode(ClipRef(tmp_path / "bad.avi"), SPEC)


def test_a_csv_row_that_names_no_clip_is_refused(tmp_path):
    (tmp_path / "clips.csv").write_text("label,path\nwave\n")
    with pytest.raises(ClipsError, match="a path in each row"):
        find_clips(tmp_path / "clips.csv")


@pytest.mark.parametrize(("origin", "start"), [("", ""), ("line 4 of clips.csv", "line 4 of clips.csv: ")])
def test_a_clip_that_cannot_be_read_is_listed_with_the_line_that_names_it(tmp_path, origin, start):
    ref = ClipRef(tmp_path / "gone.mp4", "wave", origin=origin)
    path, reason = ref.unreadable(SourceError(expected="a video", found="no such file"))
    assert (path, reason) == (ref.path, f"{start}Expected a video, got no such file.")
    with pytest.raises(ClipsError, match=f"none of 1: {start}Expected"):
        decode_all([ref], SPEC)
