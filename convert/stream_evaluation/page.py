"""The evaluation on long recordings as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convert.event_metrics import EventMetrics
from convert.event_metrics.alarms import match_recording
from convert.reporting.event_plots import delay_svg, misses_svg, overlap_svg
from convert.reporting.rendering import environment
from convert.stream_evaluation.evaluate import StreamEvaluation
from convert.stream_evaluation.page_pictures import MOST_SHOWN, pictures_of, worst
from convert.stream_evaluation.page_strips import Watched, drawn, file_of, strip_of, watched
from convert.stream_evaluation.text import (
    confusion_rows,
    label_rows,
    named_parts,
    pace_rows,
    part_rows,
    placement,
    promise,
    rate_text,
    recall_text,
    verdict,
)
from edgevid.atomic import replacing
from edgevid.outputs.timeline.colors import label_colors
from edgevid.outputs.timeline.shots import Shots, assets_html, shots_html, video_address
from edgevid.outputs.timeline.strip import Strip, legend_html, shown_colors, strip_html
from edgevid.telemetry.environment import versions

TEMPLATE = "streams.html"
Rows = Sequence[Sequence[str]]


def write_streams_page(
    result: StreamEvaluation, path: Path, *, title: str, folder: Path, tolerance_s: float, seconds: float
) -> None:
    """Write the page atomically.

    Args:
        result: The evaluation.
        path: The `.html` file to write.
        title: The page's heading.
        folder: Folder of the recordings.
        tolerance_s: Of the evaluation, for what is right and what is not.
        seconds: Time that it took.

    Raises:
        UsageError: The folder of the page does not exist.
    """
    recordings = [
        watched(each, match_recording(each, tolerance_s=tolerance_s), number=number)
        for number, each in enumerate(result.recordings)
    ]
    # The worst first: they are what the reader looks for, and a page ends somewhere.
    recordings.sort(key=lambda each: -each.faults)
    strips = [_strip(result, each, folder, path) for each in recordings]
    shown, metrics = drawn(strips), result.metrics
    page = (
        environment()
        .get_template(TEMPLATE)
        .render(
            title=title,
            verdict=verdict(metrics),
            promise=promise(metrics),
            holds=metrics.hours_to_promise == 0.0,
            placement=placement(metrics).splitlines(),
            cards=_cards(metrics),
            plots=_plots(metrics),
            tables=_tables(result),
            worst=_worst(recordings, folder, path),
            strips=[strip_html(strip) for strip in shown],
            legend=_legend(shown),
            left_out=[strip.name for strip in strips[len(shown) :]],
            notes=result.notes,
            tolerance_s=tolerance_s,
            hours=metrics.hours,
            rule=_rule(result),
            seconds=seconds,
            versions=versions(),
            assets=assets_html(),
        )
    )
    with replacing(path) as written:
        written.write_text(page, encoding="utf-8")
        # As clips of events: it may show people.
        written.chmod(0o640)


def _strip(result: StreamEvaluation, each: Watched, folder: Path, page: Path) -> Strip:
    model = result.model
    return strip_of(
        each,
        labels=model.labels,
        colors=label_colors(model.labels, model.rule.background),
        background=model.rule.background,
        video=video_address(file_of(each, folder), page),
    )


def _cards(metrics: EventMetrics) -> list[tuple[str, str, str]]:
    """Return the key numbers: heading, value and explanation."""
    recall, rate, delay = metrics.recall, metrics.false_per_hour, metrics.delay
    share, _, interval = recall_text(recall).partition(", ")
    per_hour, _, rate_interval = rate_text(rate, unit="").partition(" ")
    return [
        ("Recall", share or "–", f"{recall.hits} of {recall.hits + recall.misses} events; {interval or 'no events'}"),
        ("False alarms an hour", per_hour, f"{rate.count} in {metrics.hours:.2f} h; {rate_interval.strip('()')}"),
        ("F1@50", f"{metrics.f1['0.5']:.3f}", "of events that overlap a true one by half"),
        (
            "Announced after",
            "–" if delay is None else f"{delay.p50_s:.2f} s",
            "no hits" if delay is None else f"median; nine of ten within {delay.p90_s:.2f} s",
        ),
    ]


def _plots(metrics: EventMetrics) -> list[tuple[str, bytes]]:
    recall, rate = metrics.recall, metrics.false_per_hour.per_hour
    missed = None if recall.share is None else 1 - recall.share
    delay_s = None if metrics.delay is None else metrics.delay.p50_s
    return [
        ("missed events by false alarms an hour", misses_svg(metrics.curve, (rate, missed))),
        ("delay by false alarms an hour", delay_svg(metrics.curve, (rate, delay_s))),
        ("F1 and mean average precision by overlap", overlap_svg(metrics.f1, metrics.average_precision)),
    ]


def _tables(result: StreamEvaluation) -> list[tuple[str, str, Rows]]:
    """Return the heading, an explanation and the rows of each table."""
    metrics = result.metrics
    tables: list[tuple[str, str, Rows]] = [
        (
            "Classes",
            "False alarms are spurious, of another class, or the second for one true event.",
            label_rows(metrics),
        )
    ]
    if metrics.delay is not None:
        tables.append(("Delay", "From the true start to the announcement, by parts.", _delay_rows(metrics)))
    if metrics.confusions:
        tables.append(("Confusions", "What was said while something else happened.", confusion_rows(metrics)))
    tables += [(f"By {name}", "The worst first.", part_rows(name, parts)) for name, parts in named_parts(metrics)]
    if result.paces:
        tables.append(("Pace levels", "What a device that is late or hot gives up.", pace_rows(result)))
    return tables


def _delay_rows(metrics: EventMetrics) -> Rows:
    delay = metrics.delay
    assert delay is not None
    parts = (
        ("model", delay.model_s),
        ("smoothing", delay.smoothing_s),
        ("shortest duration", delay.min_duration_s),
        ("whole, median", delay.p50_s),
        ("whole, nine of ten within", delay.p90_s),
        ("stated start less the true one, mean", delay.start_error_s),
        ("stated end less the true one, mean", delay.end_error_s),
    )
    rows = [(name, f"{value_s:.2f}") for name, value_s in parts]
    return [("part", "seconds"), *rows, ("announced within 1 s", f"{delay.within_1_s:.0%}")]


def _worst(recordings: Sequence[Watched], folder: Path, page: Path) -> dict[str, object]:
    """Return the cards of what went wrong, and how much more there is."""
    shown = worst(recordings)
    pictures = pictures_of(shown, folder)
    cards = [
        Shots(
            mark=each.mark,
            video=video_address(file_of(each.recording, folder), page),
            name=each.recording.answered.name,
            pictures=own,
        )
        for each, own in zip(shown, pictures, strict=True)
    ]
    faults = sum(each.faults for each in recordings)
    return {"html": shots_html(cards), "faults": faults, "hidden": max(0, faults - MOST_SHOWN), "count": len(cards)}


def _legend(strips: Sequence[Strip]) -> str:
    colors = {label: color for strip in strips for label, color in shown_colors(strip).items()}
    return legend_html(colors, ("found", "missed", "hit", "false"))


def _rule(result: StreamEvaluation) -> list[tuple[str, str]]:
    rule = result.model.rule
    own = ", ".join(f"{each.label} {each.enter:g}/{each.exit:g}" for each in rule.thresholds)
    return [
        ("enter / exit", f"{rule.enter:g} / {rule.exit:g}{f'; {own}' if own else ''}"),
        ("smoothing", f"{rule.smoothing_s:g} s"),
        ("shortest duration", f"{rule.min_duration_s:g} s"),
        ("cooldown", f"{rule.cooldown_s:g} s"),
        ("background", ", ".join(rule.background) or "none"),
    ]
