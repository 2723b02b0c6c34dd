"""The model of cost, against the published times that it was fitted to."""

import dataclasses

import numpy as np
import pytest

from edgevid.prediction.fit import core_errors, fit, fitted, model_errors
from edgevid.prediction.published import ARITHMETICS, OURS, Time, models, tables, times
from edgevid.prediction.work import Work


def made(engine, arithmetic, cpu, model, work, cycles_m):
    return Time(engine=engine, arithmetic=arithmetic, cpu=cpu, threads=1, model=model, work=work, cycles_m=cycles_m)


def test_factors_that_made_the_times_are_found_again():
    """Two libraries, one of them 1.5 times slower, and two cores, one of them twice as fast."""
    works = {
        "small": Work(convolution=40_000_000, depthwise=2_000_000, moved=3_000_000, weights=1_000_000),
        "wide": Work(convolution=10_000_000, moved=20_000_000),
        "deep": Work(convolution=900_000_000, dense=1_000_000, moved=5_000_000, weights=9_000_000),
    }
    rows = [
        made(engine, "int8", cpu, name, work, level * speed * (work.products + 12 * (work.moved + work.weights)) / 1e6)
        for engine, level in ((OURS, 1.0), ("other", 1.5))
        for cpu, speed in (("slow", 2.0), ("fast", 1.0))
        for name, work in works.items()
        if (engine, cpu) != (OURS, "fast")
    ]
    found = fit(rows)
    assert found.levels["other", "int8"] == pytest.approx(1.5, rel=1e-6)
    assert found.cores["slow", 1, "int8"] / found.cores["fast", 1, "int8"] == pytest.approx(2, rel=1e-6)
    assert found.weights[1] / found.weights[0] == pytest.approx(12, rel=1e-6)
    new = Work(convolution=7_000_000, moved=1_000_000)
    assert found.cycles_m(new, ("fast", 1, "int8")) == pytest.approx(19, rel=1e-6)


def test_no_class_of_work_saves_time():
    """The fewer numbers it moves the longer it takes: least squares alone would make that a gain."""
    rows = [
        made(OURS, "int8", "core", str(moved), Work(convolution=10_000_000, moved=moved), cycles_m)
        for moved, cycles_m in ((1_000_000, 30.0), (2_000_000, 20.0), (3_000_000, 10.0))
    ]
    assert fit(rows).weights[1] == 0
    assert fit(rows).weights[0] > 0


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_the_fit_reproduces_its_data_within_the_error_that_it_states(arithmetic):
    rows = [row for row in times() if row.arithmetic == arithmetic]
    stated = model_errors(arithmetic)
    ratios = [
        row.cycles_m / fitted().cycles_m(row.work, (row.cpu, row.threads, arithmetic), row.engine) for row in rows
    ]
    assert len(ratios) >= 30
    assert stated.low <= min(ratios) < 1 < max(ratios) <= stated.high
    assert float(np.expm1(np.std(np.log(ratios)))) < stated.typical


def test_the_stated_error_is_that_of_the_model_left_out():
    """Recomputed for one model by hand: its rows lie inside, and the fit without it differs."""
    rows = tuple(times())
    rest = fit([row for row in rows if row.model != "resnet18"])
    ratios = [
        row.cycles_m / rest.cycles_m(row.work, (row.cpu, row.threads, "int8"), row.engine)
        for row in rows
        if row.model == "resnet18" and row.arithmetic == "int8"
    ]
    stated = model_errors("int8")
    assert stated.low <= min(ratios) and max(ratios) <= stated.high
    seen = [
        row.cycles_m / fitted().cycles_m(row.work, (row.cpu, row.threads, "int8"), row.engine)
        for row in rows
        if row.model == "resnet18" and row.arithmetic == "int8"
    ]
    assert np.mean(np.abs(np.log(ratios))) > np.mean(np.abs(np.log(seen)))
    assert stated.unseen == len({row.model for row in rows if row.arithmetic == "int8"})


def test_a_core_that_only_another_library_describes_has_an_error_of_its_own():
    for arithmetic in ARITHMETICS:
        stated = core_errors(arithmetic)
        assert stated.unseen == 2
        assert stated.low < 1 < stated.high


def test_every_published_time_has_its_source_and_its_model():
    for table in tables():
        assert table.source.startswith("github.com/")
        for run in table.runs:
            assert {*run.float32, *run.int8} <= set(models().work)
            assert run.clock_mhz > 500
    # Two numbers as they stand in the sources.
    xnnpack, ncnn = tables()
    assert xnnpack.runs[1].int8["mobilenet_v2"] == 17
    assert ncnn.runs[2].machine == "Raspberry Pi Zero 2 W"
    assert ncnn.runs[2].int8["mobilenet_v1"] == 91.03


def test_times_count_cycles():
    row = next(row for row in times() if (row.engine, row.model, row.arithmetic) == (OURS, "mobilenet_v1", "int8"))
    assert row.cpu == "Cortex-A53"
    assert row.cycles_m == pytest.approx(46e-3 * 1400e6 / 1e6)


def test_work_adds_up_class_by_class():
    total = Work(convolution=1, depthwise=2, dense=3, moved=4, weights=5) + Work(convolution=10, weights=50)
    assert dataclasses.astuple(total) == (11, 2, 3, 4, 55)
    assert total.products == 16
