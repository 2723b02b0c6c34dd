"""Frames by their time: the same ones that training and evaluation decode, from any place to any other."""

import random

import cv2
import numpy as np
import pytest

from convert.recordings.labelling import player as module
from convert.recordings.labelling.player import Player
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError
from tests.clips.videos import number_of, write_numbered


def number(shot):
    return None if shot is None else number_of(cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR))


@pytest.fixture(scope="module", params=["day.mp4", "day.avi", "day.mpg"])
def video(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    name = request.param
    path = write_numbered(folder / (name if name != "day.mpg" else "day.avi"), count=400)
    # No index: its name says so, and jumps have to decode from the start.
    return path.rename(folder / name)


@pytest.fixture(scope="module")
def times_s(video):
    with VideoFile(video) as source:
        return [time_ns / 1e9 for time_ns in source.times_ns()]


def test_any_order_of_jumps_and_steps_shows_the_frame_of_the_time(video, times_s, monkeypatch):
    monkeypatch.setattr(module, "_HELD", 40)
    player, choose = Player(video), random.Random(7)
    assert player.length_s == pytest.approx(16)
    assert player.frame_s == pytest.approx(0.04)
    index = 0
    for _ in range(60):
        move = choose.choice(["at", "after", "after", "before", "before", "before"])
        if move == "at":
            index = choose.randrange(400)
            shot = player.at(times_s[index] + choose.choice([0, 0.02]))
        else:
            shot = getattr(player, move)(times_s[index])
            index += 1 if move == "after" else -1
        if not 0 <= index < 400:
            assert shot is None
            index = min(max(index, 0), 399)
        else:
            assert (number(shot), shot.time_s) == (index, times_s[index])
            assert shot.is_last == (index == 399)
    player.close()


def test_every_frame_is_shown_once_in_either_direction(video, times_s):
    player = Player(video)
    shown, shot = [], player.at(-1)
    while shot is not None:
        shown.append(number(shot))
        shot = player.after(shot.time_s)
    assert shown == list(range(400))
    shot = player.at(1e9)
    assert shot.is_last
    for expected in range(399, 200, -1):
        assert number(shot) == expected
        shot = player.before(shot.time_s)
    player.close()


def test_a_jump_far_beyond_the_end_shows_the_last_frame_also_of_a_fresh_player(video):
    player = Player(video)
    decoded, read = [], player._read
    player._read = lambda: (decoded.append(1), read())
    shot = player.at(3600)
    assert (number(shot), shot.is_last) == (399, True)
    # A container without an index is decoded from its start, and once.
    assert len(decoded) <= (401 if video.suffix == ".mpg" else 80)
    assert player.after(3600) is None
    assert number(player.before(0.05)) == 1
    assert player.before(0) is None
    assert player.before(-1) is None
    player.close()


def test_a_step_decodes_one_frame_and_a_step_back_none(video, monkeypatch):
    player = Player(video)
    player.at(8)
    decoded = []
    pictures = VideoFile.pictures
    monkeypatch.setattr(VideoFile, "pictures", lambda self: (decoded.append(1) or each for each in pictures(self)))
    read = player._read
    monkeypatch.setattr(player, "_read", lambda: (decoded.append(1), read()))
    assert number(player.after(8)) == 201
    assert number(player.before(8)) == 199
    assert len(decoded) <= 2
    player.close()


def test_wide_pictures_are_shrunk(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "wide.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (1280, 720))
    for _ in range(3):
        writer.write(np.zeros((720, 1280, 3), np.uint8))
    writer.release()
    player = Player(tmp_path / "wide.avi")
    shot = player.at(0)
    assert cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (540, 960, 3)
    player.close()


def test_a_file_that_is_no_video_is_refused(tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError):
        Player(tmp_path / "no.mp4")
