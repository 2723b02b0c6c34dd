"""The trackers on a real picture, beside what MediaPipe 0.10.18 itself finds in it.

`grace_hopper.json` holds what its Holistic solution returns for the portrait: first as it is, and as the
third of pictures that drift by 12 pixels.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgevid.errors import AssetError, ContractError
from edgevid.frames import Frame
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.keypoints.assets import reader
from edgevid.keypoints.hands import HandTracker
from edgevid.keypoints.holistic import HolisticTracker
from edgevid.keypoints.pose import PoseTracker
from edgevid.keypoints.stage import KeypointStage
from tests.keypoint_files import grace_hopper

THEIRS = json.loads((Path(__file__).parent / "grace_hopper.json").read_text())
PICTURE = grace_hopper()
HEIGHT, WIDTH = PICTURE.shape[:2]
SHARES = np.array([WIDTH, HEIGHT, WIDTH])
NOBODY = np.full_like(PICTURE, 127)
pytestmark = pytest.mark.usefixtures("keypoint_files")


@pytest.fixture
def pose() -> PoseTracker:
    return PoseTracker(reader())


def test_a_pose_is_within_half_a_pixel_of_mediapipes(pose: PoseTracker) -> None:
    found = pose.process(PICTURE)
    theirs = np.array(THEIRS["first"])
    distance_px = np.linalg.norm((found.pose - theirs[:, :3] * SHARES)[:, :2], axis=1)
    assert distance_px.max() < 0.5
    assert found.visibility == pytest.approx(theirs[:, 3], abs=0.01)
    assert found.pose[:, 2] / WIDTH == pytest.approx(theirs[:, 2], abs=0.02)


def test_the_person_is_followed_without_the_detector_and_smoothed_as_mediapipe_does(pose: PoseTracker) -> None:
    for index in range(3):
        found = pose.process(np.roll(PICTURE, 12 * index, axis=1))
    assert {name: each.times.rows for name, each in pose.networks.items()} == {"pose detector": 1, "pose landmarks": 3}
    theirs = np.array(THEIRS["third"])
    seen = theirs[:, 3] > 0.5
    distance_px = np.linalg.norm((found.pose - theirs[:, :3] * SHARES)[:, :2], axis=1)
    # 800 px from head to hips. Points below the picture's edge wander.
    assert distance_px[seen].max() < 0.8
    assert found.visibility == pytest.approx(theirs[:, 3], abs=0.005)


def test_a_turned_person_is_found_turned(pose: PoseTracker) -> None:
    upright = pose.process(PICTURE)
    pose.reset()
    turned = pose.process(np.ascontiguousarray(np.rot90(PICTURE)))
    # A quarter turn counter-clockwise brings (x, y) to (y, width - x).
    face = turned.pose[:11, :2]
    assert face[:, 0] == pytest.approx(upright.pose[:11, 1], abs=12)
    assert face[:, 1] == pytest.approx(WIDTH - upright.pose[:11, 0], abs=12)


def test_the_detector_runs_again_only_after_the_person_has_left(pose: PoseTracker) -> None:
    detector = pose.networks["pose detector"].times
    assert pose.process(NOBODY).pose is None
    assert pose.process(NOBODY).pose is None
    assert detector.rows == 2
    assert pose.process(PICTURE).pose is not None
    assert pose.process(PICTURE).pose is not None
    assert detector.rows == 3
    # Lost: this picture is searched with the last region, the next one by the detector.
    assert pose.process(NOBODY).pose is None
    assert detector.rows == 3
    assert pose.process(NOBODY).pose is None
    assert detector.rows == 4


def test_a_face_is_where_mediapipe_finds_it() -> None:
    tracker = HolisticTracker(reader(), has_face=True)
    found = tracker.process(PICTURE)
    places = [int(place) for place in THEIRS["face"]]
    theirs = np.array(list(THEIRS["face"].values())) * SHARES
    assert np.linalg.norm((found.face[places] - theirs)[:, :2], axis=1).max() < 2
    # Her hands are not in the picture. Of her wrists one is sure to be hidden, and is not looked at.
    assert (found.left, found.right) == (None, None)
    assert tracker.networks["hand finder"].times.rows == 1


def test_nobody_is_no_points_whatever_is_looked_for() -> None:
    assert HandTracker(reader()).process(NOBODY).left is None
    holistic = HolisticTracker(reader(), has_face=True)
    assert holistic.process(PICTURE).face is not None
    assert holistic.process(NOBODY).face is None


def test_a_stage_writes_the_row_of_a_frame_in_any_color_and_of_a_row_itself() -> None:
    stage = KeypointStage(KeypointRows(kind="pose"), 132)
    rows = []
    for color, data in (("rgb", PICTURE), ("bgr", np.ascontiguousarray(PICTURE[:, :, ::-1]))):
        stage.restart()
        rows.append(np.zeros(132, np.float32))
        stage.write(Frame(data, color, 0, 0), rows[-1])
    assert np.array_equal(*rows)
    assert rows[0].reshape(33, 4)[:11] == pytest.approx(np.array(THEIRS["first"])[:11], abs=0.02)
    gray = np.zeros(132, np.float32)
    stage.write(Frame(PICTURE.mean(axis=2, keepdims=True).astype(np.uint8), "gray", 0, 0), gray)
    assert gray.reshape(33, 4)[:11, :2] == pytest.approx(rows[0].reshape(33, 4)[:11, :2], abs=0.03)
    out = np.zeros(132, np.float32)
    stage.write(Frame(rows[0], "none", 0, 0), out)
    assert np.array_equal(out, rows[0])
    assert "pose landmarks     3" in stage.as_table()
    # Beside a model of a microsecond, by their medians.
    times_ms = np.median(stage.open().networks["pose landmarks"].times.newest(0, 3)) / 1e6
    assert stage.as_table(model_ms=1e-3).endswith(f"  {times_ms / 1e-3:.0f} x")


def test_a_torn_frame_and_a_row_of_another_length_are_rejected() -> None:
    stage = KeypointStage(KeypointRows(kind="pose"), 132)
    with pytest.raises(ContractError, match="a picture"):
        stage.write(Frame(PICTURE[:0], "rgb", 0, 0), np.zeros(132, np.float32))
    with pytest.raises(ContractError, match="features of shape"):
        stage.write(Frame(np.zeros(99, np.float32), "none", 0, 0), np.zeros(132, np.float32))


def test_rows_of_a_file_need_no_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEVID_KEYPOINTS", str(tmp_path / "empty"))
    stage = KeypointStage(KeypointRows(kind="pose"), 132)
    stage.write(Frame(np.ones(132, np.float32), "none", 0, 0), np.zeros(132, np.float32))
    assert stage.as_table() == ""
    with pytest.raises(AssetError, match="Run: edgevid fetch keypoints"):
        stage.write(Frame(PICTURE, "rgb", 0, 0), np.zeros(132, np.float32))
