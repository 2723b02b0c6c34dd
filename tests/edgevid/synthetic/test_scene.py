"""Pictures of a hand."""

from __future__ import annotations

import dataclasses

import numpy as np

from edgevid.synthetic.scene import Renderer, Scene, draw_scene

SCENE = dataclasses.replace(
    draw_scene(np.random.default_rng(0)),
    skin=(255.0, 0.0, 0.0),
    sleeve=(255.0, 0.0, 0.0),
    gain=1.0,
    flicker=0.0,
    noise=0.0,
)
AWAY = (0.5, 3.0, 0.0)


def picture(
    scene: Scene, pose: tuple[float, float, float], *, height_px: int = 64, width_px: int = 64, t_s: float = 0.0
) -> np.ndarray:
    """One frame, on its own."""
    out = np.zeros((height_px, width_px, 3), np.uint8)
    Renderer(scene, height_px=height_px, width_px=width_px).draw(pose, t_s, out)
    return out


def hand(scene: Scene, pose: tuple[float, float, float], **size: int) -> np.ndarray:
    """Which pixels the hand changes."""
    return (picture(scene, pose, **size) != picture(scene, AWAY, **size)).any(axis=2)


def test_the_hand_is_where_the_pose_says() -> None:
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.5, 0.6)):
        covered = hand(SCENE, (x, y, 0.0))
        assert covered[round(y * 64), round(x * 64)]
        assert not covered[:, : round((x - 0.5) * 64)].any() or x < 0.5


def test_the_hand_lies_in_the_same_part_of_the_picture_at_every_size() -> None:
    pose = (0.4, 0.4, 0.2)
    small, large = hand(SCENE, pose, height_px=60, width_px=60), hand(SCENE, pose, height_px=240, width_px=240)
    assert abs(small.mean() - large.mean()) < 0.02


def test_without_a_hand_nothing_moves_but_noise_and_light() -> None:
    still = picture(SCENE, AWAY)
    np.testing.assert_array_equal(still, picture(SCENE, (0.1, 4.0, 1.0), t_s=1.0))
    assert (picture(dataclasses.replace(SCENE, gain=0.5), AWAY).mean() / still.mean()).round(1) == 0.5


def test_noise_changes_from_frame_to_frame_and_has_the_deviation_asked_for() -> None:
    renderer = Renderer(dataclasses.replace(SCENE, noise=5.0, gain=0.5), height_px=64, width_px=64)
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    for frame in frames:
        renderer.draw(AWAY, 0.0, frame)
    difference = frames[1].astype(float) - frames[0]
    middle = (frames[0] > 20) & (frames[0] < 235)
    assert 6.0 < difference[middle].std() < 8.0  # two independent deviations of 5


def test_the_light_flickers_with_time() -> None:
    scene = dataclasses.replace(SCENE, flicker=0.2, flicker_hz=0.25, gain=0.7)
    assert picture(scene, AWAY, t_s=1.0).mean() > 1.1 * picture(scene, AWAY, t_s=0.0).mean()


def test_the_same_seed_draws_the_same_scene_and_another_seed_another() -> None:
    first, again, other = (draw_scene(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other
    np.testing.assert_array_equal(picture(first, (0.5, 0.5, 0.0)), picture(again, (0.5, 0.5, 0.0)))
