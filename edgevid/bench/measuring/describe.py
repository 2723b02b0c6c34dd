"""The parts of a result that describe what was measured, and how it went."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevid.bench import figures
from edgevid.bench import result as results
from edgevid.bench.measuring.child import Run
from edgevid.bench.measuring.loop import NOISE
from edgevid.bench.measuring.options import BenchOptions, fps_of
from edgevid.bench.measuring.worker import Report
from edgevid.bench.statistics import share_upper
from edgevid.bundle import Bundle
from edgevid.redaction import public_address
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_MS


def public_word(word: str) -> str:
    """Return a word of a command line without what is nobody's business: folders, users and passwords."""
    name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if "://" in value:
        value = public_address(value)
    elif "/" in value:
        value = Path(value).name
    return f"{name}{equals}{value}"


def bundle(path: Path, bundle: Bundle) -> results.MeasuredBundle:
    """Describe the bundle."""
    manifest = bundle.manifest
    return results.MeasuredBundle(
        name=manifest.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        plan=manifest.plan,
        input=tuple(manifest.input.shape),
        window=manifest.window.frames,
        interval_s=manifest.window.interval_s,
        parts=tuple(
            results.MeasuredPart(
                role=part.role,
                precision=part.precision,
                bytes=len(bundle.models[part.file]),
                sha256=hashlib.sha256(bundle.models[part.file]).hexdigest(),
            )
            for part in manifest.parts
        ),
    )


def scenario(bundle: Bundle, options: BenchOptions, *, processes: int) -> results.Scenario:
    """Describe the scenario, with the number of processes that ran; 0 in a scenario of starts."""
    spec = bundle.manifest.input
    is_noise_picture = options.source == NOISE and spec.kind != "features"
    size = (options.size or (spec.width, spec.height)) if is_noise_picture else ()
    return results.Scenario(
        kind=options.scenario,
        source=public_word(options.source),
        fps=fps_of(bundle, options),
        frame_size=tuple(size),
        min_time_s=options.min_time_s,
        min_frames=options.min_frames,
        processes=processes or options.processes,
        warm_up_s=options.warm_up_s,
        seed=options.seed,
        load=options.load,
        affinity=options.affinity,
        cool_to_c=options.cool_to_c,
    )


def engine(options: BenchOptions, reports: Sequence[Report]) -> results.MeasuredEngine:
    """Describe what ran the parts, as the newest process reports it."""
    newest = reports[-1] if reports else None
    asked = options.delegate.partition(",")[0]
    fallback = newest.fallback if newest else ""
    on_library = newest is not None and " + " in newest.interpreter
    got = newest.interpreter.rpartition(" + ")[2] if newest and on_library else "xnnpack"
    return results.MeasuredEngine(
        interpreter=newest.interpreter if newest else "",
        threads=newest.threads if newest else options.threads,
        delegate_asked=Path(asked).name,
        delegate_got="coral" if "edgetpu" in got else got,
        fallback_reason=fallback,
    )


def selftest(runs: Sequence[Run]) -> results.MeasuredSelftest:
    """Describe the self-tests of all processes."""
    if not runs:
        # A start plays the golden frames, but compares nothing.
        return results.MeasuredSelftest(answers=0, identical=False)
    return results.MeasuredSelftest(
        answers=min(run.report.answers for run in runs), identical=all(run.report.identical for run in runs)
    )


def largest_ns(runs: Sequence[Run]) -> dict[str, int]:
    """Return the largest time by stage, of all answers of all processes."""
    return {stage: max((run.report.max_ns[stage] for run in runs), default=0) for stage in STAGES}


def process(run: Run) -> figures.ProcessRun:
    """Describe one process."""
    report = run.report
    total = run.rows[:, list(STAGES).index("total")]
    return figures.ProcessRun(
        n=report.n,
        took_s=round(report.took_s, 4),
        cpu_s=round(report.cpu_s, 4),
        p50_ms=round(float(np.median(total)) / NS_PER_MS, 6) if len(total) else 0.0,
        kept_every=report.kept_every,
        switches_forced=report.switches_forced,
        faults=report.faults,
    )


def realtime(runs: Sequence[Run], *, deadline_s: float | None) -> figures.RealTime | None:
    """Describe the punctuality of the answers; None for a source that waits."""
    if not runs or deadline_s is None:
        return None
    reports = [run.report for run in runs]
    ages = np.concatenate([run.rows[:, list(STAGES).index("age")] for run in runs]) / NS_PER_MS
    quartiles = np.quantile(ages, [0.25, 0.75]) if len(ages) else np.zeros(2)
    due, misses = sum(each.due for each in reports), sum(each.misses for each in reports)
    causes = sorted({cause for each in reports for cause in each.dropped})
    return figures.RealTime(
        deadline_ms=round(deadline_s * 1e3, 6),
        due=due,
        misses=misses,
        miss_share_upper=share_upper(misses, due) if due else 1.0,
        longest_run=max(each.longest_run for each in reports),
        jitter_ms=round(float(quartiles[1] - quartiles[0]), 6),
        duty=round(sum(each.cpu_s for each in reports) / sum(each.took_s for each in reports), 4),
        dropped={cause: sum(each.dropped.get(cause, 0) for each in reports) for cause in causes},
    )


def memory(path: Path, runs: Sequence[Run], imported_mib: float | None) -> figures.Memory:
    """Describe the memory: the largest of all processes."""

    def largest(name: str) -> float | None:
        values = [value for run in runs if (value := getattr(run.report, name)) is not None]
        return round(max(values), 2) if values else None

    return figures.Memory(
        imported=imported_mib,
        rss=largest("rss_mib"),
        peak=largest("peak_mib"),
        pss=largest("pss_mib"),
        bundle=round(path.stat().st_size / 2**20, 3),
    )
