import io
import os
import struct
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest

from edgevid.capture import open_source
from edgevid.capture.features import FeatureFile, read_features
from edgevid.capture.feeds.file_feed import FrameFeed
from edgevid.errors import SourceError, SourceStalled, UsageError
from tests.models.bundles import window_manifest

cv2 = pytest.importorskip("cv2")

from edgevid.capture.video_files import PictureFolder, VideoFile  # noqa: E402  # after the skip
from tests.clips.videos import level, write_video  # noqa: E402

SUFFIXES = [".avi", ".mp4"]


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("fps", [10.0, 25.0, 30.0])
def test_a_video_gives_each_frame_in_order_with_its_time(tmp_path, suffix, fps):
    with VideoFile(write_video(tmp_path / f"clip{suffix}", count=20, fps=fps)) as source:
        seen = [
            (frame.index, frame.timestamp_ns, int(frame.data[5, 5, 0]), frame.color, frame.data.shape)
            for frame in source.frames()
        ]
    assert [index for index, *_ in seen] == list(range(20))
    for index, stamp_ns, gray, color, shape in seen:
        assert abs(stamp_ns - index * 1e9 / fps) <= 1e6
        assert abs(gray - level(index)) <= 5
        assert color == "bgr"
        assert shape == (48, 64, 3)
    assert source.fps == pytest.approx(fps)
    assert source.live is False


def test_the_frames_of_a_video_share_one_buffer(tmp_path):
    with VideoFile(write_video(tmp_path / "clip.avi", count=4)) as source:
        first, *others = [frame.data for frame in source.frames()]
    assert all(np.shares_memory(first, other) for other in others)


def stamped(tmp_path, monkeypatch, stamps_ms):
    """A video whose container has these times."""
    source, given = VideoFile(write_video(tmp_path / "clip.avi", count=len(stamps_ms), fps=25)), iter(stamps_ms)
    monkeypatch.setattr(source._decoder, "get", lambda _name: float(next(given)))
    return source


def test_frames_that_nobody_wants_are_neither_converted_nor_delivered(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.avi", count=20, fps=25.0)
    with VideoFile(path) as source:
        every = [(frame.index, frame.timestamp_ns, frame.data.copy()) for frame in source.frames()]
    converted = []
    with VideoFile(path) as source:
        retrieve = source._decoder.retrieve
        monkeypatch.setattr(source._decoder, "retrieve", lambda buffer: converted.append(1) or retrieve(buffer))
        source.wanted = lambda timestamp_ns: timestamp_ns % 120_000_000 == 0
        some = [(frame.index, frame.timestamp_ns, frame.data.copy()) for frame in source.frames()]
    assert [index for index, *_ in some] == list(range(0, 20, 3))
    assert len(converted) == len(some)
    for index, stamp_ns, pixels in some:
        assert stamp_ns == every[index][1]
        assert np.array_equal(pixels, every[index][2])


def test_frames_whose_times_come_late_are_delivered_with_them_wanted_or_not(tmp_path, monkeypatch):
    # The fourth and fifth stamp are wrong, and only the sixth shows it.
    source = stamped(tmp_path, monkeypatch, [0, 40, 80, 9000, 9001, 200, 240])
    source.wanted = lambda timestamp_ns: timestamp_ns in (0, 240_000_000)
    seen = [(frame.index, int(frame.data[5, 5, 0])) for frame in source.frames()]
    assert [index for index, _ in seen] == [0, 3, 4, 5, 6]
    assert all(abs(gray - level(index)) <= 5 for index, gray in seen)


def test_a_video_without_times_says_so_when_most_frames_are_left_out(tmp_path, monkeypatch, caplog):
    source = stamped(tmp_path, monkeypatch, [0] * 6)
    source.wanted = lambda timestamp_ns: timestamp_ns == 0
    assert [frame.index for frame in source.frames()] == [0]
    assert "has no times; 25 frames a second are assumed" in caplog.text


@pytest.mark.parametrize(
    ("stamps_ms", "wanted_ms"),
    [
        ([0, 40, 80], [0, 40, 80]),
        ([0, 0, 0], [0, 40, 80]),
        ([0, 90, 50], [0, 90, 90]),
        ([0, 40_000, 80], [0, 40, 80]),
        ([400, 440, 0], [400, 440, 480]),
        ([7, 47, 87], [7, 47, 87]),
    ],
)
def test_a_containers_times_are_used_where_they_go_forward_and_else_the_frame_rate(
    tmp_path, monkeypatch, stamps_ms, wanted_ms
):
    source = VideoFile(write_video(tmp_path / "clip.avi", count=3, fps=25))
    given = iter(stamps_ms)
    monkeypatch.setattr(source._decoder, "get", lambda _name: float(next(given)))
    stamps = [frame.timestamp_ns for frame in source.frames()]
    source.close()
    assert [round(stamp / 1e6) for stamp in stamps] == wanted_ms
    assert stamps == sorted(set(stamps)), "time never stands still"


def test_frames_held_at_a_wrong_time_stamp_are_delivered_with_their_pictures(tmp_path, monkeypatch, caplog):
    source = VideoFile(write_video(tmp_path / "clip.avi", count=12, fps=25))
    given = iter([0, 40, 80, 50_000, 60_000, 200, 240, 280, 320, 360, 400, 90_000])
    monkeypatch.setattr(source._decoder, "get", lambda _name: float(next(given)))
    seen = [(frame.index, frame.timestamp_ns // 10**6, int(frame.data[5, 5, 0])) for frame in source.frames()]
    source.close()
    assert [stamp for _, stamp, _ in seen] == [*range(0, 440, 40), 90_000]
    assert [index for index, *_ in seen] == list(range(12))
    assert all(abs(gray - level(index)) <= 5 for index, _, gray in seen)
    assert "the times of 2 of its 12 frames are assumed" in caplog.text


def test_the_times_alone_are_those_of_the_frames_also_of_frames_that_are_held(tmp_path, monkeypatch):
    stamps_ms = [0, 40, 80, 50_000, 60_000, 200, 240, 280, 320, 360, 400, 90_000]
    read = []
    for call in (VideoFile.times_ns, lambda source: (frame.timestamp_ns for frame in source.frames())):
        source, given = VideoFile(write_video(tmp_path / "clip.avi", count=12, fps=25)), iter(stamps_ms)
        monkeypatch.setattr(source._decoder, "get", lambda _name, given=given: float(next(given)))
        read.append(list(call(source)))
        source.close()
    assert read[0] == read[1]
    assert len(read[0]) == 12


def test_a_video_without_times_says_which_rate_is_assumed(tmp_path, monkeypatch, caplog):
    source = VideoFile(write_video(tmp_path / "clip.avi", count=8, fps=25))
    monkeypatch.setattr(source._decoder, "get", lambda _name: 0.0)
    assert len(list(source.frames())) == 8
    source.close()
    assert "has no times; 25 frames a second are assumed" in caplog.text


def test_a_video_that_ends_early_gives_the_frames_it_has(tmp_path):
    whole = write_video(tmp_path / "whole.avi", count=60).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    with VideoFile(cut) as source:
        levels = [int(frame.data[5, 5, 0]) for frame in source.frames()]
    assert 5 <= len(levels) < 60
    assert all(abs(gray - level(index)) <= 5 for index, gray in enumerate(levels))


@pytest.mark.parametrize("content", [b"", b"this is no video\n" * 50, b"\0" * 4096])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_video_is_named(tmp_path, content, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=f"Expected .*bad{suffix}") as caught, VideoFile(path) as source:
        list(source.frames())
    assert caught.value.exit_code == 1
    assert isinstance(caught.value, OSError)


def test_an_mp4_without_its_index_is_named(tmp_path):
    whole = write_video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"Expected .*cut\.mp4"), VideoFile(tmp_path / "cut.mp4") as source:
        list(source.frames())


def test_a_video_that_opens_and_has_no_frame_is_named(tmp_path, monkeypatch):
    with VideoFile(write_video(tmp_path / "clip.avi")) as source:
        monkeypatch.setattr(source._decoder, "grab", lambda: False)
        with pytest.raises(SourceError, match=r"Expected frames in .*clip\.avi, got none that can be decoded"):
            list(source.frames())


def test_a_video_may_be_closed_twice(tmp_path):
    with VideoFile(write_video(tmp_path / "clip.avi")) as source:
        source.close()


def write_pictures(folder, *names):
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((6, 8, 3), level(index), np.uint8))
    return folder


def test_a_folder_gives_its_pictures_by_name_a_fixed_time_apart(tmp_path):
    folder = write_pictures(tmp_path / "shots", "b.png", "a.png", "c.PNG")
    (folder / "notes.txt").write_text("not a picture")
    with PictureFolder(folder, interval_s=0.1) as source:
        seen = [(frame.index, frame.timestamp_ns, int(frame.data[0, 0, 0]), frame.color) for frame in source.frames()]
    assert seen == [(0, 0, level(1), "bgr"), (1, 100_000_000, level(0), "bgr"), (2, 200_000_000, level(2), "bgr")]


def test_a_folder_gives_its_pictures_by_the_numbers_in_their_names(tmp_path):
    write_pictures(tmp_path / "shots", *(f"f_{number}.png" for number in (1, 2, 3, 10, 11, 100)))
    with PictureFolder(tmp_path / "shots", interval_s=0.1) as source:
        assert [int(frame.data[0, 0, 0]) for frame in source.frames()] == [level(index) for index in range(6)]


def test_files_of_the_file_manager_are_no_pictures(tmp_path):
    folder = write_pictures(tmp_path / "shots", "a.jpg")
    (folder / "._a.jpg").write_bytes(b"metadata of macOS")
    with PictureFolder(folder, interval_s=0.1) as source:
        assert len(list(source.frames())) == 1


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"Expected pictures \(\.jpg, .* got none"):
        PictureFolder(tmp_path, interval_s=0.1)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    folder = write_pictures(tmp_path / "shots", "a.png")
    (folder / "b.png").write_bytes(b"no picture")
    source = PictureFolder(folder, interval_s=0.1)
    with pytest.raises(SourceError, match=r"got .*b\.png"):
        list(source.frames())


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int16, np.uint8])
def test_a_feature_file_gives_each_row_as_float32(tmp_path, dtype):
    rows = np.arange(12).reshape(4, 3).astype(dtype)
    path = tmp_path / "clip.npy"
    path.write_bytes(npy(rows))
    with FeatureFile(path, interval_s=0.25) as source:
        seen = [
            (frame.index, frame.timestamp_ns, frame.data.tolist(), frame.data.dtype, frame.color)
            for frame in source.frames()
        ]
    assert seen == [(index, index * 250_000_000, rows[index].tolist(), np.float32, "none") for index in range(4)]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_feature_file_is_read_in_either_memory_order(tmp_path, order):
    rows = np.asarray(np.arange(12.0).reshape(4, 3), order=order)
    (tmp_path / "clip.npy").write_bytes(npy(rows))
    assert np.array_equal(read_features(tmp_path / "clip.npy"), rows)


def npz():
    stream = io.BytesIO()
    np.savez(stream, rows=np.zeros((4, 3)))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.zeros(3)), r"got float64 \(3,\)"),
        (npy(np.zeros((2, 3, 4))), r"got float64 \(2, 3, 4\)"),
        (npy(np.zeros((0, 3))), r"got float64 \(0, 3\)"),
        (npy(np.zeros((3, 0))), r"got float64 \(3, 0\)"),
        (npy(np.array([["a", "b"]])), "got <U1"),
        (npy(np.zeros((2, 2), complex)), "got complex128"),
        (npy(np.zeros((2, 2), bool)), "got bool"),
        (npy(np.array([[1.0, np.nan]])), "finite features, got NaN or infinity"),
        (npy(np.array([[1.0, 1e300]])), "finite features, got NaN or infinity"),
        (npy(np.array([[{}]], dtype=object)), "cannot be read"),
        (npz(), "cannot be read"),
        (npy(np.zeros((4, 3)))[:-8], "cannot be read"),
        (npy(np.zeros((4, 3))) + b"more", "cannot be read"),
        (b"", "cannot be read"),
        (b"no array", "cannot be read"),
    ],
)
def test_a_feature_file_that_holds_anything_else_is_named_and_refused(tmp_path, content, message):
    path = tmp_path / "clip.npy"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        FeatureFile(path, interval_s=0.1)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda folder: write_video(folder / "clip.mp4"), "VideoFile"),
        (lambda folder: write_pictures(folder / "shots", "a.png"), "PictureFolder"),
        (lambda folder: folder / "rows.npy", "FeatureFile"),
        (lambda folder: folder / "ROWS.NPY", "FeatureFile"),
        (lambda folder: "synthetic", "GestureSource"),
        (lambda folder: "synthetic:7", "GestureSource"),
    ],
)
def test_what_a_person_names_decides_the_kind_of_source(tmp_path, make, kind):
    for name in ("rows.npy", "ROWS.NPY"):
        (tmp_path / name).write_bytes(npy(np.zeros((4, 3))))
    with open_source(str(make(tmp_path)), window_manifest()) as source:
        assert type(source).__name__ == kind


@pytest.mark.parametrize("text", ["7", "/dev/video7", "7?size=640x480", "/dev/video7?fps=30", "v4l2:7"])
def test_a_device_or_its_number_is_a_v4l2_camera(text):
    with pytest.raises(UsageError, match="a V4L2 device such as /dev/video0, got none at /dev/video7"):
        open_source(text, window_manifest())


def test_a_file_url_names_a_file(tmp_path):
    video = write_video(tmp_path / "my clip.avi")
    with open_source(video.as_uri(), window_manifest()) as source:
        assert source.name == str(video)


@pytest.mark.parametrize("scheme", ["udp", "tcp", "rtmp"])
def test_streams_of_other_protocols_are_taken(monkeypatch, scheme):
    opened = []
    monkeypatch.setattr("edgevid.capture.network.open_stream", opened.append)
    open_source(f"{scheme}://192.0.2.1:5000/x", window_manifest())
    assert opened == [f"{scheme}://192.0.2.1:5000/x"]


def test_an_address_too_long_for_a_file_name_is_a_usage_error():
    with pytest.raises(UsageError, match="which is none of these"):
        open_source("rstp://camera/" + "x" * 5000, window_manifest())


@pytest.mark.parametrize("name", ["a:b.avi", "http:x.avi", "file:x.avi", "synthetic:1.avi", "50%d.avi", "-a.avi"])
def test_a_video_with_an_odd_name_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.avi", count=3).rename(tmp_path / name)
    with open_source(name, window_manifest()) as source:
        assert len(list(source.frames())) == 3


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_file_name_that_is_not_utf8_is_named_and_refused(tmp_path, is_folder):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    if is_folder:
        write_pictures(tmp_path / "shots", "a.png").rename(odd)
    else:
        write_video(tmp_path / "clip.avi").rename(odd)
    with pytest.raises(SourceError, match=r"Expected a file name in UTF-8, got .*caf\\udce9"):
        list(open_source(odd, window_manifest()).frames())


def write_png(path, side_px):
    """Write a black picture of one bit per pixel, small even where it has gigabytes of pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pack, row = zlib.compressobj(), bytes(1 + (side_px + 7) // 8)
    content = b"".join(pack.compress(row) for _ in range(min(side_px, 9000))) + pack.flush()
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b""))


@pytest.mark.parametrize(("side_px", "is_read"), [(64, True), (9_000, False), (60_000, False), (2_000_000, False)])
def test_a_picture_of_more_pixels_than_cameras_have_is_named_and_not_decoded(tmp_path, side_px, is_read):
    write_png(tmp_path / "a.png", side_px)
    # A process of its own: OpenCV reads its limit when it is imported.
    program = (
        "import sys; from edgevid.capture.video_files import PictureFolder; from edgevid.errors import SourceError\n"
        "try:\n    print(len(list(PictureFolder(sys.argv[1], interval_s=0.1).frames())))\n"
        "except SourceError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    wanted = "1\n" if is_read else f"Expected a picture that OpenCV can read, got {tmp_path / 'a.png'}.\n"
    assert done.stdout == wanted


def test_a_pipe_without_a_writer_is_left_at_the_stall_limit(tmp_path):
    os.mkfifo(tmp_path / "clip.avi")
    with open_source(str(tmp_path / "clip.avi"), window_manifest()) as source:
        with pytest.raises(SourceStalled, match=r"within 0\.2 s"):
            next(FrameFeed(source, stall_s=0.2).frames())
        # Lets the reader's thread end.
        (tmp_path / "clip.avi").write_bytes(b"no video")


def test_a_video_from_a_pipe_is_read_to_its_end(tmp_path):
    content = write_video(tmp_path / "clip.avi", count=5).read_bytes()
    os.mkfifo(tmp_path / "pipe.avi")
    writer = threading.Thread(target=(tmp_path / "pipe.avi").write_bytes, args=(content,))
    writer.start()
    with open_source(str(tmp_path / "pipe.avi"), window_manifest()) as source:
        assert len(list(source.frames())) == 5
    writer.join()


def test_a_device_that_is_no_camera_is_a_usage_error():
    with pytest.raises(UsageError, match="/dev/null, which is a device or socket"):
        open_source("/dev/null", window_manifest())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing.mp4", r"got none at nothing\.mp4\.$"),
        ("shots/rows.npy", r"got none at shots/rows\.npy\.$"),
        ("webcam", "got 'webcam', which is none of these"),
        ("rstp://camera/stream.mp4", "which is none of these"),
        ("synthetic:x", "synthetic:SEED with a whole number, got 'x'"),
    ],
)
def test_a_source_that_does_not_exist_is_a_usage_error(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message) as caught:
        open_source(text, window_manifest())
    assert caught.value.exit_code == 2


def test_pictures_and_rows_are_as_far_apart_as_the_model_was_trained(tmp_path):
    folder = write_pictures(tmp_path / "shots", "a.png", "b.png")
    with open_source(str(folder), window_manifest()) as source:
        assert [frame.timestamp_ns for frame in source.frames()] == [0, 100_000_000]
