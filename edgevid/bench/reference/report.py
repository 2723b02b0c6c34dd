"""The suite's result as text: a table of the bundles, and the stream."""

from __future__ import annotations

from collections.abc import Iterator

from edgevid.bench.reference.archive import Contents
from edgevid.bench.reference.suite import FULL, StreamResult
from edgevid.bench.reference.workloads import WORKLOADS
from edgevid.bench.result import Result
from edgevid.bench.verdict import milliseconds, percentile_text
from edgevid.tables import table


def report(contents: Contents) -> str:
    """Return all lines, the verdict first, without a final newline."""
    result = next(iter(contents.results.values()))
    machine = result.machine
    where = f"{machine.board or machine.cpu or 'unknown machine'}, {machine.os}, kernel {machine.kernel}"
    return "\n".join([suite_verdict(contents), where, "", table(rows(contents)), *_stream(contents.suite.stream)])


def suite_verdict(contents: Contents) -> str:
    """Return whether all results are valid, in one line."""
    if contents.suite.amounts != FULL:
        return "SHORT: measured too little to compare with other boards"
    if contents.failed:
        named = "; ".join(f"{name} ({', '.join(rules)})" for name, rules in contents.failed.items())
        return f"INVALID: {named}"
    virtual = next(iter(contents.results.values())).machine.virtual
    return f"valid, on a virtual machine ({virtual})" if virtual else "valid"


def rows(contents: Contents) -> list[tuple[object, ...]]:
    """Return the heading, and a row for each bundle."""
    heading = ("bundle", "what", "p50", "p95", "answers a second", "late", "cores at its rate", "first answer", "MiB")
    return [heading, *(_row(contents, workload.name, workload.title) for workload in WORKLOADS)]


def _row(contents: Contents, name: str, title: str) -> tuple[object, ...]:
    saturated, paced = contents.results[f"{name}-saturate"], contents.results[f"{name}-paced"]
    total = saturated.stages["total"].percentiles
    peak = saturated.memory.peak
    return (
        name,
        title,
        percentile_text(total["p50"]),
        percentile_text(total["p95"]),
        f"{sum(run.n for run in saturated.processes) / sum(run.took_s for run in saturated.processes):.1f}",
        _late(paced),
        f"{paced.realtime.duty:.2f}" if paced.realtime else "–",
        milliseconds(saturated.start[0].first_decision_ms + saturated.start[0].load_ms) if saturated.start else "–",
        f"{peak:.0f}" if peak else "–",
    )


def _late(paced: Result) -> str:
    realtime = paced.realtime
    return f"{realtime.misses} of {realtime.due}" if realtime else "–"


def _stream(stream: StreamResult) -> Iterator[str]:
    yield ""
    delay = (
        f"announced {stream.delay_p50_s:.2f} s after their start (p90 {stream.delay_p90_s:.2f} s)"
        if stream.delay_p50_s is not None and stream.delay_p90_s is not None
        else "none announced"
    )
    yield (
        f"stream of {stream.duration_s:.0f} s: {stream.hits} of {stream.moments} actions found, {delay}; "
        f"{stream.false_alarms} false alarms"
    )
    yield f"  {stream.late} of {stream.due} frames answered late or never; the process used {stream.duty:.2f} cores"
