"""Run a trained video classifier frame by frame, on a Raspberry Pi or anywhere, with numpy and the LiteRT interpreter.

    import edgevid

    model = edgevid.load("action.edgevid")
    for event in model.events("picamera2"):
        print(event.label, event.start_s, event.end_s)

Everything public is a name of this package; any other module may move. Importing it loads none of them: a name is imported when it is first
used. `convert` is the workstation's half.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Name to module, and to the name there where it differs.
_PUBLIC = {
    "load": "edgevid.api.model",
    "run": "edgevid.api.session",
    "DEMO": "edgevid.api.model",
    "Model": "edgevid.api.model",
    "Stream": "edgevid.api.stream",
    "Session": "edgevid.api.session",
    "Decision": "edgevid.events.decide",
    "Event": "edgevid.events.decide",
    "Telemetry": "edgevid.telemetry.telemetry",
    "Page": "edgevid.api.outputs",
    "Mqtt": "edgevid.api.outputs",
    "Webhook": "edgevid.api.outputs",
    "Metrics": "edgevid.api.outputs",
    "Clips": "edgevid.api.outputs",
    "Record": "edgevid.api.outputs",
    "Lines": "edgevid.api.outputs",
    "OnEvent": "edgevid.api.outputs",
    "Output": "edgevid.outputs.output",
    "QuietOutput": "edgevid.outputs.output",
    "Collector": "edgevid.outputs.collect",
    "Frame": "edgevid.frames",
    "Source": "edgevid.capture",
    "open_source": "edgevid.capture",
    "Bundle": "edgevid.bundle.archive",
    "read_bundle": "edgevid.bundle.archive:read",
    "EdgevidError": "edgevid.errors",
}
__all__ = [  # noqa: RUF022  # in the order of a reader's interest
    "load", "run", "DEMO", "Model", "Stream", "Session", "Decision", "Event", "Telemetry",
    "Page", "Mqtt", "Webhook", "Metrics", "Clips", "Record", "Lines", "OnEvent",
    "Output", "QuietOutput", "Collector", "Frame", "Source", "open_source", "Bundle", "read_bundle", "EdgevidError", "errors", "__version__",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name == "errors":
        return importlib.import_module("edgevid.errors")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edgevid' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = globals()[name] = getattr(importlib.import_module(module), attribute or name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
