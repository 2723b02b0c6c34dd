"""A result as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from edgevid.bench.figures import StageStatistics
from edgevid.bench.result import Result
from edgevid.bench.verdict import milliseconds, percentile_text, verdict
from edgevid.tables import table
from edgevid.telemetry.telemetry import STAGES

_SHOWN = ("p50", "p90", "p95", "p99", "p99.9")


def report(result: Result) -> str:
    """Return all lines, the verdict first, without a final newline."""
    return "\n".join(
        [
            verdict(result),
            "",
            *_conditions(result),
            "",
            *_stages(result),
            *_realtime(result),
            *_starts(result),
            *_costs(result),
            *_rules(result),
        ]
    )


def _conditions(result: Result) -> Iterator[str]:
    bundle, scenario, engine, machine = result.bundle, result.scenario, result.engine, result.machine
    precision = ", ".join(f"{part.role} {part.precision}" for part in bundle.parts)
    shape = "x".join(map(str, bundle.input))
    size = "x".join(map(str, scenario.frame_size))
    yield f"{bundle.name}: plan {bundle.plan!r}, {precision}, window {bundle.window}, input {shape}"
    rate = f" at {scenario.fps:g} frames a second" if scenario.fps else ""
    load = f", beside a load of {scenario.load}" if scenario.load else ""
    yield f"scenario {scenario.kind}: {scenario.source}{f' of {size}' if size else ''}{rate}{load}"
    versions = result.versions
    # A measurement of starts loads the interpreter in its children alone.
    interpreter = engine.interpreter or "the CPU"
    yield (
        f"{interpreter}, delegate {engine.delegate_got}, threads: {engine.threads}; "
        f"Python {versions['python']}, numpy {versions['numpy']}, edgevid {versions['edgevid']}"
    )
    processor = f"{machine.cpu or 'unknown processor'}, {machine.arch}, {machine.cores} cores"
    yield (
        f"{machine.board or 'unknown board'}; {processor}, {machine.ram_mib or 'unknown'} MiB; "
        f"{machine.os}, kernel {machine.kernel}, governor {machine.governor or 'unknown'}"
    )


def _stages(result: Result) -> Iterator[str]:
    if not result.stages:
        return
    rows: list[tuple[object, ...]] = [("stage", "n", *_SHOWN, "max", "what")]
    rows += [
        (name, stage.n, *(percentile_text(stage.percentiles[each]) for each in _SHOWN), milliseconds(stage.max), what)
        for name, what in STAGES.items()
        if (stage := result.stages.get(name))
    ]
    yield table(rows)
    total = result.stages["total"]
    yield _interval_line(total)
    if total.outliers or abs(total.drift) >= 0.01:
        yield f"outliers: {total.outliers} of {total.n}; drift over a process: {total.drift:+.1%}"
    if any(not stage.percentiles[each].is_supported for stage in result.stages.values() for each in _SHOWN):
        yield "≥: too few samples for this percentile; the value is a lower bound"


def _interval_line(total: StageStatistics) -> str:
    p50 = total.percentiles["p50"]
    between = (
        f"95 % interval {milliseconds(p50.low)} to {milliseconds(p50.high)}"
        if p50.low is not None and p50.high is not None
        else "no interval"
    )
    return f"total: p50 {milliseconds(p50.value)}, {between}, from {total.n_effective:.0f} independent samples"


def _realtime(result: Result) -> Iterator[str]:
    realtime = result.realtime
    if realtime is not None:
        dropped = ", ".join(f"{cause} {count}" for cause, count in realtime.dropped.items())
        yield (
            f"deadline {milliseconds(realtime.deadline_ms)}: {realtime.misses} of {realtime.due} missed, "
            f"at most {realtime.longest_run} in a row; dropped: {dropped}; "
            f"the process used {realtime.duty:.0%} of a core"
        )
    if result.sustainable_fps is not None:
        yield f"highest rate with fewer than 1 % misses: {result.sustainable_fps:.1f} frames a second"


def _starts(result: Result) -> Iterator[str]:
    if not result.start:
        return
    yield ""
    yield "start-up in fresh processes"
    heading = ("caches", "import ms", "load ms", "first decision ms")
    rows = [
        ("cold" if each.is_cold else "warm", each.import_ms, each.load_ms, each.first_decision_ms)
        for each in result.start
    ]
    yield table([heading, *rows], indent="  ")


def _costs(result: Result) -> Iterator[str]:
    memory = result.memory
    known = {
        "imported": memory.imported,
        "at the end": memory.rss,
        "peak": memory.peak,
        "PSS": memory.pss,
        "bundle": memory.bundle,
    }
    yield f"memory in MiB: {', '.join(f'{name} {value:.1f}' for name, value in known.items() if value is not None)}"
    accuracy = result.accuracy
    if accuracy is not None:
        yield (
            f"accuracy: {accuracy.top1:.1%} ({accuracy.correct} of {accuracy.clips} clips; "
            f"95 % interval {accuracy.low:.1%} to {accuracy.high:.1%})"
        )
    energy = result.energy
    if energy is not None:
        yield (
            f"energy: {energy.j_per_answer * 1e3:.3f} mJ an answer, {energy.j_per_answer_above_idle * 1e3:.3f} above "
            f"idle; {energy.mean_w:.2f} W, by {energy.sensor} ({energy.sees})"
        )


def _rules(result: Result) -> Iterator[str]:
    if result.validity.failed:
        yield ""
        yield "failed rules"
        for each in result.validity.failed:
            yield f"  {each.id}: {each.found}. {each.do}"
    unknown = [each for each in result.validity.rules if each.outcome == "unknown"]
    if unknown:
        yield f"unknown: {'; '.join(f'{each.id} {each.found}' for each in unknown)}"
