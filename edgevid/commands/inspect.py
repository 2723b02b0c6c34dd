"""Show what a bundle contains, what its conversion proved, and where it comes from.

The output lists plan, window, input, parts, labels and decision rule. The bundle
is checked as on every load. Nothing of it is run.

For a .tflite file of any origin, the output lists its operators, inputs and
outputs, and whether this machine can run it. The test run happens in a process
of its own, which a damaged file may crash.
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
    from edgevid.bundle.manifest import Manifest
    from edgevid.bundle.parts import Tensor
    from edgevid.frames.preprocess import InputSpec

EXAMPLES = """examples:
  edgevid inspect action.edgevid
  edgevid inspect action.edgevid --json | jq .manifest.labels
  edgevid inspect from_somewhere.tflite
      shows operators, inputs and outputs, and whether this machine can run it"""
_LABELS_SHOWN = 24
# More states than these are shown as their number.
_MOST_STATES = 2
# What the text shows of the report; --json prints all of it.
_REPORT_KEYS = (
    "clips",
    "agreement",
    "agreement_held_out",
    "max_abs_error",
    "accuracy_float",
    "accuracy_bundle",
    "joined_in_integers",
    "seconds",
)
_EVENT_KEYS = (
    "recordings",
    "hours",
    "events",
    "found_float",
    "found_bundle",
    "lost",
    "false_float",
    "false_bundle",
    "later_ms",
)
_STAGE_KEYS = ("name", "clips", "agreement", "max_abs_error", "accuracy")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser, what="a .edgevid file, or a .tflite file")
    parser.add_argument("--json", action="store_true", help="print manifest and report as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the contents of the file."""
    from edgevid import bundle
    from edgevid.backends.survey import is_tflite, survey
    from edgevid.schema import to_json

    if is_tflite(args.bundle):
        found = survey(args.bundle)
        data, lines = to_json(found), describe_tflite(found, args.bundle.name)
    else:
        checked = bundle.read(args.bundle)
        data, lines = {"manifest": to_json(checked.manifest), "report": to_json(checked.report)}, describe(checked)
    sys.stdout.write((json.dumps(data, indent=1) if args.json else "\n".join(lines)) + "\n")
    return 0


def describe_tflite(found: Survey, name: str) -> Iterator[str]:
    """Describe a `.tflite` file.

    Args:
        found: The survey of the file.
        name: Name of the file.

    Yields:
        Lines of text.
    """
    from edgevid.tables import table

    yield f"{name}: a .tflite file, {sum(found.operators.values())} operators"
    yield ""
    rows = [
        *(_tensor_row("input", tensor) for tensor in found.inputs),
        *(_tensor_row("output", tensor) for tensor in found.outputs),
    ]
    yield table([("", "tensor", "shape", "type", "scale", "zero point"), *rows])
    yield ""
    yield table([("operator", "count"), *sorted(found.operators.items(), key=lambda item: -item[1])])
    yield ""
    yield "runs here: " + ("yes" if found.runs else f"no. {found.reason}")
    if found.flex:
        yield f"needs TensorFlow's own operators (Flex): {', '.join(found.flex)}"
    if found.edgetpu:
        yield "compiled for the Edge TPU: run it there, or use the file that it was compiled from"
    if found.dynamic:
        yield "a size besides the batch is open (-1): convert the model again with fixed sizes"
    if found.runs and not found.dynamic:
        yield f"to make a bundle of it: edgevid convert {name} --clips DIR -o OUT.edgevid"


def _tensor_row(side: str, tensor: Mapping[str, Any]) -> tuple[object, ...]:
    shape = "x".join(map(str, tensor["shape"]))
    return side, tensor["name"], shape, tensor["dtype"], f"{tensor['scale']:g}", tensor["zero_point"]


def describe(bundle: Bundle) -> Iterator[str]:
    """Describe a bundle.

    Args:
        bundle: A checked bundle.

    Yields:
        Lines of text.
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
    window, rule = manifest.window, manifest.decision
    seconds = window.frames * window.interval_s
    yield "window", f"{window.frames} frames, {window.interval_s:g} s apart ({window.sampling}): {seconds:.2f} s"
    yield "input", _input(manifest.input)
    if manifest.keypoints is not None:
        yield "key points", str(manifest.keypoints)
    if not manifest.framing.is_plain:
        yield "pictures", f"as in training: {manifest.framing}"
    yield "lookback", f"{manifest.lookback} frames before the newest"
    yield "scores", manifest.scores
    if manifest.values:
        yield "values", ", ".join(f"{value.name} ({value.size})" for value in manifest.values)
    more = len(manifest.labels) - _LABELS_SHOWN
    yield "labels", ", ".join(manifest.labels[:_LABELS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    yield "events", f"from {rule.enter:g}, until below {rule.exit:g}, smoothed over {rule.smoothing_s:g} s"
    yield "", f"at least {rule.min_duration_s:g} s long, {rule.cooldown_s:g} s between two of one label"
    yield "background", ", ".join(rule.background) or "none"


def _input(spec: InputSpec) -> str:
    if spec.kind == "features":
        return f"{spec.channels} numbers a row"
    low, high = spec.range
    return f"{spec.width}x{spec.height} {spec.color}, pixels {low:g} to {high:g}, {spec.resize}, {spec.interpolation}"


def _parts(bundle: Bundle) -> Iterator[tuple[object, ...]]:
    for part in bundle.manifest.parts:
        yield (
            part.role,
            part.file,
            part.precision,
            len(bundle.models[part.file]),
            _tensors(part.inputs, states=len(part.states_before)),
            _tensors(part.outputs, states=len(part.states_after)),
        )
        if part.edgetpu:
            yield "  Edge TPU twin", part.edgetpu, "Edge TPU", len(bundle.models[part.edgetpu]), "the same", "the same"


def _tensors(tensors: tuple[Tensor, ...], *, states: int) -> str:
    # MoViNet has 43 states: a line for them all would hide the rest.
    shown = tensors if states <= _MOST_STATES else tensors[: len(tensors) - states]
    text = " ".join(f"{'x'.join(map(str, tensor.shape))} {tensor.dtype}" for tensor in shown)
    return text if shown is tensors else f"{text} and {states} states"


def _proof(report: Mapping[str, Any]) -> Iterator[str]:
    from edgevid.tables import table

    yield from _section("proof", {name: report[name] for name in _REPORT_KEYS if report.get(name) is not None})
    if report.get("stages"):
        yield ""
        rows = [[stage.get(key) for key in _STAGE_KEYS] for stage in report["stages"]]
        yield table([_STAGE_KEYS, *rows], indent="  ")
    events = report.get("events")
    if isinstance(events, dict):
        shown = {key: events[key] for key in _EVENT_KEYS if events.get(key) is not None}
        yield from _section("events in long recordings", shown)
    for note in report.get("notes", ()):
        yield f"  note: {note}"
    for warning in report.get("warnings", ()):
        yield f"  warning: {warning}"


def _section(title: str, rows: Mapping[str, object]) -> Iterator[str]:
    if rows:
        yield ""
        yield title
        yield from _aligned(rows, indent="  ")


def _aligned(rows: Mapping[str, object], *, indent: str = "") -> Iterator[str]:
    width = max(map(len, rows))
    for name, value in rows.items():
        yield f"{indent}{name:<{width}}  " + (f"{value:.6g}" if isinstance(value, float) else str(value))
