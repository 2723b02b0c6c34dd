import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from edgevid.errors import ContractError
from edgevid.frames import Frame
from edgevid.frames.preprocess import InputSpec, Preprocessor

NOISE = np.random.default_rng(5).integers(0, 256, (48, 80, 3)).astype(np.uint8)
CODES = {
    ("bgr", "rgb"): "COLOR_BGR2RGB",
    ("rgb", "bgr"): "COLOR_RGB2BGR",
    ("bgr", "gray"): "COLOR_BGR2GRAY",
    ("gray", "rgb"): "COLOR_GRAY2RGB",
}


def frame(data, color="bgr"):
    return Frame(data, color, 0, 0)


def prepared(spec, raw):
    out = np.full(spec.shape, 99, spec.dtype)
    Preprocessor(spec).write(raw, out)
    return out


@pytest.mark.parametrize(("source", "target"), CODES)
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "area", "cubic"])
def test_a_frame_is_resized_and_then_recoloured_as_plain_opencv_does_it(source, target, interpolation):
    cv2 = pytest.importorskip("cv2")
    pixels = np.ascontiguousarray(NOISE[:, :, :1]) if source == "gray" else NOISE
    spec = InputSpec(
        height=20, width=30, channels=1 if target == "gray" else 3, color=target, interpolation=interpolation
    )
    small = cv2.resize(pixels, (30, 20), interpolation=getattr(cv2, f"INTER_{interpolation.upper()}"))
    wanted = cv2.cvtColor(small, getattr(cv2, CODES[source, target])).reshape(spec.shape)
    assert np.array_equal(prepared(spec, frame(pixels, source)), wanted)


@pytest.mark.parametrize("rule", ["stretch", "crop", "letterbox"])
def test_the_resize_rule_of_the_spec_is_the_one_applied(rule):
    cv2 = pytest.importorskip("cv2")
    wanted = {
        "stretch": cv2.resize(NOISE, (24, 24)),
        "crop": cv2.resize(np.ascontiguousarray(NOISE[:, 16:64]), (24, 24)),
        "letterbox": np.pad(cv2.resize(NOISE, (24, 14)), ((5, 5), (0, 0), (0, 0))),
    }
    spec = InputSpec(height=24, width=24, channels=3, color="bgr", resize=rule)
    assert np.array_equal(prepared(spec, frame(NOISE)), wanted[rule])


def test_a_frame_of_the_models_size_and_colour_is_copied():
    assert np.array_equal(prepared(InputSpec(height=48, width=80, channels=3, color="bgr"), frame(NOISE)), NOISE)


def test_a_frame_of_the_models_size_only_has_its_channels_swapped():
    assert np.array_equal(prepared(InputSpec(height=48, width=80, channels=3), frame(NOISE)), NOISE[:, :, ::-1])


def test_a_frame_of_the_models_size_needs_no_opencv_and_another_one_says_so():
    program = """
import sys
sys.modules["cv2"] = None
import numpy as np
from edgevid.errors import MissingDependency
from edgevid.frames import Frame
from edgevid.frames.preprocess import InputSpec, Preprocessor

prepare, out = Preprocessor(InputSpec(height=6, width=8, channels=3)), np.zeros((6, 8, 3), np.uint8)
prepare.write(Frame(np.full((6, 8, 3), 5, np.uint8), "rgb", 0, 0), out)
prepare.write(Frame(np.full((6, 8, 3), 7, np.uint8), "bgr", 0, 0), out)
assert out.min() == out.max() == 7
try:
    prepare.write(Frame(np.zeros((7, 8, 3), np.uint8), "rgb", 0, 0), out)
except MissingDependency as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Expected OpenCV for resizing frames of 8x7 to 8x6")


def test_a_stream_that_changes_size_and_colour_goes_on():
    pytest.importorskip("cv2")
    spec = InputSpec(height=24, width=24, channels=3)
    prepare, out = Preprocessor(spec), np.zeros(spec.shape, np.uint8)
    other = np.ascontiguousarray(NOISE[:30, :40])
    for raw in (frame(NOISE), frame(other), frame(other, "rgb"), frame(NOISE), frame(other[:, :, :1], "gray")):
        prepare.write(raw, out)
        assert np.array_equal(out, prepared(spec, raw))


@pytest.mark.parametrize("rule", ["stretch", "crop", "letterbox"])
@pytest.mark.parametrize("source", ["rgb", "bgr", "gray"])
def test_after_the_first_frame_nothing_of_frame_size_is_allocated(rule, source):
    cv2 = pytest.importorskip("cv2")
    spec = InputSpec(height=120, width=120, channels=3, resize=rule)
    pixels = np.zeros((240, 320, 1 if source == "gray" else 3), np.uint8)
    prepare, out = Preprocessor(spec), np.zeros(spec.shape, np.uint8)
    prepare.write(frame(pixels, source), out)
    assert traced_peak(lambda: cv2.resize(pixels, (120, 120))) > out.nbytes / 4, (
        "OpenCV's own arrays must be seen for this test to mean something"
    )
    assert traced_peak(lambda: [prepare.write(frame(pixels, source), out) for _ in range(5)]) < out.nbytes / 10


def traced_peak(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_feature_rows_are_copied_as_float32():
    spec = InputSpec(kind="features", height=1, width=1, channels=3, color="none")
    assert prepared(spec, frame(np.array([1.5, -2.0, 1e6]), "none")).tolist() == [1.5, -2.0, 1e6]
    assert spec.shape == (3,)
    assert spec.dtype is np.float32


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (frame(NOISE[:, :, 0], "gray"), r"picture \(H, W, C\) uint8, got \(48, 80\) uint8"),
        (frame(NOISE[:, :, :2], "rgb"), r"got \(48, 80, 2\) uint8 of color 'rgb'"),
        (frame(NOISE[:, :, :1], "rgb"), r"got \(48, 80, 1\) uint8 of color 'rgb'"),
        (frame(NOISE, "gray"), r"got \(48, 80, 3\) uint8 of color 'gray'"),
        (frame(NOISE.astype(np.float32)), r"got \(48, 80, 3\) float32"),
        (frame(np.zeros(9, np.float32), "none"), r"got \(9,\) float32 of color 'none'"),
    ],
)
def test_what_is_no_picture_is_refused_by_a_model_of_pictures(raw, message):
    with pytest.raises(ContractError, match=message):
        prepared(InputSpec(height=6, width=8, channels=3), raw)


def test_features_of_another_length_are_refused():
    spec = InputSpec(kind="features", height=1, width=1, channels=3, color="none")
    with pytest.raises(ContractError, match=r"features of shape \(3,\), got \(4,\)"):
        prepared(spec, frame(np.zeros(4, np.float32), "none"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "sound"}, "an input kind, one of frames, features, got 'sound'"),
        ({"color": "yuv"}, "a color, one of rgb, bgr, gray, none, got 'yuv'"),
        ({"resize": "zoom"}, "a resize rule, one of stretch, crop, letterbox, got 'zoom'"),
        ({"interpolation": "lanczos"}, "an interpolation, one of nearest, linear, area, cubic"),
        ({"height": 0}, "a frame shape of at least 1"),
        ({"range": (1.0, 1.0)}, r"LOW below HIGH, got \("),
        ({"range": (0.0, float("inf"))}, r"LOW below HIGH, got \("),
        ({"range": (float("nan"), 1.0)}, r"LOW below HIGH, got \("),
        ({"channels": 1}, r"3 channel\(s\) for color 'rgb', got 1"),
        ({"color": "gray"}, r"1 channel\(s\) for color 'gray', got 3"),
        ({"color": "none"}, "color 'none' for features, and only for them"),
        ({"kind": "features"}, "color 'none' for features, and only for them"),
    ],
)
def test_impossible_inputs_are_refused(change, message):
    with pytest.raises(ContractError, match=message):
        InputSpec(**{"height": 6, "width": 8, "channels": 3, **change})
