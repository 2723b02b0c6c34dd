"""The end of a conversion: its page, its bundle, or why there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from convert.options import CORAL
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
    """A conversion ended without a bundle, after there was something to tell.

    Args:
        message: As for any error.
        report: What `report.json` holds, beside the page.
        fields: As for any error; `path` is the page.
    """

    def __init__(self, message: str = "", *, report: dict[str, Any], **fields: Any) -> None:
        super().__init__(message, **fields)
        self.report = report


class OverBudget(NoBundle, VerificationFailed):
    """No precision keeps the budget."""


class Unproven(NoBundle, VerificationFailed):
    """A stage of the proof found another model than the trained one."""


class Unconverted(NoBundle, ConversionError):
    """TensorFlow's converter failed."""


def check_places(out: Path, page: Path | None) -> Path:
    """Refuse places that cannot be written to, before anything is done.

    Args:
        out: The bundle.
        page: The page; None for one beside the bundle.

    Returns:
        Where the page goes.

    Raises:
        UsageError: A name ends otherwise, or a folder is not there.
    """
    if out.suffix != ".edgevid" or not out.parent.is_dir() or out.is_dir():
        raise UsageError(
            expected="-o to name a file *.edgevid in a folder that is there", got=out, found=f"{out}", path=out
        )
    page = page or out.with_suffix(PAGE_SUFFIX)
    check_folder(page, suffix=".html")
    return page


def finish(
    story: ConversionResult, out: Path, *, page: Path, seconds: float, progress: Progress
) -> tuple[Manifest, dict[str, Any]]:
    """Write the bundle and the page; where no precision keeps the budget, the page alone.

    Args:
        story: What happened.
        out: The bundle to write.
        page: The page to write.
        seconds: How long it took so far.
        progress: Told what to know.

    Returns:
        The bundle's manifest, and the report with "bundle_bytes".

    Raises:
        OverBudget: No precision keeps the budget.
    """
    report, shown = record(story, seconds=seconds), story.search.best_trial
    if story.search.failure:
        _write_page(story, report, page)
        raise OverBudget(
            expected="a precision within the budget",
            found=f"none: {story.search.failure}. {report['blame']} No bundle was written; {page} tells more",
            hint="Allow more with --max-drop or --min-agreement.",
            report=report,
            path=page,
        )
    assert shown.bundle is not None
    bundle = _with_twin(shown.bundle, report, out, progress) if story.options.delegate == CORAL else shown.bundle
    manifest = _pack(story, bundle, report, out)
    report["bundle_bytes"] = out.stat().st_size
    _write_page(story, report, page)
    return manifest, report


def stop(error: EdgevidError, story: ConversionResult, page: Path, *, seconds: float) -> NoBundle:
    """Write the page of a conversion that was stopped: how far it came, and by what it was ended.

    Args:
        error: What stopped it.
        story: What happened.
        page: The page to write.
        seconds: How long it took.

    Returns:
        The error to raise, with the report.
    """
    report = record(story, seconds=seconds)
    _write_page(story, report, page)
    kind = Unproven if isinstance(error, VerificationFailed) else Unconverted
    return kind(
        f"{error} {page} tells how far it came.", report=report, path=page, expected=error.expected, got=error.got
    )


def _with_twin(bundle: Bundle, report: dict[str, Any], out: Path, progress: Progress) -> Bundle:
    """Give the bundle a twin for the Edge TPU; where that is not possible here, leave the part that is ready for its compiler beside it."""
    from convert.placement.coral import add_twin

    coral = add_twin(bundle)
    report["edgetpu"] = coral.report
    if coral.warning:
        part = bundle.manifest.parts[0]
        kept = out.with_suffix(f".{part.file}")
        with replacing(kept) as beside:
            beside.write_bytes(bundle.models[part.file])
        coral.report["kept"] = kept.name
        report["warnings"].append(
            f"{coral.warning}. What the compiler takes is in {kept.name}; compiled elsewhere, edgevid add-twin {out.name} {kept.stem}_edgetpu.tflite joins it"
        )
        progress.step(f"  careful: {report['warnings'][-1]}")
    return coral.bundle


def _pack(story: ConversionResult, bundle: Bundle, report: dict[str, Any], out: Path) -> Manifest:
    trained = story.trained
    provenance = {
        "source": trained.path.name,
        "sha256": trained.sha256,
        "keras": trained.written_by,
        "command": story.command,
    }
    return write(
        replace(bundle, manifest=replace(bundle.manifest, versions=versions(), provenance=provenance), report=report),
        out,
    )


def data_beside(page: Path) -> Path:
    """Say where a page's data goes: X.report.json, of whatever name the page is, for X.json may be anybody's.

    Args:
        page: The page.

    Returns:
        The path beside it.
    """
    return page.with_name(page.name.removesuffix(".html").removesuffix(".report") + ".report.json")


def _write_page(story: ConversionResult, report: dict[str, Any], page: Path) -> None:
    name = story.job.name
    write_html(report, page, title=name, bundle_bytes=report.get("bundle_bytes"), strips=strips(story))
    with replacing(data_beside(page)) as beside:
        beside.write_text(as_json(report) + "\n", encoding="utf-8")
