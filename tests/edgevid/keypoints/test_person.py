"""The square around a person: on a portrait that moves over a wall, and on people who walk."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import edgevid
from edgevid import bundle, cli
from edgevid.bundle.framing import Framing
from edgevid.capture.video_files import VideoFile
from edgevid.errors import AssetError, UsageError
from edgevid.frames import Color, Frame, Pixels
from edgevid.frames.cropping import Cropper
from edgevid.frames.preprocess import InputSpec, Preprocessor
from edgevid.frames.region import Region
from edgevid.keypoints.assets import reader
from edgevid.keypoints.network import RgbPicture
from edgevid.keypoints.person import DETECT_S, LOST_S, PersonFollower, Square, nearest
from edgevid.keypoints.pose import person_detector
from edgevid.lane import Lane
from edgevid.outputs.web.region_control import RegionControl
from tests.keypoint_files import grace_hopper
from tests.models.bundles import features_manifest
from tests.repo.files import ROOT
from tests.streams import engine_for

WALKERS = ROOT.parent / "shared" / "data" / "weizmann"
SIZE_PX = (480, 320)
PORTRAIT = cv2.resize(grace_hopper(), (100, 117), interpolation=cv2.INTER_AREA)
pytestmark = pytest.mark.usefixtures("keypoint_files")


def wall(*lefts_px: int, top_px: int = 100) -> Pixels:
    """A grey picture with the portrait at each of some places, RGB."""
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 127, np.uint8)
    for left in lefts_px:
        picture[top_px : top_px + 117, left : left + 100] = PORTRAIT
    return picture


def frame(picture: Pixels, time_s: float, color: Color = "rgb") -> Frame:
    return Frame(picture, color, round(time_s * 1e9), 0)


def place_px(follower: PersonFollower) -> tuple[float, ...]:
    """(left, top, width, height) of the square in pixels."""
    assert follower.place is not None
    return tuple(each * SIZE_PX[index % 2] for index, each in enumerate(follower.place))


@pytest.fixture
def follower() -> PersonFollower:
    return PersonFollower()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person who moves to the right for three seconds."""
    path = tmp_path_factory.mktemp("person") / "wave" / "clip.avi"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, SIZE_PX)
    for index in range(60):
        writer.write(wall(20 + 4 * index)[:, :, ::-1])
    writer.release()
    return path


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that ships, as if it was trained on squares around people."""
    path, original = tmp_path_factory.mktemp("following") / "person.edgevid", bundle.read(edgevid.DEMO)
    manifest = dataclasses.replace(original.manifest, framing=Framing(follow="person"))
    bundle.write(dataclasses.replace(original, manifest=manifest), path)
    return path


def test_the_square_moves_with_the_person_as_a_view_of_the_picture(follower: PersonFollower) -> None:
    first = wall(60)
    part = follower.crop(frame(first, 0.0))
    height, width = part.data.shape[:2]
    assert height == width < SIZE_PX[1]
    assert np.shares_memory(part.data, first)
    assert follower.crop(frame(first, 0.0)) is not part
    away = []
    for index in range(30):
        shown = follower.crop(same := frame(wall(60 + 5 * index), index / 20))
        assert follower.crop(same) is shown
        left, top, side, _ = place_px(follower)
        away.append(left + side / 2 - (60 + 5 * index + 50))
        assert abs(top + side / 2 - 160) < side / 2
    # A hundred pixels a second, detected each quarter of one.
    assert max(map(abs, away[10:])) < 25


def test_the_square_lies_where_it_would_at_any_other_rate() -> None:
    places = []
    for fps in (8, 24):
        follower = PersonFollower()
        for index in range(fps + 1):
            follower.crop(frame(wall(round(40 + 80 * index / fps)), index / fps))
        places.append(place_px(follower))
    assert places[0] == pytest.approx(places[1], abs=1.5)
    assert DETECT_S == 0.25


def test_the_picture_is_whole_until_somebody_comes_and_again_after_they_left(follower: PersonFollower) -> None:
    nobody = frame(wall(), 0.0)
    assert follower.crop(nobody) is nobody
    assert follower.place is None
    times_s = np.arange(1, 60) / 10
    seen = []
    for time_s in times_s:
        follower.crop(frame(wall(200) if time_s < 2 else wall(), float(time_s)))
        seen.append(follower.place is not None)
    first, last = times_s[seen.index(True)], times_s[len(seen) - 1 - seen[::-1].index(True)]
    assert first <= 2 * DETECT_S
    # Last detected before 2 s, then kept.
    assert 2 + LOST_S - 2 * DETECT_S <= last <= 2 + LOST_S + DETECT_S


def test_of_two_people_the_one_who_was_there_first_is_followed(follower: PersonFollower) -> None:
    follower.crop(frame(wall(40), 0.0))
    for index in range(1, 12):
        follower.crop(frame(wall(40, 340), index / 10))
    left, _, width, _ = place_px(follower)
    assert left < 40
    assert left + width < 400
    squares = [Square(10.0, 10.0, 8.0), Square(100.0, 10.0, 8.0)]
    assert nearest(squares, None) is squares[0]
    assert nearest(squares, Square(97.0, 12.0, 8.0)) is squares[1]
    assert nearest(squares, Square(50.0, 10.0, 8.0)) is None
    assert nearest([], None) is None


def test_the_square_stays_inside_of_the_picture_or_has_black_bars(follower: PersonFollower) -> None:
    follower.crop(frame(wall(0), 0.0))
    left, _, side, height = place_px(follower)
    assert left == 0
    assert side == height
    low = np.ascontiguousarray(wall(150)[100:230])
    follower.restart()
    part = follower.crop(frame(low, 0.0)).data
    side = part.shape[0]
    assert part.shape[1] == side > 130
    bar = (side - 130) // 2
    assert not part[:bar].any()
    assert not part[bar + 130 :].any()
    assert follower.place is not None
    at = round(follower.place[0] * SIZE_PX[0])
    np.testing.assert_array_equal(part[bar : bar + 130], low[:, at : at + side])


def test_a_person_is_found_in_pictures_of_any_color(follower: PersonFollower) -> None:
    picture = wall(180)
    follower.crop(frame(picture, 0.0))
    wanted = follower.place
    follower.restart()
    follower.crop(frame(np.ascontiguousarray(picture[:, :, ::-1]), 0.0, "bgr"))
    assert follower.place == wanted is not None
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[:, :, None]
    np.testing.assert_array_equal(RgbPicture().of(frame(gray, 0.0, "gray")), np.repeat(gray, 3, axis=2))


def test_nothing_of_a_frames_size_is_allocated_between_two_runs_of_the_detector(follower: PersonFollower) -> None:
    spec = InputSpec(height=96, width=96, channels=3, color="bgr")
    preprocessor, out = Preprocessor(spec), np.zeros(spec.shape, np.uint8)
    pictures = [wall(200, top_px=round(100 + index)) for index in range(20)]

    def follow(index: int) -> None:
        # All after one run of the detector, while the square still moves.
        preprocessor.write(follower.crop(frame(pictures[index % 20], 0.001 * index)), out)

    for index in range(3):
        follow(index)
    tracemalloc.start()
    for index in range(3, 200):
        follow(index)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes / 2


def test_rows_and_torn_pictures_pass_and_a_missing_network_names_its_command(
    follower: PersonFollower, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for data, color in ((np.zeros(9, np.float32), "none"), (np.zeros((4, 4), np.uint8), "rgb")):
        odd = Frame(data, color, 0, 0)  # type: ignore[arg-type]
        assert follower.crop(odd) is odd
    monkeypatch.setenv("EDGEVID_KEYPOINTS", str(tmp_path))
    with pytest.raises(AssetError, match=r"pose_detection.tflite.* Run: edgevid fetch keypoints."):
        PersonFollower().crop(frame(wall(), 0.0))
    assert cli.main(["run", str(edgevid.DEMO), "--source", "synthetic:1", "--follow", "person"]) == 1
    assert "Run: edgevid fetch keypoints." in capsys.readouterr().err


def test_models_of_rows_and_of_key_points_follow_nobody(follower: PersonFollower) -> None:
    lane = Lane(engine_for(features_manifest()))
    with pytest.raises(UsageError, match="Expected pictures for a region"):
        lane.look_at(Cropper(), follower)


def scores(path: Path, *words: str, capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, float]], str]:
    """The scores of a run, and what it said to people."""
    assert cli.main(["run", str(path), "--json", *words]) == 0
    output = capsys.readouterr()
    lines = map(json.loads, output.out.splitlines())
    return [line["scores"] for line in lines if "scores" in line], output.err


def test_a_run_follows_where_its_training_did_or_its_user_says_so(
    video: Path, following: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ("--source", str(video))
    trained, said = scores(following, *source, capsys=capsys)
    assert "sees what its training saw: --follow person." in said
    assert "detector" in said
    chosen, said = scores(edgevid.DEMO, *source, "--follow", "person", capsys=capsys)
    assert "its training saw" not in said
    whole, said = scores(following, *source, "--follow", "none", capsys=capsys)
    assert "detector" not in said
    assert trained == chosen != whole == scores(edgevid.DEMO, *source, capsys=capsys)[0]
    # A region leaves less to search in.
    assert scores(following, *source, "--region", "0.0,0.0,0.3,1.0", capsys=capsys)[0] != trained


def test_a_region_is_searched_alone_and_the_page_shows_the_square_in_the_picture() -> None:
    region = Region(box=(0.0, 0.25, 0.5, 0.75))
    cropper, follower = Cropper(region), PersonFollower()
    control = RegionControl(cropper, follower=follower)
    assert control.shown()["person"] is None
    picture = wall(60)
    follower.crop(cropper.crop(frame(picture, 0.0), region))
    left, top, width, height = control.shown()["person"]
    assert 0 <= left <= left + width <= 0.5
    assert 0.25 <= top <= top + height <= 1
    assert left * SIZE_PX[0] < 60 + 50 < (left + width) * SIZE_PX[0]


def walkers() -> Iterator[Path]:
    for kind in ("walk", "jack", "bend"):
        yield from sorted((WALKERS / kind).glob("*.avi"))[:1]


@pytest.mark.skipif(not WALKERS.is_dir(), reason="the recordings of people are not here")
def test_people_who_walk_jump_and_bend_stay_in_the_middle_of_the_square() -> None:
    detector = person_detector(reader())
    for path in walkers():
        follower, away = PersonFollower(), []
        with VideoFile(path) as clip:
            for index, each in enumerate(clip.frames()):
                follower.crop(each)
                if index % 8:
                    continue
                assert follower.place is not None, path
                left, _, width, _ = follower.place
                people = detector.find(np.ascontiguousarray(each.data[:, :, ::-1]), most=1)
                away += [abs((one.points[0][0] / each.data.shape[1] - left) / width - 0.5) for one in people]
        # At its edge, it would be 0.5.
        assert np.mean(away) < 0.2, path
        assert len(away) > 3
