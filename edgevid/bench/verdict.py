"""The first line of a benchmark's report: a summary of the figures, or the reason why they are invalid."""

from __future__ import annotations

from edgevid.bench.figures import Estimate, RealTime
from edgevid.bench.result import Finding, Result

# Rules about all figures come before those about some.
_GRAVEST_FIRST = ("R14", "R1", "R2", "R3", "R9", "R5", "R7", "R10")
# The upper bound of the share: no late answer among 300 is enough.
_MOST_MISSES, _MOSTLY = 0.01, 0.5


def verdict(result: Result) -> str:
    """Return the verdict in one line."""
    if result.validity.failed:
        gravest, *others = sorted(result.validity.failed, key=_gravity)
        more = f"; {', '.join(each.id for each in others)} failed too" if others else ""
        return f"INVALID: {gravest.found} ({gravest.id}){more}"
    ending = f"valid, on a virtual machine ({result.machine.virtual})" if result.machine.virtual else "valid"
    return f"{_claim(result)}; {ending}"


def milliseconds(value: float) -> str:
    """Return a time with about three significant digits."""
    digits = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} ms"


def percentile_text(estimate: Estimate) -> str:
    """Return a percentile; one that the samples do not support is marked as a lower bound."""
    return milliseconds(estimate.value) if estimate.is_supported else f"≥ {milliseconds(estimate.value)}"


def _gravity(finding: Finding) -> int:
    return _GRAVEST_FIRST.index(finding.id) if finding.id in _GRAVEST_FIRST else len(_GRAVEST_FIRST)


def _claim(result: Result) -> str:
    if result.scenario.kind == "start":
        return _start_claim(result)
    if result.realtime is not None:
        return _realtime_claim(result, result.realtime)
    total = result.stages["total"].percentiles
    p50, p99 = total["p50"], total["p99"]
    # Not 1/p50: the loop does more than what a frame's stages hold.
    rate = sum(run.n for run in result.processes) / sum(run.took_s for run in result.processes)
    return f"an answer takes {milliseconds(p50.value)} ({percentile_text(p99)} at p99), {rate:,.0f} a second"


def _realtime_claim(result: Result, realtime: RealTime) -> str:
    fps = 1e3 / realtime.deadline_ms
    share = realtime.misses / realtime.due if realtime.due else 1.0
    spare = 1 - realtime.duty
    core = f"with {spare:.0%} of one core to spare" if spare >= 0 else f"and takes {realtime.duty:.1f} cores"
    if realtime.miss_share_upper < _MOST_MISSES:
        return (
            f"keeps {fps:.3g} answers a second {core} (late: below {realtime.miss_share_upper:.2%} with 95% confidence)"
        )
    if share < _MOST_MISSES:
        seen = f"{realtime.misses} of {realtime.due} answers were late"
        return f"{seen}: too few answers to tell whether it keeps {fps:.3g} a second"
    total = result.stages.get("total")
    is_idle = total is not None and total.percentiles["p90"].value < realtime.deadline_ms / 2
    blame = "; the model was idle most of the time, so the source is too slow" if is_idle and share > _MOSTLY else ""
    return f"does not keep {fps:.3g} answers a second: {share:.1%} are late or missing, {core}{blame}"


def _start_claim(result: Result) -> str:
    def total_ms(is_cold: bool) -> list[float]:
        return sorted(s.import_ms + s.load_ms + s.first_decision_ms for s in result.start if s.is_cold == is_cold)

    spans = [
        f"{kind} {milliseconds(times[0])} to {milliseconds(times[-1])}"
        for kind, times in (("cold", total_ms(True)), ("warm", total_ms(False)))
        if times
    ]
    return f"the first answer comes after {' and '.join(spans)}"
