"""The rules of validity: each fails for what it is for, and by nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgevid.bench import figures
from edgevid.bench import result as results
from edgevid.bench.rules import RULES
from edgevid.bench.verdict import verdict
from tests.edgevid.bench.results import quiet, result_of, samples_of

SAMPLES = samples_of()
GOOD = result_of(SAMPLES)


def surroundings(**changes: Any) -> figures.Surroundings:
    return dataclasses.replace(GOOD.surroundings, **changes)


def failed(result: results.Result) -> list[str]:
    return [each.id for each in result.validity.failed]


def test_a_quiet_board_is_valid_and_the_verdict_says_how_fast_it_is() -> None:
    assert failed(GOOD) == []
    assert GOOD.validity.valid
    assert verdict(GOOD) == "an answer takes 2.00 ms (2.05 ms at p99), 100 a second; valid"


ENGINE, MACHINE = GOOD.engine, GOOD.machine


@pytest.mark.parametrize(
    ("rule", "changes", "words"),
    [
        ("R1", {"selftest": results.MeasuredSelftest(answers=0, identical=False)}, "0 golden answers"),
        ("R2", {"engine": dataclasses.replace(ENGINE, delegate_asked="coral")}, "asked for coral, got xnnpack"),
        ("R2", {"engine": dataclasses.replace(ENGINE, fallback_reason="unplugged")}, "unplugged"),
        (
            "R3",
            {"surroundings": surroundings(throttled_during=("throttled",), throttled_s=41.0)},
            "slowed for 41 s of 40: the cores are throttled",
        ),
        ("R4", {"series": quiet(clock_mhz=(1500.0, *[2400.0] * 19))}, "95% of 2400 MHz in 95% of the samples"),
        ("R5", {"processes": GOOD.processes[:4]}, "4 processes"),
        ("R8", {"stages": {"total": dataclasses.replace(GOOD.stages["total"], outliers=60)}}, "60 of 5000"),
        ("R7", {"stages": {"total": dataclasses.replace(GOOD.stages["total"], drift=0.02, drift_p=1e-4)}}, "+2.0%"),
        ("R6", {"stages": {"total": dataclasses.replace(GOOD.stages["total"], cv=0.12)}}, "variation 12.0%"),
        ("R9", {"series": quiet(foreign_cores=(0.5,) * 19)}, "used 0.50 cores"),
        ("R9", {"series": quiet(pressure=(0.3,) * 20)}, "waited for a core 30% of the time"),
        ("R9", {"series": quiet(steal=(0.1,) * 19)}, "hypervisor took 10%"),
        ("R9", {"series": quiet(swapped_mib=(0.0, *[9.0] * 19))}, "9 MiB were swapped out"),
        ("R9", {"surroundings": surroundings(programs={"make": 0.3})}, "make 0.30"),
        ("R9", {"surroundings": surroundings(services=("edgevid (12)",))}, "edgevid is running already"),
        ("R10", {"series": quiet(temperature_c=(50.0, 57.0, *[51.0] * 18))}, "57.0 °C at most"),
        ("R10", {"series": quiet(temperature_c=(50.0, *[56.0] * 19))}, "50.0 °C at first, 56.0 °C at most"),
        ("R14", {"machine": dataclasses.replace(MACHINE, is_emulated=True, virtual="qemu")}, "emulated (qemu)"),
    ],
)
def test_a_rule_fails_on_what_it_is_for(rule: str, changes: dict[str, Any], words: str) -> None:
    result = result_of(SAMPLES, **changes)
    assert failed(result) == [rule]
    assert verdict(result).startswith("INVALID: ")
    assert words in verdict(result)
    finding = next(each for each in result.validity.rules if each.id == rule)
    assert finding.do


def test_processes_that_disagree_are_invalid() -> None:
    result = result_of(samples_of(between=0.3))
    assert "R5" in failed(result)


def test_too_few_samples_carry_no_p95() -> None:
    result = result_of(samples_of(each=8), scenario=dataclasses.replace(GOOD.scenario, min_frames=1))
    assert "R6" in failed(result)


def test_what_a_machine_does_not_report_is_unknown_and_breaks_nothing() -> None:
    bare = figures.Surroundings(
        series=quiet(temperature_c=(), clock_mhz=(), throttled=(), foreign_cores=(), pressure=()),
        programs={},
    )
    result = result_of(SAMPLES, surroundings=bare)
    assert result.validity.valid
    unknown = [each.id for each in result.validity.rules if each.outcome == "unknown"]
    assert unknown == ["R3", "R4", "R9", "R10", "R12", "R13", "R15", "R16"]


def test_a_load_that_was_asked_for_is_no_foreign_one() -> None:
    crowd = dataclasses.replace(GOOD.scenario, kind="crowd", load="cpu=2", fps=10.0)
    assert failed(result_of(SAMPLES, scenario=crowd, series=quiet(foreign_cores=(2.0,) * 19))) == []


def test_the_verdict_on_real_time_says_what_is_to_spare() -> None:
    realtime = figures.RealTime(
        deadline_ms=100.0,
        due=3000,
        misses=0,
        miss_share_upper=0.001,
        longest_run=0,
        jitter_ms=0.1,
        duty=0.32,
        dropped={},
    )
    paced = dataclasses.replace(GOOD.scenario, kind="paced", fps=10.0)
    kept = result_of(SAMPLES, scenario=paced, realtime=realtime)
    assert verdict(kept) == (
        "keeps 10 answers a second with 68% of one core to spare (late: below 0.10% with 95% confidence); valid"
    )
    missed = result_of(
        SAMPLES, scenario=paced, realtime=dataclasses.replace(realtime, misses=300, miss_share_upper=0.11, duty=1.4)
    )
    assert verdict(missed) == (
        "does not keep 10 answers a second: 10.0% are late or missing, and takes 1.4 cores; valid"
    )

    few = dataclasses.replace(realtime, due=100, miss_share_upper=0.03)
    assert "too few answers to tell whether it keeps 10 a second" in verdict(
        result_of(SAMPLES, scenario=paced, realtime=few)
    )
    starved = dataclasses.replace(realtime, misses=2900, miss_share_upper=0.98)
    assert "so the source is too slow" in verdict(result_of(SAMPLES, scenario=paced, realtime=starved))


def test_a_trend_over_the_processes_is_invalid() -> None:
    slower = np.concatenate([samples_of(processes=1, ms=2.0 * (1 + 0.01 * index)) for index in range(5)])
    slower[:, 0] = np.repeat(np.arange(5), 1000)
    result = result_of(slower)
    assert failed(result) == ["R7"]
    assert "each process was slower than the one before, +4.0%" in verdict(result)


def test_one_process_that_drifts_is_invalid() -> None:
    drifting = samples_of()
    drifting[:1000, 7] = (drifting[:1000, 7] * np.linspace(1, 1.05, 1000)).astype(np.int64)
    assert failed(result_of(drifting)) == ["R7"]


def test_the_interval_covers_what_differs_between_processes() -> None:
    p50 = result_of(samples_of(between=0.02)).stages["total"].percentiles["p50"]
    assert (p50.high or 0) - (p50.low or 0) > 0.04


def test_energy_needs_an_idleness_that_agrees() -> None:
    energy = figures.Energy(
        sensor="pmic", sees="rails", hz=2.0, idle_w=(3.0, 3.5), mean_w=5.0, j_per_answer=0.1,
        j_per_answer_above_idle=0.05, idle_s=60.0,
    )  # fmt: skip
    assert failed(result_of(SAMPLES, energy=energy)) == ["R12"]
    assert failed(result_of(SAMPLES, energy=dataclasses.replace(energy, idle_w=(3.0, 3.05)))) == []


def test_a_tool_that_disagrees_breaks_its_rule() -> None:
    stage = GOOD.stages["total"]
    stages = {"total": stage, "encode": stage, "head": stage}
    near = {
        "encoder": figures.Estimate(value=2.0, low=1.9, high=2.1),
        "head": figures.Estimate(value=2.0, low=1.9, high=2.1),
    }
    assert failed(result_of(SAMPLES, stages=stages, cross_check=near)) == []
    far = {**near, "head": figures.Estimate(value=1.0, low=0.9, high=1.1)}
    assert failed(result_of(SAMPLES, stages=stages, cross_check=far)) == ["R16"]


def test_rules_have_their_own_numbers() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
