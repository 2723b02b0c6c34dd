"""The page of benchmark results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from convert.bench_page.plots import Measured, stages_svg, tail_svg, threads_svg, time_svg
from convert.reporting.rendering import environment
from edgevid.atomic import replacing
from edgevid.bench.check import check
from edgevid.bench.files import read_samples
from edgevid.bench.result import Result
from edgevid.bench.rules import RULES
from edgevid.bench.verdict import milliseconds, percentile_text, verdict
from edgevid.errors import UsageError

TEMPLATE = "bench.html"
_MOST_RESULTS = 12


def write_bench_page(paths: Sequence[Path], page: Path) -> None:
    """Check results and write their page.

    Args:
        paths: Result files, each with its raw samples beside it; at most 12.
        page: The `.html` file to write.

    Raises:
        UsageError: A file is missing, or there are too many, or the page's folder does not exist.
        ResultInvalid: A result is damaged or edited.
    """
    if len(paths) > _MOST_RESULTS:
        raise UsageError(expected=f"at most {_MOST_RESULTS} results on a page", got=len(paths))
    measured = {name: Measured(name=name, result=(result := check(path)), samples=read_samples(result, path))
                for name, path in _named(paths).items()}  # fmt: skip
    timed = {name: each for name, each in measured.items() if "total" in each.result.stages}
    plots = [] if not timed else [("Distribution", tail_svg(timed)), ("Stages", stages_svg(timed))]
    if threads := threads_svg(timed):
        plots.append(("Threads", threads))
    text = (
        environment()
        .get_template(TEMPLATE)
        .render(
            title=_title(measured),
            verdicts=[(name, verdict(each.result), each.result.validity.valid) for name, each in measured.items()],
            plots=plots,
            over_time=[(name, time_svg(each)) for name, each in timed.items()],
            table=_table(measured),
            conditions=[(name, _conditions(each.result)) for name, each in measured.items()],
            rules=[(name, each.result.validity.rules) for name, each in measured.items()],
            holds_if={rule.id: rule.holds_if for rule in RULES},
        )
    )
    with replacing(page) as written:
        written.write_text(text, encoding="utf-8")


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Return files by their stems; by their folders too where stems are alike."""
    stems = [path.stem for path in paths]
    named = {}
    for path in paths:
        name = path.stem if stems.count(path.stem) == 1 else f"{path.parent.name}/{path.stem}"
        if name in named:
            raise UsageError(expected="results of different names", found=f"{name} twice")
        named[name] = path
    return named


def _title(measured: Mapping[str, Measured]) -> str:
    bundles = {each.result.bundle.name for each in measured.values()}
    boards = {each.result.machine.board or each.result.machine.cpu or "unknown" for each in measured.values()}
    return f"{', '.join(sorted(bundles))} on {', '.join(sorted(boards))}"


def _table(measured: Mapping[str, Measured]) -> list[list[str]]:
    """Return the figures side by side, a column for each result."""
    figures: dict[str, Callable[[Result], str]] = {
        "p50": lambda result: _percentile(result, "p50"),
        "95 % interval of p50": _interval,
        "p90": lambda result: _percentile(result, "p90"),
        "p95": lambda result: _percentile(result, "p95"),
        "p99": lambda result: _percentile(result, "p99"),
        "longest": lambda result: milliseconds(result.stages["total"].max) if result.stages else "–",
        "late answers": _late,
        "busy share of a core": lambda result: f"{result.realtime.duty:.0%}" if result.realtime else "–",
        "first answer, warm": lambda result: _start(result, is_cold=False),
        "first answer, cold": lambda result: _start(result, is_cold=True),
        "memory at most": lambda result: f"{result.memory.peak:.1f} MiB" if result.memory.peak else "–",
        "accuracy": _accuracy,
        "energy of an answer": lambda result: f"{result.energy.j_per_answer * 1e3:.2f} mJ" if result.energy else "–",
    }
    rows = [["", *measured]]
    for name, figure in figures.items():
        row = [figure(each.result) for each in measured.values()]
        if any(cell != "–" for cell in row):
            rows.append([name, *row])
    return rows


def _percentile(result: Result, name: str) -> str:
    return percentile_text(result.stages["total"].percentiles[name]) if result.stages else "–"


def _accuracy(result: Result) -> str:
    found = result.accuracy
    return f"{found.top1:.1%} ({found.low:.1%} to {found.high:.1%}, {found.clips} clips)" if found else "–"


def _interval(result: Result) -> str:
    p50 = result.stages["total"].percentiles["p50"] if result.stages else None
    if p50 is None or p50.low is None or p50.high is None:
        return "–"
    return f"{milliseconds(p50.low)} to {milliseconds(p50.high)}"


def _late(result: Result) -> str:
    realtime = result.realtime
    return f"{realtime.misses} of {realtime.due}" if realtime else "–"


def _start(result: Result, *, is_cold: bool) -> str:
    times = [each.import_ms + each.load_ms + each.first_decision_ms for each in result.start if each.is_cold == is_cold]
    return milliseconds(sorted(times)[len(times) // 2]) if times else "–"


def _conditions(result: Result) -> list[tuple[str, str]]:
    machine, scenario, engine = result.machine, result.scenario, result.engine
    rate = f", {scenario.fps:g} frames a second" if scenario.fps else ""
    size = "x".join(map(str, scenario.frame_size))
    return [
        ("measured", f"{result.began}, {result.took_s:.0f} s"),
        ("scenario", f"{scenario.kind}: {scenario.source} {size}{rate}"),
        ("engine", f"{engine.interpreter}, {engine.delegate_got}, threads: {engine.threads}"),
        ("machine", f"{machine.board or 'unknown board'}, {machine.cpu or machine.arch}, {machine.cores} cores"),
        ("system", f"{machine.os}, kernel {machine.kernel}, governor {machine.governor or 'unknown'}"),
        ("bundle", f"{result.bundle.name}, {result.bundle.sha256[:16]}"),
    ]
