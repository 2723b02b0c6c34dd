"""The end of a conversion: write its page and bundle, or raise an error that says why there is no bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from convert.options import CORAL, Options
from convert.progress import Progress
from convert.reporting.clip_strips import strips
from convert.reporting.page import write_html
from convert.reporting.report import ConversionResult, as_json, record
from edgevid.atomic import check_folder, replacing
from edgevid.bundle import Bundle, write
from edgevid.bundle.manifest import Manifest
from edgevid.errors import ConversionError, EdgevidError, UsageError, VerificationFailed
from edgevid.telemetry.environment import versions

PAGE_SUFFIX = ".report.html"


class NoBundle(EdgevidError):
    """A conversion ended without a bundle, but with a report.

    Args:
        message: See `EdgevidError`.
        report: The data of `report.json`.
        fields: See `EdgevidError`; `path` is the page.
    """

    def __init__(self, message: str = "", *, report: dict[str, Any], **fields: Any) -> None:
        super().__init__(message, **fields)
        self.report = report


class OverBudget(NoBundle, VerificationFailed):
    """No precision keeps the budget."""


class Unproven(NoBundle, VerificationFailed):
    """A stage of the proof differs from the trained model."""


class Unconverted(NoBundle, ConversionError):
    """TensorFlow's converter failed."""


def check_places(out: Path, page: Path | None) -> Path:
    """Reject paths that cannot be written to, before hours of work.

    Args:
        out: The bundle.
        page: The page; None for one next to the bundle.

    Returns:
        The path of the page.

    Raises:
        UsageError: A name has another suffix, or its folder does not exist.
    """
    if out.suffix != ".edgevid" or not out.parent.is_dir() or out.is_dir():
        raise UsageError(
            expected="-o to name a file *.edgevid in an existing folder", got=out, found=str(out), path=out
        )
    page = page or out.with_suffix(PAGE_SUFFIX)
    check_folder(page, suffix=".html")
    return page


def finish(
    result: ConversionResult, out: Path, *, page: Path, seconds: float, progress: Progress
) -> tuple[Manifest, dict[str, Any]]:
    """Write the bundle and the page; if no precision keeps the budget, only the page.

    Args:
        result: The result of the conversion.
        out: The bundle to write.
        page: The page to write.
        seconds: Duration so far.
        progress: Notified of warnings.

    Returns:
        The bundle's manifest, and the report with "bundle_bytes".

    Raises:
        OverBudget: No precision keeps the budget.
    """
    report = record(result, seconds=seconds)
    if result.search.failure:
        _write_page(result, report, page)
        raise _over_budget(result, report, page)
    bundle = result.best.bundle
    assert bundle is not None
    if result.options.delegate == CORAL:
        bundle = _with_twin(bundle, report, out, progress)
    manifest = _write_bundle(result, bundle, report, out)
    # Known only now, so the report inside the bundle lacks it.
    report["bundle_bytes"] = out.stat().st_size
    _write_page(result, report, page)
    return manifest, report


def _over_budget(result: ConversionResult, report: dict[str, Any], page: Path) -> OverBudget:
    reasons = (f"{result.search.failure.removesuffix('.')}.", report["blame"], "No bundle was written")
    return OverBudget(
        expected="a precision within the budget",
        found=f"none: {' '.join(filter(None, reasons))}",
        hint=f"See {page}, or allow more with {_limits(result.options)}.",
        report=report,
        path=page,
    )


def _limits(options: Options) -> str:
    """Return the options that limit what a conversion may cost."""
    if options.streams is None:
        return "--max-drop or --min-agreement"
    return "--max-drop, --min-agreement, --max-missed-events or --max-extra-false-per-hour"


def stop(error: EdgevidError, result: ConversionResult, page: Path, *, seconds: float) -> NoBundle:
    """Write the page of a conversion that an error stopped.

    Args:
        error: The error that stopped it.
        result: The measurements so far.
        page: The page to write.
        seconds: Duration so far.

    Returns:
        The error to raise, with the report.
    """
    report = record(result, seconds=seconds)
    _write_page(result, report, page)
    kind = Unproven if isinstance(error, VerificationFailed) else Unconverted
    return kind(
        f"{error} {page} shows how far the conversion came.",
        report=report,
        path=page,
        expected=error.expected,
        got=error.got,
    )


def _with_twin(bundle: Bundle, report: dict[str, Any], out: Path, progress: Progress) -> Bundle:
    """Add a twin for the Edge TPU. If that fails, write the part next to the bundle, to be compiled elsewhere."""
    from convert.placement.coral import add_twin

    coral = add_twin(bundle)
    report["edgetpu"] = coral.report
    if coral.warning:
        part = bundle.manifest.parts[0]
        path = out.with_suffix(f".{part.file}")
        with replacing(path) as written:
            written.write_bytes(bundle.models[part.file])
        coral.report["kept"] = path.name
        # `convert.placement.coral` removes this warning by its beginning, once a twin is added.
        report["warnings"].append(
            f"{coral.warning}. {path.name} is ready for the compiler; add its output to the bundle with: "
            f"edgevid add-twin {out.name} {path.stem}_edgetpu.tflite"
        )
        progress.step(f"  careful: {report['warnings'][-1]}")
    return coral.bundle


def _write_bundle(result: ConversionResult, bundle: Bundle, report: dict[str, Any], out: Path) -> Manifest:
    trained = result.trained
    provenance = {
        "source": trained.path.name,
        "sha256": trained.sha256,
        "keras": trained.written_by,
        "command": result.command,
    }
    manifest = replace(bundle.manifest, versions=versions(), provenance=provenance)
    return write(replace(bundle, manifest=manifest, report=report), out)


def data_path(page: Path) -> Path:
    """Return the path of a page's data: `X.report.json` for the pages `X.html` and `X.report.html`."""
    # Not `X.json`: a file of that name may belong to the user.
    return page.with_name(page.name.removesuffix(".html").removesuffix(".report") + ".report.json")


def _write_page(result: ConversionResult, report: dict[str, Any], page: Path) -> None:
    name = result.job.name
    write_html(report, page, title=name, bundle_bytes=report.get("bundle_bytes"), strips=strips(result))
    with replacing(data_path(page)) as written:
        written.write_text(as_json(report) + "\n", encoding="utf-8")
