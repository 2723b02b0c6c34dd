import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevid.errors import MissingDependency
from edgevid.frames.imaging import converter, opencv, resizer

cv2 = pytest.importorskip("cv2")

NOISE = np.random.default_rng(3).integers(0, 256, (48, 80, 3)).astype(np.uint8)
INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "cubic": cv2.INTER_CUBIC,
}


def resized(rule, pixels, target, interpolation="linear", fill=77):
    out = np.full((*target, pixels.shape[2]), fill, np.uint8)
    resizer(rule, interpolation, source=pixels.shape, target=target)(pixels, out)
    return out


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target", [(24, 24), (64, 96), (48, 40)])
def test_stretch_is_a_plain_resize_bit_for_bit(interpolation, channels, target):
    pixels = np.ascontiguousarray(NOISE[:, :, :channels])
    wanted = cv2.resize(pixels, (target[1], target[0]), interpolation=INTERPOLATIONS[interpolation]).reshape(
        *target, channels
    )
    assert np.array_equal(resized("stretch", pixels, target, interpolation), wanted)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("target", "cut"),
    [
        ((24, 24), np.s_[0:48, 16:64]),  # 48x48 of the middle
        ((12, 40), np.s_[12:36, 0:80]),  # 24x80 of the middle
        ((24, 40), np.s_[0:48, 0:80]),  # the aspect fits: all of it
    ],
)
def test_crop_resizes_the_largest_centred_part_of_the_targets_aspect(channels, target, cut):
    pixels = np.ascontiguousarray(NOISE[:, :, :channels])
    wanted = cv2.resize(np.ascontiguousarray(pixels[cut]), (target[1], target[0])).reshape(*target, channels)
    assert np.array_equal(resized("crop", pixels, target), wanted)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("target", "place"),
    [
        ((40, 40), np.s_[8:32, 0:40]),  # 24x40: bars above and below
        ((24, 60), np.s_[0:24, 10:50]),  # 24x40: bars left and right
        ((24, 40), np.s_[0:24, 0:40]),
    ],
)
def test_letterbox_puts_the_whole_frame_in_the_middle_of_black(channels, target, place):
    pixels = np.ascontiguousarray(NOISE[:, :, :channels])
    wanted = np.zeros((*target, channels), np.uint8)
    wanted[place] = cv2.resize(pixels, (40, 24)).reshape(24, 40, channels)
    assert np.array_equal(resized("letterbox", pixels, target), wanted)


def test_letterbox_wipes_what_the_buffer_held_before_each_time():
    resize = resizer("letterbox", "linear", source=NOISE.shape, target=(40, 40))
    out = np.full((40, 40, 3), 255, np.uint8)
    resize(NOISE, out)
    first = out.copy()
    out[...] = 9
    resize(NOISE, out)
    assert np.array_equal(out, first)
    assert out[:8].max() == 0


@given(
    rule=st.sampled_from(["stretch", "crop", "letterbox"]),
    source=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    target=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_any_size_fits_into_any_other_and_a_white_frame_stays_white(rule, source, target):
    out = resized(rule, np.full((*source, 3), 255, np.uint8), target, fill=0)
    assert set(np.unique(out)) <= {0, 255}
    assert out[target[0] // 2, target[1] // 2].min() == 255
    if rule != "letterbox":
        assert out.min() == 255


@pytest.mark.parametrize(("source", "target"), [((50, 1), (10, 60)), ((1, 50), (60, 10))])
def test_a_cut_is_at_least_a_pixel_of_the_narrowest_frame(source, target):
    assert resized("crop", np.full((*source, 3), 255, np.uint8), target).min() == 255


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("bgr", "rgb", cv2.COLOR_BGR2RGB),
        ("rgb", "bgr", cv2.COLOR_RGB2BGR),
        ("rgb", "gray", cv2.COLOR_RGB2GRAY),
        ("bgr", "gray", cv2.COLOR_BGR2GRAY),
        ("gray", "rgb", cv2.COLOR_GRAY2RGB),
        ("gray", "bgr", cv2.COLOR_GRAY2BGR),
    ],
)
def test_colours_are_converted_as_opencv_does_bit_for_bit(source, target, code):
    pixels = np.ascontiguousarray(NOISE[:, :, :1]) if source == "gray" else NOISE
    out = np.zeros((48, 80, 1 if target == "gray" else 3), np.uint8)
    converter(source, target)(pixels, out)
    assert np.array_equal(out, cv2.cvtColor(pixels, code).reshape(out.shape))


@pytest.mark.parametrize("color", ["rgb", "bgr", "gray"])
def test_the_same_colour_needs_no_conversion(color):
    assert converter(color, color) is None


def test_opencv_is_held_to_one_thread():
    cv2.setNumThreads(4)
    assert opencv("a test").getNumThreads() == 1


def test_without_opencv_the_error_says_what_needs_it_and_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        MissingDependency,
        match=r"OpenCV for resizing frames of 80x48 to 24x32, got none. .*pip install 'edgevid\[opencv\]'",
    ) as caught:
        resizer("stretch", "linear", source=NOISE.shape, target=(32, 24))
    assert caught.value.exit_code == 2
    assert isinstance(caught.value, ImportError)
