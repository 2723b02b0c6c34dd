"""Regions, detections, filters and the choice of a region, without the networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgevid.frames.imaging import warper
from edgevid.keypoints.detector import anchors, suppress
from edgevid.keypoints.follow import Leeway
from edgevid.keypoints.hands import hand_roi, merge
from edgevid.keypoints.pose import refine
from edgevid.keypoints.roi import Roi, turn_towards, whole
from edgevid.keypoints.smoothing import INTERVAL_S, LowPass, OneEuro

TILTED = Roi(60.0, 40.0, 30.0, 30.0, math.radians(30))


def test_the_matrix_of_a_region_and_its_way_back_to_the_picture_are_inverse() -> None:
    corners = np.array([[0.0, 0.0, 0.1], [1.0, 0.0, 0.2], [0.25, 0.75, 0.3]])
    placed = TILTED.to_picture(corners)
    back = TILTED.matrix(64) @ np.array([*placed[:, :2].T, np.ones(3)])
    assert pytest.approx(corners[:, :2] * 64) == back[:2].T
    # z is in units of the width, as x is.
    assert placed[:, 2] == pytest.approx(corners[:, 2] * 30)


def test_a_turn_of_90_degrees_clockwise_brings_what_is_above_to_the_right() -> None:
    above = Roi(50.0, 50.0, 20.0, 20.0, math.pi / 2).to_picture(np.array([[0.5, 0.0]]))
    assert above[0] == pytest.approx([60.0, 50.0])


def test_the_square_around_a_circle_has_its_edge_above() -> None:
    roi = Roi.around(np.array([50.0, 50.0]), np.array([80.0, 50.0]))
    assert (roi.x, roi.y, roi.width, roi.height) == (50, 50, 60, 60)
    assert roi.to_picture(np.array([[0.5, 0.0]]))[0] == pytest.approx([80.0, 50.0])


def test_a_region_is_moved_along_its_own_height_and_grows_to_a_square() -> None:
    grown = Roi(50.0, 50.0, 10.0, 20.0, math.pi / 2).expanded(2.0, shift_y=-0.5)
    assert (grown.x, grown.y, grown.width, grown.height) == pytest.approx((60.0, 50.0, 40.0, 40.0))


@pytest.mark.parametrize(("end", "degrees"), [((0, -5), 0), ((5, 0), 90), ((0, 5), -180), ((-5, 0), -90)])
def test_a_line_is_turned_to_point_up(end: tuple[int, int], degrees: float) -> None:
    assert math.degrees(turn_towards(np.zeros(2), np.array(end))) == pytest.approx(degrees)


def test_a_detector_sees_a_wide_picture_with_bars_and_landmarks_repeat_its_edge() -> None:
    picture = np.full((20, 40, 3), 200, np.uint8)
    view = whole(picture.shape)
    assert (view.x, view.y, view.width) == (20, 10, 40)
    barred, repeated = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)
    warper(40, has_bars=True)(picture, view.matrix(40), barred)
    warper(40, has_bars=False)(picture, view.matrix(40), repeated)
    assert barred[5].max() == 0
    assert barred[20].min() == repeated[5].min() == 200


@pytest.mark.parametrize(
    ("size_px", "strides", "count"),
    [(224, (8, 16, 32, 32, 32), 2254), (192, (8, 16, 16, 16), 2016), (128, (8, 16, 16, 16), 896)],
    ids=["pose", "palm", "face"],
)
def test_there_are_as_many_anchors_as_the_networks_have_boxes(
    size_px: int, strides: tuple[int, ...], count: int
) -> None:
    places = anchors(size_px, strides)
    assert places.shape == (count, 2)
    assert places[0] == pytest.approx([4 / size_px, 4 / size_px])
    assert places[-1] == pytest.approx([1 - max(strides) / 2 / size_px] * 2)


def test_detections_that_overlap_become_one_weighted_by_their_scores() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]])
    points = boxes[:, None, :2].copy()
    found = suppress(boxes, points, np.array([0.9, 0.6, 0.8]), most=2)
    assert [each.score for each in found] == [0.9, 0.8]
    assert found[0].box == pytest.approx([0.8, 0, 10.8, 10])
    assert found[0].points[0] == pytest.approx([0.8, 0])
    assert len(suppress(boxes, points, np.array([0.9, 0.6, 0.8]), most=1)) == 1


def test_a_box_without_an_area_does_not_hang_the_suppression() -> None:
    flat = np.zeros((2, 4))
    assert len(suppress(flat, flat[:, None, :2], np.array([0.9, 0.8]), most=9)) == 2


def test_a_point_moves_to_the_centre_of_the_heat_around_it_if_the_heat_is_sure() -> None:
    heat = np.full((64, 64, 3), -20.0, np.float32)
    heat[30, 34, :2] = 5.0
    heat[30, 34, 1] = -1.0
    points = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.2], [-0.1, 0.5, 0.3]])
    moved = refine(points, heat)
    # Cell 34 of 64, and row 30; the point with unsure heat and the one outside stay.
    assert moved[0, :2] == pytest.approx([34 / 64, 30 / 64], abs=1e-3)
    assert moved[1:] == pytest.approx(points[1:])
    assert moved[:, 2] == pytest.approx(points[:, 2])


def test_heat_more_than_four_cells_away_does_not_count() -> None:
    heat = np.full((64, 64, 1), -20.0, np.float32)
    heat[32, 37] = 5.0
    assert refine(np.array([[0.5, 0.5, 0.0]]), heat)[0, 0] == 0.5
    heat[32, 36] = 5.0
    assert refine(np.array([[0.5, 0.5, 0.0]]), heat)[0, 0] > 0.55


def test_a_one_euro_filter_is_slow_at_rest_and_fast_in_motion() -> None:
    still, quick = (OneEuro(min_cutoff=0.05, beta=80.0) for _ in range(2))
    assert still.apply(np.array([100.0]), scale=100.0) == quick.apply(np.array([100.0]), scale=100.0)
    little = float(still.apply(np.array([100.01]), scale=100.0)[0] - 100.0) / 0.01
    much = float(quick.apply(np.array([150.0]), scale=100.0)[0] - 100.0) / 50.0
    assert little < 0.05 < 0.8 < much < 1.0


def test_the_filter_follows_the_paper() -> None:
    """Two steps by hand: speed, its low pass, the cut-off and the weight of the new value."""
    filtered = OneEuro(min_cutoff=0.05, beta=80.0)
    filtered.apply(np.array([10.0]), scale=50.0)

    def weight(cutoff: float) -> float:
        return 1 / (1 + 1 / (2 * math.pi * cutoff * INTERVAL_S))

    speed = weight(1.0) * (12.0 - 10.0) / 50.0 / INTERVAL_S
    alpha = weight(0.05 + 80.0 * speed)
    assert filtered.apply(np.array([12.0]), scale=50.0)[0] == pytest.approx(alpha * 12.0 + (1 - alpha) * 10.0)


def test_filters_forget_and_a_thing_without_a_size_is_not_smoothed() -> None:
    euro, low = OneEuro(min_cutoff=0.05, beta=0.0), LowPass(0.1)
    for each in (1.0, 2.0):
        euro.apply(np.array([each]), scale=1.0)
        low.apply(np.array([each]))
    assert low.apply(np.array([2.0]))[0] == pytest.approx(1.19)
    assert euro.apply(np.array([9.0]), scale=0.0)[0] == 9.0
    euro.reset()
    low.reset()
    assert (euro.apply(np.array([5.0]), scale=1.0)[0], low.apply(np.array([5.0]))[0]) == (5.0, 5.0)


LEEWAY = Leeway(rotation_deg=40, translation=0.2, scale=0.4, margin=-0.1)
FOUND = Roi(50.0, 50.0, 20.0, 20.0)


@pytest.mark.parametrize(
    ("last", "point", "keeps"),
    [
        (Roi(53.0, 47.0, 24.0, 24.0, 0.5), (55, 55), True),
        (Roi(55.0, 50.0, 20.0, 20.0), (55, 55), False),
        (Roi(50.0, 50.0, 30.0, 30.0), (55, 55), False),
        (Roi(50.0, 50.0, 20.0, 20.0, 0.8), (55, 55), False),
        (Roi(50.0, 50.0, 20.0, 20.0), (59.5, 50), False),
        (Roi(50.0, 50.0, 20.0, 20.0, 2 * math.pi - 0.1), (55, 55), True),
    ],
    ids=["near", "moved", "grew", "turned", "a point at the edge", "a full turn"],
)
def test_the_last_region_is_kept_while_it_is_near_the_one_found_anew(
    last: Roi, point: tuple[float, float], keeps: bool
) -> None:
    points = np.array([[*point, 0.0]])
    assert LEEWAY.choose(last, points, FOUND) is (last if keeps else FOUND)


def test_without_a_last_region_the_one_found_anew_is_taken() -> None:
    assert LEEWAY.choose(None, None, FOUND) is FOUND


def test_the_region_of_a_hand_points_along_its_fingers() -> None:
    points = np.zeros((21, 3))
    # A hand that points to the right: the wrist at the left, knuckles and joints to the right.
    points[:, 0] = 100 + np.arange(21) * 2
    points[:, 1] = 60 + (np.arange(21) % 2)
    roi = hand_roi(points)
    assert math.degrees(roi.rotation) == pytest.approx(90, abs=5)
    assert roi.width == roi.height == pytest.approx(2 * 36, abs=3)


def test_of_two_regions_of_one_hand_the_followed_one_is_kept() -> None:
    found, other, followed = Roi(50.0, 50.0, 20.0, 20.0), Roi(150.0, 50.0, 20.0, 20.0), Roi(52.0, 50.0, 20.0, 20.0)
    assert merge([found, other, followed]) == [other, followed]
