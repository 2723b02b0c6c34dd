"""Calibration samples compared with the grids that came of them."""

from pathlib import Path

import numpy as np
import pytest

from convert.clips import Clip, ClipRef, ClipSet
from convert.quantization.calibration_check import by_class, check, ranges, share_at_ends
from convert.quantization.converter import ConvertedPart
from edgevid.bundle.parts import Part, Tensor
from edgevid.errors import ConversionError
from edgevid.quant import QuantParams


def made(*grids):
    inputs = tuple(
        Tensor(name=f"input_{index}", shape=(1, 3), dtype="int8", scale=scale, zero_point=0)
        for index, scale in enumerate(grids)
    )
    return ConvertedPart(Part(role="step", file="step.tflite", precision="int8", inputs=inputs, outputs=inputs), b"")


SMALL, LARGE = (
    np.linspace(-0.1, 0.1, 12, dtype=np.float32).reshape(4, 3),
    np.linspace(-50, 50, 12, dtype=np.float32).reshape(4, 3),
)


def test_grids_that_fit_their_samples_are_told():
    small, large = ranges(made(0.1 / 127, 50 / 127), [SMALL, LARGE])
    assert (small.part, small.input, small.samples) == ("step", 0, 4)
    assert (large.low, large.high) == (-50, 50)
    assert large.grid_high == pytest.approx(50)


def test_samples_that_were_taken_for_another_inputs_are_refused():
    with pytest.raises(ConversionError, match=r"input 1 of the step .* ignored the calibration data"):
        check(ranges(made(50 / 127, 0.1 / 127), [SMALL, LARGE]))


def test_a_grid_that_nobody_calibrated_is_refused():
    with pytest.raises(ConversionError, match="ignored the calibration data"):
        check(ranges(made(1 / 127), [LARGE]))


def test_zero_is_no_end_of_a_grid():
    params = QuantParams("int8", 0.1, -128)
    assert share_at_ends([np.array([-128, -128], np.int8), np.array([0, 127], np.int8)], params) == 0.25
    assert share_at_ends([np.array([-128, -128, 0, 127], np.int8)], QuantParams("int8", 0.1, 3)) == 0.75


def test_clips_are_counted_by_class():
    clips = ClipSet(
        tuple(
            Clip(ClipRef(Path(f"{index}.avi"), label), np.zeros((1, 1)), np.zeros(1))
            for index, label in enumerate("aabbb")
        )
    )
    assert by_class(clips, [0, 4]) == {"a": {"clips": 2, "calibrated": 1}, "b": {"clips": 3, "calibrated": 1}}
    assert by_class(ClipSet((Clip(ClipRef(Path("x"), None), np.zeros((1, 1)), np.zeros(1)),)), [0]) == {}


@pytest.mark.tf
def test_a_converter_that_ignores_its_samples_is_found_out(workshop, monkeypatch):
    """Every sample is shrunk on its way to the child process, as if the converter had used others."""
    from convert.precision.builder import Builder
    from convert.precision.recipes import RECIPES
    from tests.models.keras_models import over_features

    job = workshop.job(over_features("lstm", features=7))
    convert = workshop.converter.convert
    monkeypatch.setattr(
        workshop.converter,
        "convert",
        lambda part, precision, samples, **more: convert(
            part, precision, [np.stack(list(each)) * 0.01 for each in samples], **more
        ),
    )
    with pytest.raises(ConversionError, match="ignored the calibration data"):
        Builder(job).build(RECIPES[0])
