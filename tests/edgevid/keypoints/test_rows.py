"""Points as rows of numbers: the layouts of public models, normalised, and zeros for what is not seen."""

from __future__ import annotations

import numpy as np
import pytest

from edgevid.commands.run_options import models
from edgevid.errors import ContractError
from edgevid.frames import keypoint_rows
from edgevid.frames.keypoint_rows import KEYPOINTS, LAYOUTS, NORMALISE, KeypointRows, looks_like
from edgevid.keypoints.body import Body
from edgevid.keypoints.rows import RowMaker

SHAPE = (100, 200, 3)
RNG = np.random.default_rng(3)
BODY = Body(
    pose=RNG.uniform(0, 100, (33, 3)),
    visibility=RNG.uniform(0, 1, 33),
    left=RNG.uniform(0, 100, (21, 3)),
    right=RNG.uniform(0, 100, (21, 3)),
    face=RNG.uniform(0, 100, (468, 3)),
)
SHARES = np.array([200, 100, 200])


def row(kind: str, length: int, body: Body = BODY, normalise: str = "none") -> np.ndarray:
    out = np.full(length, 7.0, np.float32)
    RowMaker(KeypointRows(kind=kind, normalise=normalise), length).write(body, SHAPE, out)
    return out


def test_a_pose_is_x_y_z_and_visibility_in_shares_of_the_picture() -> None:
    wanted = np.concatenate([BODY.pose / SHARES, BODY.visibility[:, None]], axis=1)
    assert row("pose", 132) == pytest.approx(wanted.ravel(), abs=1e-6)
    assert row("pose", 99) == pytest.approx(wanted[:, :3].ravel(), abs=1e-6)
    assert row("pose", 66) == pytest.approx(wanted[:, :2].ravel(), abs=1e-6)


def test_the_parts_of_holistic_come_in_the_order_pose_face_left_right() -> None:
    pose, left, right = row("pose", 132), (BODY.left / SHARES).ravel(), (BODY.right / SHARES).ravel()
    face = (BODY.face / SHARES).ravel()
    assert row("holistic", 258) == pytest.approx(np.concatenate([pose, left, right]), abs=1e-6)
    assert row("holistic", 1662) == pytest.approx(np.concatenate([pose, face, left, right]), abs=1e-6)
    assert row("holistic", 225) == pytest.approx(np.concatenate([row("pose", 99), left, right]), abs=1e-6)
    assert row("hands", 126) == pytest.approx(np.concatenate([left, right]), abs=1e-6)


def test_what_is_not_seen_is_zeros() -> None:
    assert not any(row(kind, length, Body()).any() for kind in KEYPOINTS for length in LAYOUTS[kind])
    only_right = row("hands", 126, Body(right=BODY.right))
    assert not only_right[:63].any()
    assert only_right[63:].all()


def test_a_row_of_one_hand_holds_whichever_is_seen() -> None:
    assert np.array_equal(row("hands", 63, Body(right=BODY.right)), row("hands", 126)[63:])
    assert np.array_equal(row("hands", 63, Body(left=BODY.left)), row("hands", 126)[:63])


def test_hip_centres_on_the_hips_in_sizes_of_the_torso_whatever_the_picture() -> None:
    rows = row("pose", 132, normalise="hip").reshape(33, 4)
    assert rows[23:25, :3].mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)
    assert np.linalg.norm(rows[11:13, :2].mean(axis=0)) == pytest.approx(1.0)
    assert rows[:, 3] == pytest.approx(BODY.visibility)
    moved = Body(pose=BODY.pose * 2 + 30, visibility=BODY.visibility)
    assert row("pose", 132, moved, "hip") == pytest.approx(rows.ravel(), abs=1e-5)


def test_box_is_shares_of_the_longer_side_from_the_corner() -> None:
    rows = row("hands", 126, normalise="box").reshape(42, 3)
    assert rows[:, :2].min(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert rows[:, :2].max() == pytest.approx(1.0)


def test_wrist_is_from_each_hands_own_wrist() -> None:
    rows = row("hands", 126, normalise="wrist").reshape(2, 21, 3)
    assert not rows[:, 0].any()
    assert np.linalg.norm(rows[..., :2], axis=-1).max(axis=1) == pytest.approx([1, 1])


def test_points_that_lie_on_each_other_make_no_infinity() -> None:
    flat = Body(pose=np.full((33, 3), 5.0), visibility=np.ones(33), left=np.full((21, 3), 5.0))
    for normalise in ("hip", "box"):
        assert np.isfinite(row("holistic", 258, flat, normalise)).all()
    assert np.isfinite(row("hands", 63, flat, "wrist")).all()


@pytest.mark.parametrize(
    ("kind", "length", "words"),
    [
        (
            "pose",
            63,
            "rows of 132, 99, 66 numbers for key points 'pose', got a model with rows of 63, which look like 'h",
        ),
        ("hands", 132, "which look like 'pose' (33 points x, y, z, visibility)"),
        ("holistic", 51, "which look like 17 points of MoveNet or COCO: y, x, score"),
        ("pose", 12, "got a model with rows of 12."),
    ],
)
def test_rows_of_another_layout_are_named(kind: str, length: int, words: str) -> None:
    with pytest.raises(ContractError) as caught:
        KeypointRows(kind=kind).check(length)
    assert words in str(caught.value)


@pytest.mark.parametrize(("kind", "normalise"), [("hands", "hip"), ("pose", "wrist"), ("holistic", "wrist")])
def test_a_normalisation_without_its_points_is_rejected(kind: str, normalise: str) -> None:
    with pytest.raises(ContractError, match=f"for the normalisation '{normalise}', got '{kind}'"):
        KeypointRows(kind=kind, normalise=normalise)


def test_every_length_is_of_one_layout() -> None:
    lengths = [*(length for layouts in LAYOUTS.values() for length in layouts), *keypoint_rows.OTHERS]
    assert len(lengths) == len(set(lengths))
    assert all(map(looks_like, lengths))
    assert looks_like(7) == ""


def test_the_options_are_those_of_the_rows() -> None:
    assert (models.KEYPOINTS, models.NORMALISE) == (KEYPOINTS, NORMALISE)
