import dataclasses

import numpy as np
import pytest

pytest.importorskip("cv2")

from convert.training.augment import NONE, Augmentation, Variation, draw, parse_flip
from edgevid.errors import UsageError

LABELS = ("left", "right", "wave")


def same_frames(count=4, channels=3):
    """A clip whose frames are all the same random picture, smooth enough to be moved about."""
    picture = np.random.default_rng(5).integers(0, 256, (24, 32, channels), np.uint8)
    return np.repeat(picture[None], count, axis=0)


def drawn(augmentation, count=50, label="wave"):
    return [draw(augmentation, np.random.default_rng(seed), label=label) for seed in range(count)]


def test_a_variation_is_the_same_for_every_frame_of_a_clip():
    for variation in drawn(Augmentation(flip={"wave": "wave"}), count=10):
        varied = variation.apply(same_frames())
        assert (varied == varied[:1]).all()


def test_no_variation_leaves_every_pixel_and_copies():
    clip = same_frames()
    for variation in drawn(NONE, count=5):
        varied = variation.apply(clip)
        np.testing.assert_array_equal(varied, clip)
        assert not np.shares_memory(varied, clip)


@pytest.mark.parametrize("channels", [1, 3])
def test_mirroring_exchanges_left_and_right(channels):
    clip = same_frames(channels=channels)
    np.testing.assert_array_equal(Variation(mirrored=True).apply(clip), clip[:, :, ::-1])


def test_a_shift_moves_by_a_fraction_of_the_size():
    clip = same_frames()
    moved = Variation(shift=(0.25, 0.5)).apply(clip)
    np.testing.assert_array_equal(moved[:, 12:, 8:], clip[:, :12, :24])


def test_brightness_and_contrast_change_levels_and_clip():
    clip = np.array([0, 100, 255], np.uint8).reshape(1, 1, 3, 1)
    np.testing.assert_array_equal(Variation(brightness=0.2).apply(clip).ravel(), [51, 151, 255])
    np.testing.assert_array_equal(Variation(contrast=0.5).apply(clip).ravel(), [64, 114, 191])


@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_type_stay(channels):
    varied = Variation(zoom=1.2, angle_deg=5).apply(same_frames(channels=channels))
    assert (varied.shape, varied.dtype) == ((4, 24, 32, channels), np.uint8)


def test_what_is_drawn_stays_within_the_reach():
    reach = Augmentation(shift=0.1, scale=1.2, rotation_deg=7, brightness=0.1, contrast=1.3, speed=1.25)
    for variation in drawn(reach):
        assert max(map(abs, variation.shift)) <= 0.1
        assert 1 / 1.2 <= variation.zoom <= 1.2
        assert abs(variation.angle_deg) <= 7
        assert abs(variation.brightness) <= 0.1
        assert 1 / 1.3 <= variation.contrast <= 1.3
        assert 0.8 <= variation.speed <= 1.25
        assert not variation.mirrored


def test_draws_differ_and_the_same_seed_draws_the_same():
    first, second = drawn(Augmentation(), count=2)
    assert first != second
    assert first == drawn(Augmentation(), count=1)[0]


def test_only_classes_that_may_be_mirrored_are():
    augmentation = Augmentation(flip={"left": "right", "right": "left"})
    assert not any(variation.mirrored for variation in drawn(augmentation, label="wave"))
    mirrored = [variation.mirrored for variation in drawn(augmentation, label="left")]
    assert any(mirrored)
    assert not all(mirrored)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", {}),
        ("all", {"left": "left", "right": "right", "wave": "wave"}),
        ("wave", {"wave": "wave"}),
        ("wave,left=right", {"wave": "wave", "left": "right", "right": "left"}),
    ],
)
def test_classes_to_mirror_are_read(text, expected):
    assert parse_flip(text, LABELS) == expected


@pytest.mark.parametrize("text", ["up", "left=up", "", "wave,"])
def test_a_class_to_mirror_that_is_not_there_is_refused(text):
    with pytest.raises(UsageError, match="left, right, wave"):
        parse_flip(text, LABELS)


def test_every_field_of_the_augmentation_is_off_in_none():
    assert set(drawn(NONE)) == {dataclasses.replace(Variation())}
