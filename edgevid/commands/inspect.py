"""Show what a bundle holds: plan, window, input, parts, labels, decision rule, what the conversion proved, and where it came from.

The whole bundle is checked on the way, as on every load. Nothing of it is run. Of a .tflite file from anywhere: its operators, inputs and
outputs, and whether this machine runs it, tried in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgevid.commands.options import add_bundle

if TYPE_CHECKING:
    from edgevid.backends.survey import Survey
    from edgevid.bundle import Bundle
    from edgevid.bundle.manifest import Manifest, Tensor

EXAMPLES = """examples:
  edgevid inspect action.edgevid
  edgevid inspect action.edgevid --json | jq .manifest.labels
  edgevid inspect from_somewhere.tflite
      its operators, inputs and outputs, and whether this machine can run it"""
_LABELS_SHOWN = 24
_NUMBERS = (
    "clips",
    "agreement",
    "agreement_held_out",
    "max_abs_error",
    "accuracy_float",
    "accuracy_bundle",
    "joined_in_integers",
    "seconds",
)
_STAGE = ("name", "clips", "agreement", "max_abs_error", "accuracy")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_bundle(parser, what="the .edgevid file, or a .tflite file")
    parser.add_argument("--json", action="store_true", help="print the manifest and the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Print what is in the bundle.

    Args:
        args: Parsed options.

    Returns:
        0.
    """
    from edgevid import bundle
    from edgevid.backends.survey import is_tflite, survey
    from edgevid.schema import to_json

    if is_tflite(args.bundle):
        found = survey(args.bundle)
        sys.stdout.write(
            (json.dumps(to_json(found), indent=1) if args.json else "\n".join(describe_tflite(found, args.bundle.name)))
            + "\n"
        )
        return 0
    read = bundle.read(args.bundle)
    whole = {"manifest": to_json(read.manifest), "report": to_json(read.report)}
    sys.stdout.write((json.dumps(whole, indent=1) if args.json else "\n".join(describe(read))) + "\n")
    return 0


def describe_tflite(found: Survey, name: str) -> Iterator[str]:
    """Tell what a `.tflite` file holds.

    Args:
        found: Its survey.
        name: Its name.

    Yields:
        Lines for people.
    """
    from edgevid.tables import table

    yield f"{name}: a .tflite file, {sum(found.operators.values())} operators"
    yield ""
    rows = [
        (side, each["name"], "x".join(map(str, each["shape"])), each["dtype"], f"{each['scale']:g}", each["zero_point"])
        for side, each in _sides(found)
    ]
    yield table([("", "tensor", "shape", "type", "scale", "zero point"), *rows])
    yield ""
    yield table([("operator", "count"), *sorted(found.operators.items(), key=lambda item: -item[1])])
    yield ""
    yield "runs here: " + ("yes" if found.runs else f"no. {found.reason}")
    if found.flex:
        yield f"needs TensorFlow's own operators (Flex): {', '.join(found.flex)}"
    if found.edgetpu:
        yield "compiled for the Edge TPU: it runs there, or as its uncompiled twin"
    if found.dynamic:
        yield "a size besides the batch is left open (-1): it has to be converted again with fixed sizes"
    if found.runs and not found.dynamic:
        yield f"take it as a bundle: edgevid convert {name} --clips DIR -o OUT.edgevid"


def _sides(found: Survey) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from (("input", each) for each in found.inputs)
    yield from (("output", each) for each in found.outputs)


def describe(bundle: Bundle) -> Iterator[str]:
    """Tell what a bundle holds.

    Args:
        bundle: A checked one.

    Yields:
        Lines for people.
    """
    from edgevid.tables import table

    manifest = bundle.manifest
    yield f"{manifest.name}: {len(manifest.labels)} classes, plan {manifest.plan!r}"
    yield ""
    yield from _aligned(dict(_facts(manifest)))
    yield ""
    yield table([("part", "file", "precision", "bytes", "inputs", "outputs"), *_parts(bundle)])
    yield from _proof(bundle.report)
    yield from _section("provenance", {name: value for name, value in manifest.provenance.items() if value})
    yield from _section(
        "made with", {**manifest.versions, "golden answers": f"{len(bundle.golden.scores)} by {bundle.golden.engine}"}
    )


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    window, spec, rule = manifest.window, manifest.input, manifest.decision
    yield (
        "window",
        f"{window.frames} frames, {window.interval_s:g} s apart ({window.sampling}): {window.frames * window.interval_s:.2f} s",
    )
    if spec.kind == "features":
        yield "input", f"{spec.channels} numbers a row"
    else:
        yield (
            "input",
            f"{spec.width}x{spec.height} {spec.color}, pixels {spec.range[0]:g} to {spec.range[1]:g}, {spec.resize}, {spec.interpolation}",
        )
    yield "lookback", f"{manifest.lookback} frames before the newest"
    yield "scores", manifest.scores
    if manifest.values:
        yield "values", ", ".join(f"{value.name} ({value.size})" for value in manifest.values)
    more = len(manifest.labels) - _LABELS_SHOWN
    yield "labels", ", ".join(manifest.labels[:_LABELS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    yield "events", f"from {rule.enter:g}, until below {rule.exit:g}, smoothed over {rule.smoothing_s:g} s"
    yield "", f"at least {rule.min_duration_s:g} s long, {rule.cooldown_s:g} s between two of one label"
    yield "background", ", ".join(rule.background) or "none"


def _parts(bundle: Bundle) -> Iterator[tuple[object, ...]]:
    for part in bundle.manifest.parts:
        yield (
            part.role,
            part.file,
            part.precision,
            len(bundle.models[part.file]),
            _tensors(part.inputs),
            _tensors(part.outputs),
        )
        if part.edgetpu:
            yield "  its twin", part.edgetpu, "Edge TPU", len(bundle.models[part.edgetpu]), "the same", "the same"


def _tensors(tensors: tuple[Tensor, ...]) -> str:
    return " ".join(f"{'x'.join(map(str, tensor.shape))} {tensor.dtype}" for tensor in tensors)


def _proof(report: Mapping[str, Any]) -> Iterator[str]:
    """The numbers that the conversion vouches for; the whole report is left to --json."""
    from edgevid.tables import table

    yield from _section("proof", {name: report[name] for name in _NUMBERS if report.get(name) is not None})
    if report.get("stages"):
        yield ""
        yield table([_STAGE, *([stage.get(key) for key in _STAGE] for stage in report["stages"])], indent="  ")
    for note in report.get("notes", ()):
        yield f"  note: {note}"
    for warning in report.get("warnings", ()):
        yield f"  careful: {warning}"


def _section(title: str, rows: Mapping[str, object]) -> Iterator[str]:
    if rows:
        yield ""
        yield title
        yield from _aligned(rows, indent="  ")


def _aligned(rows: Mapping[str, object], *, indent: str = "") -> Iterator[str]:
    width = max(map(len, rows))
    for name, value in rows.items():
        yield f"{indent}{name:<{width}}  " + (f"{value:.6g}" if isinstance(value, float) else str(value))
