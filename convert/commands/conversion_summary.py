"""The report of a conversion as the few lines that the command prints."""

from __future__ import annotations

from typing import Any

from convert.placement import coral, xnnpack
from convert.reporting.event_lines import event_lines


def summary(report: dict[str, Any], *, delegate: str | None = None) -> str:
    """Summarise a report.

    Args:
        report: A report from `convert.reporting.report.record`.
        delegate: The value of `--delegate`; None omits the placement of operators.

    Returns:
        Lines of text, without a final newline.
    """
    parts = ", ".join(
        f"{role} {precision} ({report['part_bytes'][role] / 1024:.0f} KiB)"
        for role, precision in report["precision"].items()
    )
    lines = [
        f"plan {report['plan']}: {parts}",
        f"{'stage':<22}{'clips':>6}{'agreement':>11}{'max error':>11}{'accuracy':>10}",
    ]
    lines += [_stage(stage) for stage in report["stages"]]
    lines += [
        f"value {value['name']!r}: mean error {value['share_of_span']:.2%} of its range" for value in report["values"]
    ]
    lines += _pruning(report)
    lines += event_lines(report)
    lines += _placement(report, delegate)
    lines += [f"note: {note}" for note in report["notes"]]
    lines += [f"careful: {warning}" for warning in report["warnings"]]
    return "\n".join([*lines, f"{report['bundle_bytes'] / 1024:.0f} KiB in {report['seconds']:.1f} s"])


def _pruning(report: dict[str, Any]) -> list[str]:
    removed = report.get("pruning")
    if removed is None:
        return []
    return [
        f"pruned: {removed['share']:.1%} of the encoder's multiply-accumulates are left "
        f"({removed['macs_after']:,} of {removed['macs_before']:,} a frame)"
    ]


def _placement(report: dict[str, Any], delegate: str | None) -> list[str]:
    lines = xnnpack.describe([xnnpack.Placement(**each) for each in report["placement"]]) if delegate else []
    return lines + ([coral.describe(report["edgetpu"])] if report["edgetpu"] else [])


def _stage(stage: dict[str, Any]) -> str:
    accuracy = "-" if stage["accuracy"] is None else f"{stage['accuracy']:.1%}"
    agreement = f"{stage['agreement']:>11.1%}{stage['max_abs_error']:>11.2g}"
    return f"{stage['name']:<22}{stage['clips']:>6}{agreement}{accuracy:>10}"
