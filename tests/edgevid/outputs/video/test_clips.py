"""Clips of events: their pictures, their files, and what happens where the disk is full or the process is killed."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgevid.errors import OutputError, UsageError
from edgevid.frames import Frame
from edgevid.outputs.delivery.fanout import FanOut
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.payload import EventFormatter
from edgevid.outputs.video.avi import AviWriter
from edgevid.outputs.video.clip_folder import ClipFolder
from edgevid.outputs.video.clips import ClipRecorder, ring_for
from edgevid.outputs.video.jpeg_ring import JpegRing
from edgevid.outputs.video.pictures import Pictures
from tests.edgevid.outputs.sinks import event, until
from tests.repo.files import ROOT

FPS = 10.0
MIB = 2**20


def grey(level: int, *, height_px: int = 48, width_px: int = 64) -> Frame:
    return Frame(np.full((height_px, width_px, 3), level, np.uint8), "bgr", round(level / FPS * 1e9), level)


class Stage:
    """Pictures and clips in one folder; frame n is grey level n, at n tenths of a second."""

    def __init__(self, folder: Path, *, quota_bytes: int = 64 * MIB, **options: float) -> None:
        self.pictures = Pictures(ring_for(fps=FPS), fps=FPS)
        self.shelf = ClipFolder(folder, quota_bytes=quota_bytes, reserve_bytes=0)
        formatter = EventFormatter(live=False, run="run")
        times = {"before_s": 1.0, "after_s": 1.0, **options}
        self.clips = ClipRecorder(
            self.shelf, self.pictures, formatter=formatter, slugs={"tiny": "tiny"}, live=False, **times
        )  # type: ignore[arg-type]
        self.outputs = FanOut([self.pictures, self.clips])

    def show(self, first: int, last: int) -> None:
        """Show frames, each encoded before the next."""
        for level in range(first, last):
            made = self.pictures.report().delivered["picture"]
            self.pictures.saw(grey(level))
            until(lambda: self.pictures.report().delivered["picture"] > made)  # noqa: B023


@contextmanager
def stage(folder: Path, **options: float) -> Iterator[Stage]:
    made = Stage(folder, **options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.outputs.close()


def levels(video: Path) -> list[int]:
    """The grey level of each frame of a video, as OpenCV reads it."""
    capture, found = cv2.VideoCapture(str(video)), []
    while True:
        given, picture = capture.read()
        if not given:
            return found
        found.append(round(float(picture.mean())))


def test_a_clip_shows_the_time_before_the_event_the_event_and_the_time_after_it(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        on.show(0, 30)
        on.clips.started(event(2.0))
        on.show(30, 37)
        on.clips.ended(event(2.0, 3.5))
        on.show(37, 60)
        until(lambda: on.clips.report().delivered["clip"] == 1)
    (video,) = on.shelf.clips()
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o640, 0o640]
    assert levels(video) == list(range(10, 46))
    told = json.loads(video.with_suffix(".json").read_text())
    assert (told["event"], told["phase"], told["id"]) == ("wave", "end", "run-tiny-wave-2.000")
    assert told["video"]["frames"] == 36
    assert told["video"]["fps"] == pytest.approx(FPS)
    assert told["video"]["times_s"] == [level / 10 for level in range(10, 46)]
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FPS) == pytest.approx(FPS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000001_t000002.000_tiny_wave.avi",
        "000001_t000002.000_tiny_wave.json",
    ]


def test_a_long_event_is_cut_and_its_clip_does_not_claim_an_end(tmp_path: Path) -> None:
    with stage(tmp_path, longest_s=2.0) as on:
        on.show(0, 12)
        on.clips.started(event(1.0))
        on.show(12, 40)
        until(lambda: on.clips.report().delivered["clip"] == 1)
    (video,) = on.shelf.clips()
    assert levels(video) == list(range(21))
    assert json.loads(video.with_suffix(".json").read_text())["phase"] == "start"


def test_the_end_of_the_run_ends_a_clip_with_what_there_is(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        on.show(0, 12)
        on.clips.started(event(1.0))
        on.show(12, 15)
    (video,) = on.shelf.clips()
    assert levels(video) == list(range(15))


def test_events_of_two_models_at_one_time_have_a_clip_each(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        on.clips._slugs["other"] = "other"
        on.show(0, 12)
        on.clips.started(event(1.0))
        on.clips.started(event(1.1, model="other"))
        on.show(12, 15)
    assert [len(levels(video)) for video in on.shelf.clips()] == [15, 14]


def test_the_oldest_clips_make_room_and_other_files_are_never_touched(tmp_path: Path) -> None:
    for index in range(5):
        for suffix, size in ((".avi", MIB), (".json", 10)):
            path = tmp_path / f"t00000{index}.000_tiny_wave{suffix}"
            path.write_bytes(b"x" * size)
            os.utime(path, (1000 + index, 1000 + index))
    (tmp_path / "holiday.avi").write_bytes(b"x" * 5 * MIB)
    shelf = ClipFolder(tmp_path, quota_bytes=4 * MIB, reserve_bytes=0)
    shelf.make_room(MIB)
    assert [path.name for path in shelf.clips()] == ["t000003.000_tiny_wave.avi", "t000004.000_tiny_wave.avi"]
    assert not (tmp_path / "t000000.000_tiny_wave.json").exists()
    assert (tmp_path / "holiday.avi").exists()
    assert shelf.removed == 3


def test_clips_are_in_the_order_of_their_numbers_whatever_the_clock_says(tmp_path: Path) -> None:
    names = [
        "t000009.000_tiny_wave",  # of a version without numbers
        "000002_20361121T101530.250Z_tiny_wave",  # recorded before the clock was set
        "000003_20261121T101530.250Z_tiny_wave",
        "1000000_20261121T101531.250Z_tiny_wave",
    ]
    for index, name in enumerate(names):
        for suffix in (".avi", ".json"):
            (tmp_path / f"{name}{suffix}").write_bytes(b"x" * MIB)
            os.utime(tmp_path / f"{name}{suffix}", (9000 - index, 9000 - index))
    shelf = ClipFolder(tmp_path, quota_bytes=6 * MIB, reserve_bytes=0)
    assert [path.stem for path in shelf.clips()] == names
    shelf.make_room(MIB)
    assert [path.stem for path in shelf.clips()] == names[2:]
    first, second = shelf.slot("t000001.000_tiny_wave"), shelf.slot("t000001.000_tiny_wave")
    assert first.video.name == "1000001_t000001.000_tiny_wave.avi"
    assert second.text_part.name == ".1000002_t000001.000_tiny_wave.json.part"


def test_what_a_killed_process_left_half_written_is_removed_at_the_next_start(tmp_path: Path) -> None:
    for name in (
        ".000007_t000001.000_tiny_wave.avi.part",
        ".t000001.000_tiny_wave.avi.part",
        ".t000001.000_tiny_wave.json.part",
        "t000002.000_tiny_wave.json",
        ".mine.part",
        "notes.json",
    ):
        (tmp_path / name).write_text("{}")
    ClipFolder(tmp_path, quota_bytes=MIB)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.part", "notes.json"]


KILLED = """
import sys, time
from pathlib import Path
from tests.edgevid.outputs.video.test_clips import Stage, event
on = Stage(Path(sys.argv[1]))
on.show(0, 12)
on.clips.started(event(1.0))
on.show(12, 20)
on.clips.ended(event(1.0, 1.5))
on.show(20, 40)
while on.clips.report().delivered["clip"] == 0:
    time.sleep(0.01)
on.clips.started(event(3.0))
on.show(40, 42)
while not list(Path(sys.argv[1]).glob(".*.avi.part")):
    time.sleep(0.01)
print("now", flush=True)
time.sleep(60)
"""


def test_a_kill_leaves_whole_clips_only(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"now\n"
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    process.stdout.close()
    shelf = ClipFolder(tmp_path, quota_bytes=MIB)
    assert [len(levels(video)) for video in shelf.clips()] == [26]
    assert len(list(tmp_path.iterdir())) == 2


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let the kernel refuse to write beyond a size, as a full disk does: the error comes from the same call."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_the_clip_is_said_and_the_next_clip_is_written(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        on.show(0, 12)
        with files_limited_to(2000):
            on.clips.started(event(1.0))
            on.show(12, 35)
            on.clips.ended(event(1.0, 1.5))
            until(lambda: on.clips.report().dropped["disk"] == 1)
        assert "room for a clip" in (on.clips.report().problem or "")
        assert list(tmp_path.iterdir()) == []
        on.clips.started(event(3.0))
        on.show(35, 45)
    assert len(on.shelf.clips()) == 1
    assert on.clips.report().problem is None
    assert on.clips.report().restarts == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk, which root may")
def test_a_disk_that_is_really_full_is_said_before_a_clip_is_begun(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounts a small disk, which this machine does not let root do")
    try:
        shelf = ClipFolder(tmp_path, quota_bytes=64 * MIB, reserve_bytes=0)
        shelf.make_room(1000)
        with pytest.raises(OutputError, match="free for a clip"):
            shelf.make_room(MIB)
        with stage(tmp_path) as on:
            (tmp_path / "filler").write_bytes(b"x" * 240_000)
            on.show(0, 12)
            on.clips.started(event(1.0))
            on.show(12, 14)
            until(lambda: on.clips.report().dropped["disk"] == 1)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="folder for clips"):
        ClipFolder(tmp_path / "file" / "clips", quota_bytes=MIB)


def test_the_ring_gives_what_was_put_in_until_newer_pictures_need_the_place() -> None:
    rng = np.random.default_rng(3)
    ring = JpegRing(room_bytes=1000, pictures=8)
    put: list[bytes] = []
    for number in range(500):
        jpeg = rng.integers(0, 256, int(rng.integers(1, 400)), dtype=np.uint8)
        assert ring.add(number, (4, 3), jpeg)
        put.append(jpeg.tobytes())
        oldest = ring.get(0)
        assert oldest is not None
        held = range(oldest.number, ring.next_number)
        assert 1 <= len(held) <= 8
        for each in held:
            found = ring.get(each)
            assert found is not None
            assert (found.number, found.timestamp_ns, found.jpeg) == (each, each, put[each])
    assert not ring.add(500, (4, 3), np.zeros(1001, np.uint8))
    assert ring.get(500) is None


def test_the_ring_holds_many_small_pictures_up_to_its_count_and_few_large_ones() -> None:
    ring = JpegRing(room_bytes=1000, pictures=8)
    for number in range(20):
        ring.add(number, (4, 3), np.zeros(10, np.uint8))
    assert ring.number_at(0) == 12
    for number in range(20, 24):
        ring.add(number, (4, 3), np.zeros(400, np.uint8))
    assert ring.number_at(0) == 22


def test_pictures_are_of_bounded_rate_and_size_and_cost_nothing_while_nobody_looks() -> None:
    pictures = Pictures(JpegRing(room_bytes=MIB, pictures=50), fps=10, width_px=32)
    pictures.start()
    pictures.saw(grey(1))
    pictures.add_viewer()
    for index in range(30):
        pictures.saw(Frame(np.full((48, 64, 3), index, np.uint8), "rgb", index * 33_333_333, index))
        until(lambda: pictures._free.is_set())
    pictures.remove_viewer()
    pictures.saw(grey(255))
    until(lambda: pictures._free.is_set())
    assert pictures.report().delivered["picture"] == 10
    picture = pictures.ring.get(9)
    assert picture is not None
    assert cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (24, 32, 3)
    pictures.finish(0)
    assert pictures.join(time.monotonic_ns() + 10**9) == 0


@pytest.mark.parametrize("color", ["rgb", "bgr", "gray"])
def test_colours_are_right_in_the_picture(color: str) -> None:
    pictures = Pictures(JpegRing(room_bytes=MIB, pictures=5))
    pictures.add_viewer()
    shown = np.zeros((16, 16, 1 if color == "gray" else 3), np.uint8)
    shown[:, :, 0] = 200
    pictures.saw(Frame(shown, color, 0, 0))  # type: ignore[arg-type]
    pictures._encode()
    picture = pictures.ring.get(0)
    assert picture is not None
    blue, green, red = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR).mean(axis=(0, 1)).round(-1)
    assert (blue, green, red) == {"rgb": (0, 0, 200), "bgr": (200, 0, 0), "gray": (200, 200, 200)}[color]


def test_after_time_was_set_back_pictures_go_on() -> None:
    pictures = Pictures(JpegRing(room_bytes=MIB, pictures=5))
    pictures.add_viewer()
    for stamp_ns in (10**12, 10**9, 10**9 + 10**8):
        pictures.saw(Frame(np.zeros((8, 8, 3), np.uint8), "bgr", stamp_ns, 0))
        pictures._encode()
        pictures._free.set()
    assert pictures.ring.next_number == 3


def test_while_the_encoder_is_busy_a_picture_is_left_out_and_counted() -> None:
    pictures = Pictures(JpegRing(room_bytes=MIB, pictures=5))
    pictures.add_viewer()
    pictures.saw(grey(0))
    pictures.saw(grey(9))
    assert pictures.report().dropped["busy"] == 1


def test_a_video_without_a_picture_is_still_a_file(tmp_path: Path) -> None:
    with (tmp_path / "none.avi").open("wb") as file:
        AviWriter(file, width_px=8, height_px=8).finish()
    size = (tmp_path / "none.avi").stat().st_size
    assert int.from_bytes((tmp_path / "none.avi").read_bytes()[4:8], "little") == size - 8


def test_a_new_thread_does_not_go_on_with_the_clips_of_one_that_hung(tmp_path: Path) -> None:
    on = Stage(tmp_path)
    on.show(0, 12)
    on.clips.started(event(1.0))
    until(lambda: bool(list(tmp_path.glob(".*.part"))))
    on.clips._finishing = True
    on.clips._work(WorkerRun())
    assert on.clips.report().dropped["disk"] == 1
    assert list(tmp_path.glob(".*.part")) == []
    on.outputs.close()
