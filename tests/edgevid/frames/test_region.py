"""What of a picture a model sees: rectangles and polygons, to the pixel."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest

from edgevid.errors import SourceError, UsageError
from edgevid.frames import Frame, Pixels
from edgevid.frames.cropping import Cropper
from edgevid.frames.region import Region, as_region, numbers, text

WIDTH, HEIGHT = 64, 48
RANDOM = np.random.default_rng(0).integers(1, 256, (HEIGHT, WIDTH, 3), np.uint8)


def seen(region: Region, pixels: Pixels = RANDOM) -> Pixels:
    color = "gray" if pixels.shape[2] == 1 else "bgr"
    return Cropper(region).crop(Frame(pixels, color, 7, 3), region).data


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((8, 4, 20, 30), slice(4, 34), slice(8, 28)),
        ((0, 0, 64, 48), slice(0, 48), slice(0, 64)),
        ((44, 40, 20, 8), slice(40, 48), slice(44, 64)),
        ((0.25, 0.125, 0.5, 0.5), slice(6, 30), slice(16, 48)),
        ((0.0, 0.0, 1.0, 1.0), slice(0, 48), slice(0, 64)),
        ((0, 0, 0.5, 1), slice(0, 48), slice(0, 32)),
        ((0.7, 0.7, 0.3, 0.3), slice(34, 48), slice(45, 64)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_rectangle_is_cut_to_the_pixel_in_pixels_and_in_shares(
    box: tuple[float, ...], rows: slice, columns: slice, channels: int
) -> None:
    pixels = RANDOM[:, :, :channels]
    np.testing.assert_array_equal(seen(Region(box=box), pixels), pixels[rows, columns])


def test_regions_that_touch_share_no_column_and_leave_none_out() -> None:
    for width in (33, 47, 64, 101):
        left, right = Region(box=(0.0, 0.0, 0.35, 1.0)), Region(box=(0.35, 0.0, 0.65, 1.0))
        assert left.place((width, 48))[2] == right.place((width, 48))[0]
        assert right.place((width, 48))[2] == width


def test_a_rectangle_is_a_view_of_the_frame_and_the_whole_picture_the_frame_itself() -> None:
    pixels = RANDOM.copy()
    frame = Frame(pixels, "bgr", 7, 3)
    region = Region(box=(8, 4, 20, 30))
    part = Cropper(region).crop(frame, region)
    assert np.shares_memory(part.data, pixels)
    assert (part.color, part.timestamp_ns, part.index) == ("bgr", 7, 3)
    assert Cropper().crop(frame, Region()) is frame


def test_outside_of_a_polygon_the_picture_is_black_and_the_frame_stays_as_it_was() -> None:
    pixels = RANDOM.copy()
    triangle = (0, 0, 64, 0, 0, 48)
    got = seen(Region(masks=[triangle]), pixels)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    inside = (columns + 0.5) / WIDTH + (rows + 0.5) / HEIGHT < 1
    np.testing.assert_array_equal(got[inside], RANDOM[inside])
    assert not got[~inside].any()
    np.testing.assert_array_equal(pixels, RANDOM)


def test_polygons_add_up_and_lie_in_the_whole_picture_whatever_the_rectangle() -> None:
    masks = [(0.0, 0.0, 0.5, 0.0, 0.5, 1.0, 0.0, 1.0), (48, 24, 64, 24, 64, 48, 48, 48)]
    got = seen(Region(box=(16, 8, 48, 40), masks=masks))
    wanted = np.zeros_like(RANDOM)
    wanted[:, :32] = RANDOM[:, :32]
    wanted[24:, 48:] = RANDOM[24:, 48:]
    np.testing.assert_array_equal(got, wanted[8:48, 16:64])


@pytest.mark.parametrize("seed", range(8))
def test_a_polygon_of_any_shape_covers_the_pixels_whose_centres_are_inside(seed: int) -> None:
    shares = np.random.default_rng(seed).uniform(0, 1, (6, 2))
    corners = shares * (WIDTH, HEIGHT)
    got = Region(masks=[shares.flatten().tolist()]).visible((WIDTH, HEIGHT))
    assert got is not None
    # Painted sixteen times as large: a pixel's centre is a corner of four small ones.
    large = np.zeros((HEIGHT * 16, WIDTH * 16), np.uint8)
    cv2.fillPoly(large, [np.round(corners * 16 - 0.5).astype(np.int32)], 255)
    blocks = large.reshape(HEIGHT, 16, WIDTH, 16)
    full, empty = (blocks > 0).all(axis=(1, 3)), (blocks == 0).all(axis=(1, 3))
    assert got[full].all()
    assert not got[empty].any()


def test_a_frame_is_cut_once_for_all_models_of_a_stream() -> None:
    region = Region(masks=[(0.0, 0.0, 1.0, 0.0, 0.0, 1.0)])
    cropper, frame = Cropper(region), Frame(RANDOM.copy(), "bgr", 0, 0)
    first = cropper.crop(frame, region)
    frame.data[:] = 0
    assert cropper.crop(frame, region) is first
    assert first.data.any()
    assert not cropper.crop(Frame(frame.data, "bgr", 1, 1), region).data.any()


def test_another_size_and_another_region_are_cut_anew() -> None:
    region = Region(box=(0.5, 0.5, 0.5, 0.5), masks=[(0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0)])
    cropper = Cropper(region)
    for height, width in ((48, 64), (96, 128), (48, 64)):
        pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
        got = cropper.crop(Frame(pixels, "bgr", 0, 0), region).data
        np.testing.assert_array_equal(got, pixels[height // 2 :, width // 2 :])
        assert cropper.size_px == (width, height)
    frame = Frame(RANDOM, "bgr", 0, 0)
    np.testing.assert_array_equal(cropper.crop(frame, other := Region(box=(0, 0, 8, 8))).data, RANDOM[:8, :8])
    np.testing.assert_array_equal(cropper.crop(frame, region).data, RANDOM[24:, 32:])
    assert cropper.crop(frame, other).data.shape == (8, 8, 3)
    whole = Region()
    assert cropper.crop(frame, whole) is cropper.crop(frame, whole) is frame


@pytest.mark.parametrize("masks", [[], [(0.0, 0.0, 1.0, 0.0, 0.0, 1.0)]])
def test_nothing_of_a_frames_size_is_allocated_for_a_frame(masks: list[tuple[float, ...]]) -> None:
    pixels = np.zeros((480, 640, 3), np.uint8)
    region = Region(box=(0.1, 0.1, 0.8, 0.8), masks=masks)
    cropper = Cropper(region)
    cropper.crop(Frame(pixels, "bgr", 0, 0), region)
    tracemalloc.start()
    for index in range(1, 5):
        cropper.crop(Frame(pixels, "bgr", index, index), region)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000


def test_rows_of_features_and_torn_pictures_pass_as_they_are() -> None:
    region = Region(box=(8, 8, 8, 8))
    for data, color in ((np.zeros(5, np.float32), "none"), (np.zeros((3, 4), np.uint8), "bgr")):
        frame = Frame(data, color, 0, 0)  # type: ignore[arg-type]
        assert Cropper(region).crop(frame, region) is frame


OUTSIDE = {
    "a rectangle beyond the right edge": (Region(box=(50, 0, 20, 20)), "inside of the pictures of 64x48 px"),
    "a rectangle beyond the bottom": (Region(box=(0, 30, 20, 20)), "from this source, got 0,30,20,20."),
    "a share that is next to nothing": (Region(box=(0.5, 0.5, 0.1, 0.5)), "at least 8 px a side .*, got 6x24 px."),
    "a polygon beyond the picture": (Region(masks=[(0, 0, 65, 0, 0, 48)]), "a mask inside of the pictures of 64x48"),
    "a polygon beside the rectangle": (
        Region(box=(0, 0, 16, 16), masks=[(32, 0, 64, 0, 64, 48)]),
        "masks that leave at least 64 pixels of the region, got 0.",
    ),
}


@pytest.mark.parametrize(("region", "message"), OUTSIDE.values(), ids=list(OUTSIDE))
def test_a_region_that_does_not_fit_the_picture_is_an_error_at_every_frame(region: Region, message: str) -> None:
    cropper = Cropper(region)
    for index in range(2):
        with pytest.raises(SourceError, match=message):
            cropper.crop(Frame(RANDOM, "bgr", index, index), region)


ILLEGAL = {
    "three numbers": (lambda: Region(box=(1, 2, 3)), r"a region x,y,width,height, in pixels, or .*, got 1,2,3\."),
    "no number": (lambda: Region(box=("1", 0, 9, 9)), "a region x,y"),  # type: ignore[arg-type]
    "a truth value": (lambda: Region(box=(True, 0, 9, 9)), "a region x,y"),
    "not a number": (lambda: Region(box=(float("nan"), 0, 0.5, 0.5)), "a region x,y"),
    "left of the picture": (lambda: Region(box=(-1, 0, 9, 9)), "a region x,y"),
    "no width": (lambda: Region(box=(0.5, 0.5, 0.0, 0.5)), "a width and a height above 0, got 0.5,0.5,0.0,0.5"),
    "few pixels": (lambda: Region(box=(0, 0, 1, 1)), "at least 8 px, got 0,0,1,1. Write shares .* with a point"),
    "beyond one": (lambda: Region(box=(0.75, 0, 0.5, 1)), "whose shares end at 1.0, got 0.75,0,0.5,1."),
    "pixels with a point": (lambda: Region(box=(10.5, 10, 100, 100)), "Write pixels without a point."),
    "two corners": (lambda: Region(masks=[(0, 0, 9, 9)]), "a mask x1,y1"),
    "half a corner": (lambda: Region(masks=[(0, 0, 9, 9, 9, 0, 4)]), "a mask x1,y1"),
    "a line": (lambda: Region(masks=[(0, 0, 9, 0, 20, 0)]), "a mask with an area"),
    "a share beyond one": (lambda: Region(masks=[(0.0, 0, 1.5, 0, 1, 1)]), "a mask inside of the picture"),
    "words": (lambda: as_region("left half"), "numbers of at least 0 with commas"),
    "a sign": (lambda: as_region("-1,0,9,9"), "numbers of at least 0"),
    "an exponent": (lambda: as_region("1e3,0,9,9"), "numbers of at least 0"),
    "nothing": (lambda: as_region(""), "numbers of at least 0"),
}


@pytest.mark.parametrize(("make", "message"), ILLEGAL.values(), ids=list(ILLEGAL))
def test_a_region_that_fits_no_picture_is_rejected_with_the_legal_form(make, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert str(caught.value).startswith("Expected ")
    assert "\n" not in str(caught.value)


def test_numbers_are_read_as_they_are_written() -> None:
    assert numbers("160,48,320,384") == (160, 48, 320, 384)
    assert numbers(" 0.25, .1,0.5,1 ") == (0.25, 0.1, 0.5, 1.0)
    assert {type(each) for each in numbers("0,0,0.5,1")} == {float}
    for words in ("160,48,320,384", "0.25,0.1,0.5,0.8"):
        assert text(numbers(words)) == words
        assert as_region(words) == Region(box=numbers(words)) == as_region(numbers(words))
    assert as_region(None).is_whole
