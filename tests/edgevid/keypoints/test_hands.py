"""Hands on a frame of a public sign video, beside what MediaPipe 0.10.18 itself finds in it.

`home_sign.json` holds what its Hands and Holistic solutions return for frame 40 of the video, and for
frame 42 after frames 40 and 41.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgevid.capture.video_files import VideoFile
from edgevid.frames import Pixels
from edgevid.keypoints.assets import reader
from edgevid.keypoints.hands import HandTracker
from edgevid.keypoints.holistic import HolisticTracker
from tests.repo.files import ROOT

VIDEO = ROOT.parent / "shared" / "models" / "onnx_and_streams" / "pairs" / "handson" / "Home.mp4"
THEIRS = json.loads((Path(__file__).parent / "home_sign.json").read_text())
SHARES = np.array([1280, 720, 1280])
pytestmark = [
    pytest.mark.skipif(not VIDEO.is_file(), reason="the public sign videos are not here"),
    pytest.mark.usefixtures("keypoint_files"),
]


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    """Frames 40 to 43."""
    with VideoFile(VIDEO) as source:
        frames = [frame.data[:, :, ::-1].copy() for frame, _ in zip(source.frames(), range(44), strict=False)]
    return frames[40:]


def test_both_hands_are_within_a_pixel_of_mediapipes_and_of_its_side(pictures: list[Pixels]) -> None:
    found = HandTracker(reader()).process(pictures[0])
    for side in ("left", "right"):
        mine, theirs = getattr(found, side), np.array(THEIRS["hands"][side])
        assert np.linalg.norm((mine - theirs * SHARES)[:, :2], axis=1).max() < 1
        assert mine[:, 2] / 1280 == pytest.approx(theirs[:, 2], abs=0.002)


def test_followed_hands_are_within_four_pixels_of_mediapipes_too(pictures: list[Pixels]) -> None:
    hands, holistic = HandTracker(reader()), HolisticTracker(reader())
    for picture in pictures[:3]:
        both = {"hands_third": hands.process(picture), "holistic_third": holistic.process(picture)}
    for name, found in both.items():
        for side in ("left", "right"):
            theirs = np.array(THEIRS[name][side]) * SHARES
            assert np.linalg.norm((getattr(found, side) - theirs)[:, :2], axis=1).max() < 4, (name, side)


def test_two_hands_are_followed_without_the_detector_and_a_missing_one_is_looked_for(pictures: list[Pixels]) -> None:
    tracker = HandTracker(reader())
    for picture in pictures:
        found = tracker.process(picture)
        assert found.left is not None
        assert found.right is not None
    runs = {name: network.times.rows for name, network in tracker.networks.items()}
    assert runs == {"palm detector": 1, "hand landmarks": 8}
    blind = pictures[-1].copy()
    blind[:, blind.shape[1] // 2 :] = 127
    for _ in range(3):
        found = tracker.process(blind)
    assert (found.left is None) != (found.right is None)
    assert tracker.networks["palm detector"].times.rows >= 2


def test_one_hand_is_looked_for_where_one_is_asked_for(pictures: list[Pixels]) -> None:
    tracker = HandTracker(reader(), most=1)
    found = tracker.process(pictures[0])
    assert (found.left is None) != (found.right is None)
    assert tracker.networks["hand landmarks"].times.rows == 1


def test_the_hands_of_a_pose_are_within_two_pixels_of_mediapipes(pictures: list[Pixels]) -> None:
    found = HolisticTracker(reader()).process(pictures[0])
    for side in ("left", "right"):
        theirs = np.array(THEIRS["holistic"][side]) * SHARES
        assert np.linalg.norm((getattr(found, side) - theirs)[:, :2], axis=1).max() < 2
