"""The rules of validity: what must hold for figures to be worth comparing.

Each rule looks at a result alone, so that a file can be judged again on any machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgevid.bench.figures import Series
from edgevid.bench.result import Finding, Outcome, Result, Validity
from edgevid.board.throttling import describe

_LEAST_PROCESSES: Final = 5
_MOST_CV_BETWEEN: Final = 0.05
_MOST_CV: Final = 0.10
_MOST_DRIFT, _DRIFT_P, _MOST_TREND = 0.01, 0.01, 0.02
_MOST_OUTLIERS: Final = 0.01
_MOST_PRESSURE, _MOST_FOREIGN_CORES = 0.05, 0.10
_MOST_STEAL: Final = 0.02
_MOST_HEATING_C: Final = 5.0
_LEAST_CLOCK, _LEAST_LOOKS_AT_CLOCK = 0.95, 0.99
_MOST_IDLE_CHANGE, _LEAST_HZ, _LEAST_IDLE_S = 0.05, 1.0, 60.0
# The kernel's shares of pressure are means over 10 s, so the first ones include time before the run.
_PRESSURE_MEMORY_S: Final = 10.0
# The tool rounds, and copies no tensors.
_TOOL_STEP_MS, _COPIES_MS = 0.01, 0.01
# Minima are met by counting, and clocks are read a little before.
_TIME_ROUNDING: Final = 0.99

_Check = tuple[Outcome, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: "R1" to "R16".
        holds_if: The rule in words.
        do: What to do if it fails.
        check: Returns the outcome and what was found.
    """

    id: str
    holds_if: str
    do: str
    check: Callable[[Result], _Check]


def judge(result: Result) -> Validity:
    """Apply all rules to a result, whose own `validity` does not matter."""
    findings = []
    for rule in RULES:
        outcome, found = rule.check(result)
        findings.append(Finding(id=rule.id, outcome=outcome, found=found, do=rule.do if outcome == "failed" else ""))
    return Validity(valid=all(each.outcome != "failed" for each in findings), rules=tuple(findings))


def _outcome(has_passed: bool) -> Outcome:
    return "passed" if has_passed else "failed"


def _selftest(result: Result) -> _Check:
    test = result.selftest
    if result.scenario.kind == "start":
        return "unknown", "starts do not compare the golden answers"
    equality = "bit for bit" if test.identical else "within the tolerance"
    return _outcome(test.answers > 0), f"{test.answers} golden answers equal {equality} in every process"


def _delegate(result: Result) -> _Check:
    engine = result.engine
    if engine.fallback_reason:
        return "failed", f"the CPU ran the model, not the accelerator: {engine.fallback_reason}"
    has_passed = engine.delegate_asked in ("auto", engine.delegate_got)
    return _outcome(has_passed), f"asked for {engine.delegate_asked}, got {engine.delegate_got}"


def _throttling(result: Result) -> _Check:
    around = result.surroundings
    if around.throttled_during is None:
        return "unknown", "this machine reports no throttling"
    if not around.throttled_during:
        return "passed", "not throttled"
    names = describe(around.throttled_during)
    return "failed", f"slowed for {around.throttled_s:.0f} s of {result.took_s:.0f}: {names}"


def _clock(result: Result) -> _Check:
    clocks, most = result.surroundings.series.clock_mhz, result.machine.clock_max_mhz
    if not clocks or not most:
        return "unknown", "this machine reports no clock"
    if result.scenario.kind != "saturate":
        return "passed", f"governor {result.machine.governor}, {min(clocks):.0f} to {max(clocks):.0f} MHz"
    # The clock may rest while nothing is measured.
    looks = [mhz for mhz, process in zip(clocks, result.surroundings.series.measuring, strict=False) if process >= 0]
    share = sum(mhz >= _LEAST_CLOCK * most for mhz in looks) / max(1, len(looks))
    return _outcome(
        share >= _LEAST_LOOKS_AT_CLOCK
    ), f"at least {_LEAST_CLOCK:.0%} of {most} MHz in {share:.0%} of the samples"


def _enough(result: Result) -> _Check:
    if result.scenario.kind == "start":
        return "passed", f"{len(result.start)} starts"
    scenario, runs = result.scenario, result.processes
    frames, took_s = sum(run.n for run in runs), sum(run.took_s for run in runs)
    medians = np.array([run.p50_ms for run in runs])
    cv = float(medians.std(ddof=1) / medians.mean()) if len(runs) > 1 else 0.0
    least = 1 if scenario.kind == "soak" else _LEAST_PROCESSES
    has_passed = (
        frames >= scenario.min_frames
        and took_s >= _TIME_ROUNDING * scenario.min_time_s
        and len(runs) >= least
        and cv < _MOST_CV_BETWEEN
    )
    return (
        _outcome(has_passed),
        f"{frames} answers in {took_s:.0f} s and {len(runs)} processes, whose medians vary by {cv:.1%}",
    )


def _supported(result: Result) -> _Check:
    total = result.stages.get("total")
    if total is None:
        return "passed", "no latencies were measured"
    missing = [name for name in ("p50", "p90", "p95") if not total.percentiles[name].is_supported]
    if missing:
        return "failed", f"{total.n_effective:.0f} independent samples are too few for {', '.join(missing)}"
    if result.scenario.kind != "saturate":
        return "passed", f"{total.n_effective:.0f} independent samples"
    return _outcome(total.cv < _MOST_CV), f"coefficient of variation {total.cv:.1%}"


def _no_drift(result: Result) -> _Check:
    total = result.stages.get("total")
    if total is None:
        return "passed", "no latencies were measured"
    medians = [run.p50_ms for run in result.processes]
    changes = np.diff(medians)
    over_all = medians[-1] / medians[0] - 1 if medians[0] else 0.0
    # Of five processes, one order in sixty is of one direction by chance.
    is_trend = len(medians) >= _LEAST_PROCESSES and (bool((changes > 0).all()) or bool((changes < 0).all()))
    if is_trend and abs(over_all) >= _MOST_TREND:
        return (
            "failed",
            f"each process was {'slower' if over_all > 0 else 'faster'} than the one before, {over_all:+.1%}",
        )
    has_passed = abs(total.drift) < _MOST_DRIFT or total.drift_p > _DRIFT_P
    return _outcome(has_passed), f"the median changes by {total.drift:+.1%} over a process (p {total.drift_p:.2g})"


def _few_outliers(result: Result) -> _Check:
    total = result.stages.get("total")
    if total is None or result.scenario.kind != "saturate":
        return "passed", "does not apply to this scenario"
    share = total.outliers / total.n
    return _outcome(share < _MOST_OUTLIERS), f"{total.outliers} of {total.n} samples ({share:.2%})"


def _alone(result: Result) -> _Check:
    around = result.surroundings
    series = around.series
    if around.services:
        return "failed", f"edgevid is running already: {', '.join(around.services)}"
    if len(series.swapped_mib) > 1 and series.swapped_mib[-1] > series.swapped_mib[0] + 1:
        return "failed", f"{series.swapped_mib[-1] - series.swapped_mib[0]:.0f} MiB were swapped out"
    if result.scenario.kind == "crowd":
        return "passed", f"the scenario has a load: {result.scenario.load}"
    foreign = max(0.0, float(np.mean(series.foreign_cores))) if series.foreign_cores else None
    if foreign is None:
        return "unknown", "this machine does not report its load"
    recent = [share for t_s, share in zip(series.t_s, series.pressure, strict=False) if t_s > _PRESSURE_MEMORY_S]
    # In a shorter run every mean includes time before it.
    known = recent or series.pressure
    pressure = float(np.mean(known)) if known else 0.0
    named = ", ".join(f"{name} {share:.2f}" for name, share in list(around.programs.items())[:3])
    stolen = float(np.mean(series.steal)) if series.steal else 0.0
    if stolen > _MOST_STEAL:
        return "failed", f"the hypervisor took {stolen:.0%} of the time for others"
    has_passed = foreign < _MOST_FOREIGN_CORES and pressure < _MOST_PRESSURE and not around.programs
    return (
        _outcome(has_passed),
        f"other programs used {foreign:.2f} cores{f' ({named})' if named else ''}"
        + (f"; tasks waited for a core {pressure:.0%} of the time" if known else ""),
    )


def _temperature(result: Result) -> _Check:
    series = result.surroundings.series
    heat = [each for each, process in zip(series.temperature_c, series.measuring, strict=False) if process >= 0]
    if not heat:
        return "unknown", "this machine reports no temperature"
    if result.scenario.cool_to_c is not None:
        return _cold(series, result.scenario.cool_to_c)
    return _outcome(max(heat) - heat[0] < _MOST_HEATING_C), f"{heat[0]:.1f} °C at first, {max(heat):.1f} °C at most"


def _cold(series: Series, cool_to_c: float) -> _Check:
    """Compare the first sample of each process with the temperature that was waited for."""
    first: dict[int, float] = {}
    for found_c, process in zip(series.temperature_c, series.measuring, strict=False):
        first.setdefault(process, found_c)
    first.pop(-1, None)
    warmest = max(first.values())
    return _outcome(warmest < cool_to_c + _MOST_HEATING_C), f"processes began at {warmest:.1f} °C or less"


def _starts(result: Result) -> _Check:
    cold = sum(each.is_cold for each in result.start)
    if result.scenario.kind == "start" and not cold:
        return "unknown", "this process may not drop the kernel's caches: warm starts only"
    return "passed", f"{len(result.start)} fresh processes, {cold} with dropped caches"


def _energy(result: Result) -> _Check:
    energy = result.energy
    if energy is None:
        return "unknown", "no power sensor was named"
    before, after = energy.idle_w[0], energy.idle_w[-1]
    change = abs(after - before) / max(before, 1e-9)
    has_passed = change < _MOST_IDLE_CHANGE and energy.hz >= _LEAST_HZ and energy.idle_s >= _LEAST_IDLE_S
    return (
        _outcome(has_passed),
        f"idle {before:.2f} W before and {after:.2f} W after, {energy.idle_s:.0f} s each; "
        f"{energy.hz:.1f} readings a second",
    )


def _same_engine(result: Result) -> _Check:
    scored = result.accuracy
    if scored is None:
        return "unknown", "no clips were given"
    pairs = (
        ("bundle", scored.bundle_sha256, result.bundle.sha256),
        ("interpreter", scored.interpreter, result.engine.interpreter),
        ("threads", scored.threads, result.engine.threads),
    )
    differing = [name for name, one, other in pairs if one != other]
    if differing:
        return "failed", f"clips were classified with another {' and '.join(differing)}"
    return "passed", f"{scored.clips} clips with the same bundle, interpreter and threads"


def _real(result: Result) -> _Check:
    machine = result.machine
    if machine.is_emulated:
        return "failed", f"emulated ({machine.virtual or 'instructions of another processor'})"
    return "passed", f"a virtual machine ({machine.virtual})" if machine.virtual else "not emulated"


def _has_raw(result: Result) -> _Check:
    return ("passed", f"samples in {result.raw.file}") if result.raw else ("unknown", "samples are not stored")


def _cross_check(result: Result) -> _Check:
    if result.cross_check is None or result.scenario.kind != "saturate":
        return "unknown", "LiteRT's own tool did not run"
    words, agrees = [], True
    for role, tool in result.cross_check.items():
        stage = result.stages["encode" if role == "encoder" else "head"]
        ours = stage.percentiles["p50"].value
        # This benchmark's stages include copies of inputs and outputs.
        is_near = (tool.low or 0) - _TOOL_STEP_MS <= ours <= (tool.high or 0) + _TOOL_STEP_MS + _COPIES_MS
        agrees = agrees and is_near
        words.append(f"{role} {tool.low or 0:.2f} to {tool.high or 0:.2f} ms, this benchmark {ours:.3f} ms")
    return _outcome(agrees), f"LiteRT's own tool: {'; '.join(words)}"


RULES: tuple[Rule, ...] = (
    Rule("R1", "the self-test passed in the measuring process", "Convert the model again on this version.", _selftest),
    Rule("R2", "the delegate that was asked for ran", "Run edgevid doctor, or ask for xnnpack.", _delegate),
    Rule(
        "R3",
        "the board was not throttled, capped or short of voltage",
        "Cool it, or use a stronger supply.",
        _throttling,
    ),
    Rule("R4", "the cores ran at their highest clock", "Run: edgevid tune set.", _clock),
    Rule(
        "R5",
        "the minima were met in at least 5 processes that agree within 5 %",
        "Measure longer (--min-time), in 5 processes, with nothing else running.",
        _enough,
    ),
    Rule(
        "R6",
        "the samples support p50, p90 and p95, and saturated ones vary by less than 10 %",
        "Measure more frames (--min-frames), or find what disturbs the board.",
        _supported,
    ),
    Rule("R7", "the latency does not drift by 1 % or more", "Warm up longer (--warm-up, --heat-first).", _no_drift),
    Rule("R8", "less than 1 % of saturated samples are outliers", "Find what disturbs the board.", _few_outliers),
    Rule("R9", "no other program used the machine, and nothing was swapped", "Stop the other programs.", _alone),
    Rule(
        "R10",
        "the board heats up by less than 5 °C, or cools down before each process",
        "Heat it first (--heat-first 300).",
        _temperature,
    ),
    Rule("R11", "start-up was measured in fresh processes", "", _starts),
    Rule("R12", "idle power agrees before and after", "Measure idleness for 60 s at 1 Hz or more (--idle).", _energy),
    Rule(
        "R13",
        "accuracy and latency are of the same bundle, interpreter and threads",
        "Measure again, and leave the bundle as it is.",
        _same_engine,
    ),
    Rule("R14", "the machine is not emulated", "Measure on the board itself.", _real),
    Rule("R15", "the file fits its schema and its raw samples", "Measure again.", _has_raw),
    Rule("R16", "LiteRT's own tool agrees", "Measure again with nothing else running.", _cross_check),
)
