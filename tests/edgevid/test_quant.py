import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevid.errors import ContractError
from edgevid.quant import (
    DTYPES,
    FLOAT32,
    QuantParams,
    dequantize,
    dequantizer,
    joiner,
    passes,
    pixel_grid,
    pixels_to_float,
    pixels_to_int8,
    quantize,
)

ALL_PIXELS = np.arange(256, dtype=np.uint8)
INTEGER_GRIDS = st.sampled_from(["int8", "uint8", "int16"]).flatmap(
    lambda dtype: st.builds(
        QuantParams,
        st.just(dtype),
        st.floats(1e-6, 1e3),
        st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)),
    )
)


@pytest.mark.parametrize(
    ("real", "scale", "zero_point", "stored"),
    [
        (3.0, 0.02, 0, 127),  # 150 saturates; wrapped, it would be -106
        (-3.0, 0.02, 0, -128),
        (3.0, 0.02, -128, 22),
        (0.0, 0.5, 7, 7),
        (0.9, 0.5, 0, 2),
        (np.inf, 0.5, 0, 127),
        (-np.inf, 0.5, 0, -128),
    ],
)
def test_quantize_rounds_to_the_nearest_level_and_saturates(real, scale, zero_point, stored):
    assert quantize(np.array([real]), QuantParams("int8", scale, zero_point)).tolist() == [stored]


@given(INTEGER_GRIDS)
def test_every_stored_number_survives_the_way_to_reals_and_back(params):
    low, high = params.limits
    stored = np.unique(np.linspace(low, high, 300).astype(params.dtype))
    assert np.array_equal(quantize(dequantize(stored, params), params), stored)


@given(INTEGER_GRIDS, st.floats(0, 1))
def test_a_real_number_within_the_limits_moves_by_half_a_level_at_most(params, place):
    low, high = dequantize(np.array(params.limits, params.dtype), params).astype(float)
    real = low + place * (high - low)
    back = float(dequantize(quantize(np.array([real]), params), params)[0])
    assert abs(back - real) <= params.scale * 0.5001 + 1e-6 * max(abs(low), abs(high))


def test_quantize_gives_the_stated_type_and_a_new_array():
    real = np.zeros((2, 3), np.float32)
    for dtype in DTYPES:
        stored = quantize(real, QuantParams(dtype))
        assert stored.dtype == dtype
        assert stored.shape == (2, 3)
        assert not np.shares_memory(stored, real)


def test_float32_numbers_stand_for_themselves():
    real = np.array([1.5, -1e9], np.float32)
    assert np.array_equal(quantize(real, FLOAT32), real)
    assert np.array_equal(dequantize(real, FLOAT32), real)
    assert FLOAT32.is_float
    assert not QuantParams("int8").is_float


def test_joiner_copies_integers_where_both_lie_on_one_grid_and_takes_none_through_a_float(monkeypatch):
    monkeypatch.delattr("edgevid.quant.dequantize")
    grid = QuantParams("int16", 1e-4, 5)
    copy = joiner(grid, QuantParams("int16", 1e-4 * (1 + 2**-24), 5))
    stored = np.arange(-32768, 32768, dtype=np.int16)
    out = np.zeros_like(stored)
    copy(stored, out)
    assert np.array_equal(out, stored)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (QuantParams("int8", 0.2, 0), [-50, 0, 50]),  # scale doubled: half the steps
        (QuantParams("int8", 0.1, 10), [-90, 10, 110]),  # zero point moved
        (QuantParams("int16", 0.001, 0), [-10000, 0, 10000]),
        (QuantParams("int8", 0.05, 0), [-128, 0, 127]),  # does not fit: saturates
        (FLOAT32, [-10.0, 0.0, 10.0]),
    ],
)
def test_joiner_requantises_where_the_grids_differ(target, wanted):
    join = joiner(QuantParams("int8", 0.1, 0), target)
    out = np.zeros(3, target.dtype)
    join(np.array([-100, 0, 100], np.int8), out)
    assert out.tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    "source", [QuantParams("int8", 0.0371, -7), QuantParams("uint8", 0.3, 131), QuantParams("int16", 1e-4, 5)]
)
def test_joiner_to_floats_gives_the_bits_of_dequantize(source):
    stored = np.random.default_rng(0).integers(*source.limits, 500).astype(source.dtype)
    pair = np.zeros((2, 500), np.float32)
    joiner(source, FLOAT32)(stored, pair)
    assert pair[0].tobytes() == pair[1].tobytes() == dequantize(stored, source).tobytes()


def test_grids_are_the_same_only_with_equal_type_zero_point_and_scale():
    grid = QuantParams("int8", 0.1, 3)
    assert grid.same_grid(QuantParams("int8", 0.1 * (1 + 2**-23), 3))
    assert not grid.same_grid(QuantParams("int8", 0.1 * (1 + 2**-16), 3))
    assert not grid.same_grid(QuantParams("int8", 0.1, 4))
    assert not grid.same_grid(QuantParams("uint8", 0.1, 3))


@pytest.mark.parametrize(
    ("target", "unchanged"),
    [
        (QuantParams("int8", 0.1 * (1 + 2**-14), 3), True),
        (QuantParams("int8", 0.1 * (1 + 2**-7), 3), False),
        (QuantParams("int8", 0.1, 4), False),
        (QuantParams("uint8", 0.1, 3), False),
        (FLOAT32, False),
    ],
)
def test_numbers_pass_unchanged_where_grids_are_so_near_that_none_is_rounded_to_another(target, unchanged):
    grid, every = QuantParams("int8", 0.1, 3), np.arange(-128, 128).astype(np.int8)
    assert passes(grid, target) == unchanged
    if unchanged:
        out = np.zeros(256, np.int8)
        joiner(grid, target)(every, out)
        assert np.array_equal(out, every)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 255.0)])
def test_the_bit_flip_is_exact_for_all_256_pixels_where_training_began_at_zero(low, high):
    stored = np.zeros(256, np.int8)
    pixels_to_int8(ALL_PIXELS, stored)
    trained = low + ALL_PIXELS * ((high - low) / 255.0)
    assert np.array_equal(stored, quantize(trained, pixel_grid(low, high)))
    assert np.allclose(dequantize(stored, pixel_grid(low, high)), trained, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-0.5, 0.5), (0.1, 0.9)])
def test_the_bit_flip_is_off_by_half_a_level_at_most_for_any_other_range_that_holds_zero(low, high):
    grid = pixel_grid(low, high)
    stored = np.zeros(256, np.int8)
    pixels_to_int8(ALL_PIXELS, stored)
    trained = low + ALL_PIXELS * ((high - low) / 255.0)
    error = np.abs(dequantize(stored, grid) - trained)
    limit = 0.5 * grid.scale if low <= 0 else low + 0.5 * grid.scale
    assert error.max() <= limit * 1.001


def test_pixels_are_flipped_from_a_view_that_is_not_contiguous():
    wide = np.arange(48, dtype=np.uint8).reshape(4, 12)
    out = np.zeros((4, 6), np.int8)
    pixels_to_int8(wide[:, ::2], out)
    assert np.array_equal(out, wide[:, ::2].astype(np.int16) - 128)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_pixels_become_the_floats_of_training(low, high):
    out = np.zeros(256, np.float32)
    pixels_to_float(ALL_PIXELS, low, high, out)
    assert out[0] == pytest.approx(low)
    assert out[255] == pytest.approx(high, rel=1e-6)
    assert np.allclose(out, np.linspace(low, high, 256), atol=1e-6 * abs(high))


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [
        ("int4", 1.0, 0),
        ("int8", 0.0, 0),
        ("int8", -0.1, 0),
        ("int8", float("nan"), 0),
        ("int8", float("inf"), 0),
        ("int8", 1e-300, 0),  # zero in float32
        ("int8", 1e300, 0),  # infinite in float32
        ("int8", 0.1, 128),
        ("uint8", 0.1, -1),
        ("int16", 0.1, 10**30),
        ("float32", 0.5, 0),
        ("float32", 1.0, 1),
    ],
)
def test_impossible_grids_are_refused(dtype, scale, zero_point):
    with pytest.raises(ContractError, match=r"Expected .*, got "):
        QuantParams(dtype, scale, zero_point)


@pytest.mark.parametrize(
    "params",
    [QuantParams("int8", 1 / 256, -128), QuantParams("uint8", 0.3, 7), QuantParams("int16", 1 / 32768), FLOAT32],
)
def test_a_dequantizer_gives_what_dequantize_gives_bit_for_bit(params: QuantParams) -> None:
    stored = np.linspace(*(params.limits if not params.is_float else (-1.0, 1.0)), 999).astype(params.dtype)
    reals = dequantizer(params)(stored)
    assert reals.dtype == np.float32
    assert np.array_equal(reals, dequantize(stored, params))
